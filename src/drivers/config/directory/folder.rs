//! Files below one folder, reached step by step so that no link leads out of it.

use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{self, AtFlags, Dir, FileType, Mode, OFlags},
    io::Errno,
};
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeSet,
    fs::File,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// How the files are called that are being written; a crash leaves one, the next write of its key takes it.
const HALF_WRITTEN: &str = ".trueup-";

/// A folder that another act has just emptied and removed is made again, so often.
const ROUNDS: u32 = 5;

/// What stands where a key would be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Absent,
    File(Vec<u8>),
    /// A folder of the key's name.
    Folder,
    /// A file where a folder above the key would be: its path below the root.
    Below(String),
}

/// Why a key can be neither read nor written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("there is no folder {}; make it, or mend `path` in the server's configuration", .0.display())]
    NoRoot(PathBuf),
    #[error("`{0}` is a link or no regular file; replace it by a file or folder, links are not followed")]
    Blocked(String),
    #[error("`{0}` has {1} bytes, more than is read; remove it, or keep it out of the folder")]
    Large(String, u64),
    #[error("`{0}` may not be touched by the server's user; give it the right to")]
    Denied(String),
    /// It was written, and whether a crash would take it back is not known.
    #[error("`{0}` was written, but its folder could not be synced: {1}; look at the disk")]
    Unsure(String, Errno),
    #[error("the disk is full; free some space")]
    Full,
    #[error("`{0}`: {1}")]
    Other(String, Errno),
}

pub(super) struct Folder {
    root: PathBuf,
    /// The largest file that is read.
    most: u64,
    /// Makes what stands in a folder last; tests put one here that fails.
    sync: fn(&OwnedFd) -> Result<(), Errno>,
    /// Keys whose folder could not be synced after they were written or removed: before they are read, it must be.
    unsure: Mutex<BTreeSet<String>>,
}

/// The way down to a key: every folder on it, the root first.
struct Way {
    folders: Vec<OwnedFd>,
}

/// How a way down can end.
enum End {
    There(Way),
    /// A folder on it is missing.
    Missing,
    /// A file stands where a folder would be.
    File(String),
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Folder {
    pub fn new(root: PathBuf, most: u64) -> Self {
        Self { root, most, sync: |folder| fs::fsync(folder), unsure: Mutex::default() }
    }

    /// Syncs a folder in which a key was just written or removed.
    fn settle(&self, folder: &OwnedFd, key: &str) -> Result<(), Trouble> {
        let mut unsure = self.unsure.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.sync)(folder) {
            Ok(()) => {
                unsure.remove(key);
                Ok(())
            }
            Err(error) => {
                unsure.insert(key.to_owned());
                Err(Trouble::Unsure(key.to_owned(), error))
            }
        }
    }

    fn root(&self) -> Result<OwnedFd, Trouble> {
        // The root itself may be a link: the operators named it.
        fs::open(&self.root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(|error| match error {
            Errno::NOENT | Errno::NOTDIR => Trouble::NoRoot(self.root.clone()),
            error => trouble(&self.root.display().to_string(), error),
        })
    }

    /// Goes down to the folder of a key. `make`: folders that are missing are made and synced.
    fn way(&self, above: &[&str], make: bool) -> Result<End, Trouble> {
        let mut folders = vec![self.root()?];
        for (depth, part) in above.iter().enumerate() {
            let here = &folders[depth];
            let path = || above[..=depth].join("/");
            if make {
                match fs::mkdirat(here, *part, Mode::from_raw_mode(0o755)) {
                    Ok(()) => fs::fsync(here).map_err(|error| trouble(&path(), error))?,
                    Err(Errno::EXIST) => {}
                    Err(error) => return Err(trouble(&path(), error)),
                }
            }
            match fs::openat(here, *part, FOLDER, Mode::empty()) {
                Ok(next) => folders.push(next),
                Err(Errno::NOENT) => return Ok(End::Missing),
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    let kind = fs::statat(here, *part, AtFlags::SYMLINK_NOFOLLOW).map(|stat| FileType::from_raw_mode(stat.st_mode));
                    return if kind == Ok(FileType::RegularFile) { Ok(End::File(path())) } else { Err(Trouble::Blocked(path())) };
                }
                Err(error) => return Err(trouble(&path(), error)),
            }
        }
        Ok(End::There(Way { folders }))
    }

    /// What stands where the key would be.
    pub fn read(&self, key: &str) -> Result<Found, Trouble> {
        let (above, name) = parts(key);
        let way = self.way(&above, false)?;
        // What was not made to last is not said to be there, or gone.
        if self.unsure.lock().unwrap_or_else(PoisonError::into_inner).contains(key) {
            match &way {
                End::There(way) => self.settle(way.last(), key)?,
                End::Missing | End::File(_) => self.settle(&self.root()?, key)?,
            }
        }
        let way = match way {
            End::There(way) => way,
            End::Missing => return Ok(Found::Absent),
            End::File(path) => return Ok(Found::Below(path)),
        };
        self.read_at(way.last(), name, key).map(|found| found.map_or(Found::Absent, |(found, _)| found))
    }

    fn read_at(&self, folder: &OwnedFd, name: &str, key: &str) -> Result<Option<(Found, u32)>, Trouble> {
        let file = match fs::openat(folder, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NXIO) => return Err(Trouble::Blocked(key.to_owned())),
            Err(error) => return Err(trouble(key, error)),
        };
        let stat = fs::fstat(&file).map_err(|error| trouble(key, error))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Ok(Some((Found::Folder, stat.st_mode))),
            _ => return Err(Trouble::Blocked(key.to_owned())),
        }
        let mut bytes = Vec::new();
        File::from(file).take(self.most + 1).read_to_end(&mut bytes).map_err(|error| trouble(key, errno(&error)))?;
        if bytes.len() as u64 > self.most {
            return Err(Trouble::Large(key.to_owned(), u64::try_from(stat.st_size).unwrap_or(u64::MAX)));
        }
        Ok(Some((Found::File(bytes), stat.st_mode)))
    }

    /// Puts the bytes under the key. On return they are on disk, and at every instant before the key held the old bytes or the new ones.
    pub fn write(&self, key: &str, bytes: &[u8]) -> Result<(), Trouble> {
        let mut round = 1;
        loop {
            match self.write_once(key, bytes) {
                Err(Trouble::Other(_, Errno::NOENT)) if round < ROUNDS => round += 1,
                done => return done,
            }
        }
    }

    fn write_once(&self, key: &str, bytes: &[u8]) -> Result<(), Trouble> {
        let (above, name) = parts(key);
        let way = match self.way(&above, true)? {
            End::There(way) => way,
            End::Missing => return Err(Trouble::Other(key.to_owned(), Errno::NOENT)),
            End::File(path) => return Err(Trouble::Blocked(path)),
        };
        let folder = way.last();
        // A file that is written over keeps who may read it.
        let mode = self.read_at(folder, name, key)?.map_or(0o644, |(_, mode)| mode & 0o7777);
        let half = half_written(name);
        let of = |error: Errno| trouble(key, error);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(folder, &*half, flags, Mode::from_raw_mode(0o600)).map_err(of)?;
        let mut file = File::from(file);
        let written = file.write_all(bytes).map_err(|error| errno(&error)).and_then(|()| fs::fchmod(&file, Mode::from_raw_mode(mode))).and_then(|()| fs::fsync(&file));
        let moved = written.and_then(|()| fs::renameat(folder, &*half, folder, name));
        if let Err(error) = moved {
            // What is left of it is no key; that it could not even be removed changes nothing about the fault.
            let _ = fs::unlinkat(folder, &*half, AtFlags::empty());
            return Err(of(error));
        }
        self.settle(folder, key)
    }

    /// Removes the key, and the folders above it that this leaves empty.
    pub fn delete(&self, key: &str) -> Result<(), Trouble> {
        let (above, name) = parts(key);
        let End::There(way) = self.way(&above, false)? else { return Ok(()) };
        let of = |error: Errno| trouble(key, error);
        fs::unlinkat(way.last(), name, AtFlags::empty()).map_err(of)?;
        self.settle(way.last(), key)?;
        for (depth, part) in above.iter().enumerate().rev() {
            // Not empty, or gone by another hand: either way it is not ours to remove.
            if fs::unlinkat(&way.folders[depth], *part, AtFlags::REMOVEDIR).is_err() {
                break;
            }
            self.settle(&way.folders[depth], key)?;
        }
        Ok(())
    }

    /// Every key with its bytes, sorted; links and what is no file are passed over.
    pub fn all(&self) -> Result<Vec<(String, Vec<u8>)>, Trouble> {
        let mut found = Vec::new();
        let mut waiting = vec![(self.root()?, String::new())];
        while let Some((folder, path)) = waiting.pop() {
            for entry in Dir::read_from(folder.as_fd()).map_err(|error| trouble(&path, error))? {
                let entry = entry.map_err(|error| trouble(&path, error))?;
                let Ok(name) = entry.file_name().to_str() else { continue };
                if name == "." || name == ".." || name.starts_with(HALF_WRITTEN) {
                    continue;
                }
                let key = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
                match self.read_at(&folder, name, &key) {
                    Ok(Some((Found::File(bytes), _))) => found.push((key, bytes)),
                    Ok(Some((Found::Folder, _))) => match fs::openat(&folder, name, FOLDER, Mode::empty()) {
                        Ok(below) => waiting.push((below, key)),
                        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                        Err(error) => return Err(trouble(&key, error)),
                    },
                    Ok(Some((Found::Absent | Found::Below(_), _)) | None) | Err(Trouble::Blocked(_)) => {}
                    Err(other) => return Err(other),
                }
            }
        }
        found.sort();
        Ok(found)
    }

    pub fn path(&self) -> &Path {
        &self.root
    }
}

impl Way {
    fn last(&self) -> &OwnedFd {
        self.folders.last().expect("a way starts with the root")
    }
}

/// The folders above a key's file, and its name.
fn parts(key: &str) -> (Vec<&str>, &str) {
    let mut parts: Vec<&str> = key.split('/').collect();
    let name = parts.pop().unwrap_or(key);
    (parts, name)
}

/// One name a key, so that a crash leaves at most one and the next write takes it; claims keep two writers of one key apart.
fn half_written(name: &str) -> String {
    let hash: String = Sha256::digest(name.as_bytes()).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("{HALF_WRITTEN}{hash}")
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

fn trouble(key: &str, error: Errno) -> Trouble {
    match error {
        Errno::ACCESS | Errno::PERM | Errno::ROFS => Trouble::Denied(key.to_owned()),
        Errno::NOSPC | Errno::DQUOT => Trouble::Full,
        Errno::LOOP | Errno::NOTDIR | Errno::ISDIR => Trouble::Blocked(key.to_owned()),
        other => Trouble::Other(key.to_owned(), other),
    }
}

#[cfg(test)]
mod tests {
    use super::{Errno, Folder, Found, Trouble};
    use std::cell::Cell;

    thread_local! {
        static BROKEN: Cell<bool> = const { Cell::new(false) };
    }

    #[test]
    fn what_could_not_be_synced_is_unsure_until_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(dir.path().to_owned(), 100);
        folder.sync = |_| if BROKEN.get() { Err(Errno::IO) } else { Ok(()) };
        folder.write("app/a", b"1").unwrap();
        BROKEN.set(true);
        assert!(matches!(folder.write("app/a", b"2"), Err(Trouble::Unsure(..))));
        assert!(matches!(folder.read("app/a"), Err(Trouble::Unsure(..))), "neither the old nor the new is sure");
        BROKEN.set(false);
        assert_eq!(folder.read("app/a").unwrap(), Found::File(b"2".to_vec()));
        BROKEN.set(true);
        assert!(matches!(folder.delete("app/a"), Err(Trouble::Unsure(..))));
        assert!(matches!(folder.read("app/a"), Err(Trouble::Unsure(..))));
        BROKEN.set(false);
        assert_eq!(folder.read("app/a").unwrap(), Found::Absent);
    }
}
