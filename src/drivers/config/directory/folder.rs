//! Files below one folder, reached step by step so that no link leads out of it.

use super::{
    rights::{Rights, made},
    write::Half,
};
use crate::ports::Leave;
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{self, AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid},
    io::Errno,
};
use std::{
    collections::BTreeSet,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// How the names of files that are being written start; what a crash leaves of them is no key.
pub(super) const HALF_WRITTEN: &str = ".trueup-";

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
    #[error(
        "`{0}` belongs to user {uid} and group {gid}, and the server's user may not give a file to them; run trueup as a user that may, or give the file to the server's user and a group of its own",
        uid = .1.uid, gid = .1.gid
    )]
    Owner(String, Rights),
    #[error("`{0}` may not be touched by the server's user; give it the right to")]
    Denied(String),
    /// It was written, and whether a crash would take it back is not known.
    #[error("`{0}` was written, but its folder could not be synced: {1}; look at the disk")]
    Unsure(String, Errno),
    #[error("the act was given up before `{0}` was written; it is looked at again")]
    Over(String),
    #[error("the disk is full; free some space")]
    Full,
    #[error("`{0}`: {1}")]
    Other(String, Errno),
}

/// Makes a file or a folder last.
pub(super) type Sync = Box<dyn Fn(BorrowedFd<'_>) -> Result<(), Errno> + Send + std::marker::Sync>;

/// Gives a file to a user, where it is to be another, and to a group.
pub(super) type Own = Box<dyn Fn(BorrowedFd<'_>, Option<u32>, u32) -> Result<(), Errno> + Send + std::marker::Sync>;

pub(super) struct Folder {
    root: PathBuf,
    /// The largest file that is read.
    most: u64,
    /// Makes a file, or what stands in a folder, last; tests put one here that fails or waits.
    pub(super) sync: Sync,
    /// Gives a file to a user and a group; tests put one here that may not.
    pub(super) own: Own,
    /// Whether a new file can be given those rights, in a folder with these; tests put one here that says no.
    pub(super) gives: fn(Rights, Option<Rights>) -> bool,
    /// What new files may be used for.
    pub(super) mode: u32,
    /// Keys whose folder could not be synced after they were written or removed: before they are read, it must be.
    unsure: Mutex<BTreeSet<String>>,
}

/// The way down to a key: every folder on it, the root first.
pub(super) struct Way {
    pub folders: Vec<OwnedFd>,
}

/// How a way down can end.
pub(super) enum End {
    There(Way),
    /// A folder on it is missing.
    Missing,
    /// A file stands where a folder would be.
    File(String),
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Folder {
    pub fn new(root: PathBuf, most: u64, mode: u32) -> Self {
        let own: Own = Box::new(|file, user, group| fs::fchown(file, user.map(Uid::from_raw), Some(Gid::from_raw(group))));
        Self { root, most, sync: Box::new(|file| fs::fsync(file)), own, gives: Rights::can_be_given, mode, unsure: Mutex::default() }
    }

    /// Syncs a folder in which a key was just written or removed.
    pub(super) fn settle(&self, folder: &OwnedFd, key: &str) -> Result<(), Trouble> {
        let mut unsure = self.unsure.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.sync)(folder.as_fd()) {
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

    /// An error where the folder itself cannot be listed.
    pub fn is_there(&self) -> Result<(), Trouble> {
        Dir::read_from(self.root()?.as_fd()).map(drop).map_err(|error| trouble(&self.root.display().to_string(), error))
    }

    /// Goes down to the folder of a key. `make`: folders that are missing are made and synced, while that leave stands.
    pub(super) fn way(&self, above: &[&str], make: Option<&Leave>) -> Result<End, Trouble> {
        let mut folders = vec![self.root()?];
        for (depth, part) in above.iter().enumerate() {
            let here = &folders[depth];
            let path = || above[..=depth].join("/");
            let mut next = fs::openat(here, *part, FOLDER, Mode::empty());
            if let (Some(leave), Err(Errno::NOENT)) = (make, &next) {
                if !leave.stands() {
                    return Err(Trouble::Over(path()));
                }
                self.make(here, part).map_err(|error| trouble(&path(), error))?;
                next = fs::openat(here, *part, FOLDER, Mode::empty());
            }
            match next {
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

    /// Makes a folder and makes it last; under its name it has its group and mode from the first moment, whenever this process dies.
    fn make(&self, here: &OwnedFd, part: &str) -> Result<(), Errno> {
        let half = Half::folder(here)?;
        made(self, half.file.as_fd(), here.as_fd(), of_folders(self.mode))?;
        match half.becomes(part) {
            Ok(()) => {}
            // Somebody else was faster.
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => return Ok(()),
            Err(error) => return Err(error),
        }
        (self.sync)(here.as_fd()).inspect_err(|_| {
            // The next write makes it anew: one that is found there is taken to last.
            let _ = fs::unlinkat(here, part, AtFlags::REMOVEDIR);
        })
    }

    /// What stands where the key would be.
    pub fn read(&self, key: &str) -> Result<Found, Trouble> {
        self.look(key).map(|(found, _)| found)
    }

    /// The same, and whose a file is where what replaces it cannot be given to them.
    pub fn look(&self, key: &str) -> Result<(Found, Option<Rights>), Trouble> {
        let (above, name) = parts(key);
        let way = self.way(&above, None)?;
        // What was not made to last is not said to be there, or gone.
        if self.unsure.lock().unwrap_or_else(PoisonError::into_inner).contains(key) {
            match &way {
                End::There(way) => self.settle(way.last(), key)?,
                End::Missing | End::File(_) => self.settle(&self.root()?, key)?,
            }
        }
        let way = match way {
            End::There(way) => way,
            End::Missing => return Ok((Found::Absent, None)),
            End::File(path) => return Ok((Found::Below(path), None)),
        };
        let Some((found, rights)) = self.read_at(way.last(), name, key)? else { return Ok((Found::Absent, None)) };
        let foreign = matches!(found, Found::File(_)) && {
            let above = fs::fstat(way.last()).ok().map(|stat| Rights::of(&stat));
            !(self.gives)(rights, above)
        };
        Ok((found, foreign.then_some(rights)))
    }

    pub(super) fn read_at(&self, folder: &OwnedFd, name: &str, key: &str) -> Result<Option<(Found, Rights)>, Trouble> {
        let file = match fs::openat(folder, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NXIO) => return Err(Trouble::Blocked(key.to_owned())),
            Err(error) => return Err(trouble(key, error)),
        };
        let stat = fs::fstat(&file).map_err(|error| trouble(key, error))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Ok(Some((Found::Folder, Rights::of(&stat)))),
            _ => return Err(Trouble::Blocked(key.to_owned())),
        }
        let mut bytes = Vec::new();
        File::from(file).take(self.most + 1).read_to_end(&mut bytes).map_err(|error| trouble(key, errno(&error)))?;
        if bytes.len() as u64 > self.most {
            return Err(Trouble::Large(key.to_owned(), u64::try_from(stat.st_size).unwrap_or(u64::MAX)));
        }
        Ok(Some((Found::File(bytes), Rights::of(&stat))))
    }

    /// Every file whose key starts so, and every one that could not be read; links and what is no file are passed over. Nothing else is looked at.
    pub fn walk(&self, prefix: &str, mut each: impl FnMut(String, Result<(Vec<u8>, Rights), Trouble>)) -> Result<(), Trouble> {
        let (above, start) = parts(prefix);
        // No key has such a part, and none of these is a folder below the root.
        if above.iter().any(|part| ["", ".", ".."].contains(part)) {
            return Ok(());
        }
        let mut way = match self.way(&above, None) {
            Ok(End::There(way)) => way,
            Ok(End::Missing | End::File(_)) | Err(Trouble::Blocked(_)) => return Ok(()),
            Err(other) => return Err(other),
        };
        let Some(last) = way.folders.pop() else { return Ok(()) };
        let mut waiting = vec![(last, above.join("/"), start)];
        while let Some((folder, path, start)) = waiting.pop() {
            let entries = match Dir::read_from(folder.as_fd()).and_then(|entries| entries.collect::<Result<Vec<_>, _>>()) {
                Ok(entries) => entries,
                Err(error) => {
                    each(path.clone(), Err(trouble(&path, error)));
                    continue;
                }
            };
            for entry in entries {
                let Ok(name) = entry.file_name().to_str() else { continue };
                if name == "." || name == ".." || name.starts_with(HALF_WRITTEN) || !name.starts_with(start) {
                    continue;
                }
                let key = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
                match self.read_at(&folder, name, &key) {
                    Ok(Some((Found::File(bytes), rights))) => each(key, Ok((bytes, rights))),
                    Ok(Some((Found::Folder, _))) => match fs::openat(&folder, name, FOLDER, Mode::empty()) {
                        Ok(below) => waiting.push((below, key, "")),
                        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                        Err(error) => each(key.clone(), Err(trouble(&key, error))),
                    },
                    Ok(Some((Found::Absent | Found::Below(_), _)) | None) | Err(Trouble::Blocked(_)) => {}
                    Err(other) => each(key, Err(other)),
                }
            }
        }
        Ok(())
    }

    /// Whether the folder of that name goes when these keys go: it holds their files, however deep, and nothing else.
    pub fn goes_with(&self, key: &str, goes: &BTreeSet<&str>) -> Result<bool, Trouble> {
        let End::There(mut way) = self.way(&key.split('/').collect::<Vec<_>>(), None)? else { return Ok(false) };
        let mut waiting: Vec<(OwnedFd, String)> = way.folders.pop().into_iter().map(|folder| (folder, key.to_owned())).collect();
        while let Some((folder, path)) = waiting.pop() {
            let mut empty = true;
            for entry in Dir::read_from(folder.as_fd()).map_err(|error| trouble(&path, error))? {
                let entry = entry.map_err(|error| trouble(&path, error))?;
                let name = entry.file_name().to_string_lossy();
                // What a dead process left goes with the last key.
                if name == "." || name == ".." || name.starts_with(HALF_WRITTEN) {
                    continue;
                }
                empty = false;
                let below = format!("{path}/{name}");
                let kind = fs::statat(&folder, &*name, AtFlags::SYMLINK_NOFOLLOW).map(|stat| FileType::from_raw_mode(stat.st_mode));
                match kind {
                    Ok(FileType::RegularFile) if goes.contains(&*below) => {}
                    Ok(FileType::Directory) => {
                        let next = fs::openat(&folder, &*name, FOLDER, Mode::empty()).map_err(|error| trouble(&below, error))?;
                        waiting.push((next, below));
                    }
                    _ => return Ok(false),
                }
            }
            if empty {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub fn path(&self) -> &Path {
        &self.root
    }
}

impl Way {
    pub fn last(&self) -> &OwnedFd {
        self.folders.last().expect("a way starts with the root")
    }
}

/// Whoever may read a folder's files may go into it.
fn of_folders(mode: u32) -> u32 {
    0o700 | mode & 0o066 | (mode & 0o044) >> 2
}

/// The folders above a key's file, and its name.
pub(super) fn parts(key: &str) -> (Vec<&str>, &str) {
    let mut parts: Vec<&str> = key.split('/').collect();
    let name = parts.pop().unwrap_or(key);
    (parts, name)
}

pub(super) fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

pub(super) fn trouble(key: &str, error: Errno) -> Trouble {
    match error {
        Errno::ACCESS | Errno::PERM | Errno::ROFS => Trouble::Denied(key.to_owned()),
        Errno::NOSPC | Errno::DQUOT => Trouble::Full,
        Errno::LOOP | Errno::NOTDIR | Errno::ISDIR => Trouble::Blocked(key.to_owned()),
        other => Trouble::Other(key.to_owned(), other),
    }
}
