//! Writing and removing the files of one act, while it may.

use super::{
    folder::{End, Folder, HALF_WRITTEN, Trouble, errno, parts, trouble},
    rights::{kept, made},
};
use crate::ports::Leave;
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{self, AtFlags, Dir, FlockOperation, Mode, OFlags},
    io::Errno,
};
use std::{collections::BTreeSet, fs::File, io::Write as _};

/// A folder that another act has just emptied and removed is made again, so often; and a file that was taken for a left-over one.
const ROUNDS: u32 = 5;

/// The writes of one act.
pub(super) struct Writing<'a> {
    folder: &'a Folder,
    leave: &'a Leave,
    /// Folders from which this act has removed what dead processes left in them.
    swept: BTreeSet<String>,
}

impl<'a> Writing<'a> {
    pub fn new(folder: &'a Folder, leave: &'a Leave) -> Self {
        Self { folder, leave, swept: BTreeSet::new() }
    }

    fn stands(&self, key: &str) -> Result<(), Trouble> {
        if self.leave.stands() { Ok(()) } else { Err(Trouble::Over(key.to_owned())) }
    }

    /// Puts the bytes under the key. On return they are on disk, and at every instant before the key held the old bytes or the new ones.
    ///
    /// A file that is written over keeps owner, group and mode; a new one has them by rule: what is `sensitive` is not for others.
    pub fn put(&mut self, key: &str, bytes: &[u8], sensitive: bool) -> Result<(), Trouble> {
        let mut round = 1;
        loop {
            match self.put_once(key, bytes, sensitive) {
                Err(Trouble::Other(_, Errno::NOENT)) if round < ROUNDS => round += 1,
                done => return done,
            }
        }
    }

    fn put_once(&mut self, key: &str, bytes: &[u8], sensitive: bool) -> Result<(), Trouble> {
        let (above, name) = parts(key);
        let way = match self.folder.way(&above, Some(self.leave))? {
            End::There(way) => way,
            End::Missing => return Err(Trouble::Other(key.to_owned(), Errno::NOENT)),
            End::File(path) => return Err(Trouble::Blocked(path)),
        };
        let folder = way.last();
        let there = self.folder.read_at(folder, name, key)?;
        if self.swept.insert(above.join("/")) {
            sweep(folder);
        }
        self.stands(key)?;
        let half = Half::create(folder).map_err(|error| trouble(key, error))?;
        match there {
            Some((_, rights)) => kept(self.folder, half.file.as_fd(), rights, key)?,
            None => {
                let mode = if sensitive { self.folder.mode & !0o007 } else { self.folder.mode };
                made(self.folder, half.file.as_fd(), folder.as_fd(), mode).map_err(|error| trouble(key, error))?;
            }
        }
        (&half.file).write_all(bytes).map_err(|error| trouble(key, errno(&error)))?;
        (self.folder.sync)(half.file.as_fd()).map_err(|error| trouble(key, error))?;
        // Syncing may have taken longer than we may write.
        self.stands(key)?;
        half.becomes(name).map_err(|error| trouble(key, error))?;
        self.folder.settle(folder, key)
    }

    /// Removes the key, and the folders above it that this leaves empty.
    pub fn delete(&mut self, key: &str) -> Result<(), Trouble> {
        let (above, name) = parts(key);
        let End::There(way) = self.folder.way(&above, None)? else { return Ok(()) };
        self.stands(key)?;
        fs::unlinkat(way.last(), name, AtFlags::empty()).map_err(|error| trouble(key, error))?;
        self.folder.settle(way.last(), key)?;
        for (depth, part) in above.iter().enumerate().rev() {
            if self.leave.stands() && self.swept.insert(above[..=depth].join("/")) {
                sweep(&way.folders[depth + 1]);
            }
            // Not empty, or gone by another hand: either way it is not ours to remove. Nor is it when our time is over.
            if !self.leave.stands() || fs::unlinkat(&way.folders[depth], *part, AtFlags::REMOVEDIR).is_err() {
                break;
            }
            self.folder.settle(&way.folders[depth], key)?;
        }
        Ok(())
    }
}

/// A file that is being written, or a folder that is being made, under a name that nobody else has or ever will; locked, so that others see that somebody is at it.
pub(super) struct Half<'a> {
    above: &'a OwnedFd,
    name: String,
    pub file: File,
    moved: bool,
}

impl<'a> Half<'a> {
    fn create(above: &'a OwnedFd) -> Result<Self, Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Self::named(above, |name| fs::openat(above, name, flags, Mode::from_raw_mode(0o600)))
    }

    /// The same for a folder, which nobody else may go into yet.
    pub fn folder(above: &'a OwnedFd) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Self::named(above, |name| {
            fs::mkdirat(above, name, Mode::from_raw_mode(0o700))?;
            fs::openat(above, name, flags, Mode::empty())
        })
    }

    fn named(above: &'a OwnedFd, make: impl FnOnce(&str) -> Result<OwnedFd, Errno>) -> Result<Self, Errno> {
        let mut own = [0; 12];
        getrandom::fill(&mut own).map_err(|_| Errno::IO)?;
        let name = format!("{HALF_WRITTEN}{}", own.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let file = File::from(make(&name)?);
        let half = Self { above, name, file, moved: false };
        match fs::flock(&half.file, FlockOperation::NonBlockingLockExclusive) {
            // Somebody took it for a left-over one in this very moment, and removes it.
            Err(Errno::WOULDBLOCK) => Err(Errno::NOENT),
            // Where nothing can be locked nothing is taken for left over.
            Ok(()) | Err(_) => Ok(half),
        }
    }

    pub fn becomes(mut self, name: &str) -> Result<(), Errno> {
        fs::renameat(self.above, &*self.name, self.above, name)?;
        self.moved = true;
        Ok(())
    }
}

impl Drop for Half<'_> {
    fn drop(&mut self) {
        if !self.moved {
            // What is left of it is no key; that it could not even be removed changes nothing about the fault.
            remove(self.above, &*self.name);
        }
    }
}

/// Removes a half-written file, or a folder that was about to be one.
fn remove(above: &OwnedFd, name: impl rustix::path::Arg + Copy) {
    if fs::unlinkat(above, name, AtFlags::empty()).is_err() {
        let _ = fs::unlinkat(above, name, AtFlags::REMOVEDIR);
    }
}

/// Removes half-written files at which nobody is any more. What cannot be removed is no key and in nobody's way.
fn sweep(folder: &OwnedFd) {
    let Ok(entries) = Dir::read_from(folder.as_fd()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !name.to_bytes().starts_with(HALF_WRITTEN.as_bytes()) {
            continue;
        }
        let Ok(file) = fs::openat(folder, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()) else { continue };
        if fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            remove(folder, name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AsFd as _, Errno, Folder, Trouble, Writing, kept};
    use crate::{
        drivers::config::directory::{folder::Found, rights::Rights},
        ports::{Cancel, Cx, Fut, SecretError, SecretText, Secrets},
    };
    use rustix::fs::{FileType, fstat};
    use std::{
        cell::Cell,
        sync::{Arc, Mutex, mpsc::channel},
        time::{Duration, Instant},
    };

    thread_local! {
        static BROKEN: Cell<bool> = const { Cell::new(false) };
    }

    struct Nobody;

    impl Secrets for Nobody {
        fn resolve<'a>(&'a self, _: &'a crate::core::model::SecretRef) -> Fut<'a, Result<SecretText, SecretError>> {
            unreachable!("these tests have no secrets")
        }
    }

    fn cx(cancel: &Cancel) -> Cx<'static> {
        Cx { fence: None, deadline: Instant::now() + Duration::from_secs(600), cancel: cancel.clone(), together: false, sensitive: &[], secrets: &Nobody }
    }

    #[test]
    fn what_could_not_be_synced_is_unsure_until_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(dir.path().to_owned(), 100, 0o644);
        folder.sync = Box::new(|file| {
            let is_folder = FileType::from_raw_mode(fstat(file).unwrap().st_mode) == FileType::Directory;
            if is_folder && BROKEN.get() { Err(Errno::IO) } else { Ok(()) }
        });
        let leave = cx(&Cancel::default()).leave();
        let mut writing = Writing::new(&folder, &leave);
        writing.put("app/a", b"1", false).unwrap();
        BROKEN.set(true);
        assert!(matches!(writing.put("app/a", b"2", false), Err(Trouble::Unsure(..))));
        assert!(matches!(folder.read("app/a"), Err(Trouble::Unsure(..))), "neither the old nor the new is sure");
        BROKEN.set(false);
        assert_eq!(folder.read("app/a").unwrap(), Found::File(b"2".to_vec()));
        BROKEN.set(true);
        assert!(matches!(writing.delete("app/a"), Err(Trouble::Unsure(..))));
        assert!(matches!(folder.read("app/a"), Err(Trouble::Unsure(..))));
        BROKEN.set(false);
        assert_eq!(folder.read("app/a").unwrap(), Found::Absent);
    }

    #[test]
    fn a_write_that_was_given_up_and_wakes_touches_nothing_of_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let (at_it, stands_at_it) = channel();
        let (go, may_go) = channel::<()>();
        // The first write waits once its bytes are in the file, the second goes through.
        let gate = Mutex::new(Some((at_it, may_go)));
        let mut folder = Folder::new(dir.path().to_owned(), 100, 0o644);
        folder.sync = Box::new(move |_| {
            let gate = gate.lock().unwrap().take();
            if let Some((at_it, may_go)) = gate {
                at_it.send(()).unwrap();
                let _ = may_go.recv();
            }
            Ok(())
        });
        let folder = Arc::new(folder);
        let cancel = Cancel::default();
        let first = {
            let (folder, leave) = (folder.clone(), cx(&cancel).leave());
            std::thread::spawn(move || Writing::new(&folder, &leave).put("a", b"one", false))
        };
        stands_at_it.recv().unwrap();
        let leave = cx(&Cancel::default()).leave();
        Writing::new(&folder, &leave).put("a", b"two, and longer", false).unwrap();
        assert_eq!(folder.read("a").unwrap(), Found::File(b"two, and longer".to_vec()));
        cancel.cancel();
        drop(go);
        assert!(matches!(first.join().unwrap(), Err(Trouble::Over(_))));
        assert_eq!(folder.read("a").unwrap(), Found::File(b"two, and longer".to_vec()));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "neither leaves anything half written");
    }

    #[test]
    fn a_folder_has_its_mode_under_its_name_from_the_first_moment_and_one_that_does_not_last_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        // Whatever the process' own mask takes away, it is not what these folders have.
        let mode = |path: &std::path::Path| std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777;
        let (path, seen) = (dir.path().join("app"), Arc::new(Mutex::new(Vec::new())));
        let mut folder = Folder::new(dir.path().to_owned(), 100, 0o666);
        let (at, told) = (path.clone(), seen.clone());
        folder.sync = Box::new(move |_| {
            let mut told = told.lock().unwrap();
            told.push(mode(&at));
            if told.len() == 1 { Err(Errno::IO) } else { Ok(()) }
        });
        let leave = cx(&Cancel::default()).leave();
        assert!(matches!(Writing::new(&folder, &leave).put("app/a", b"1", false), Err(Trouble::Other(..))));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "what may not last is not left for the next one to find");
        Writing::new(&folder, &leave).put("app/a", b"1", false).unwrap();
        assert!(seen.lock().unwrap().iter().all(|mode| *mode == 0o777), "{seen:?}");
        assert_eq!(std::fs::read(path.join("a")).unwrap(), b"1");
    }

    #[test]
    fn what_a_dead_process_left_goes_with_the_last_key_and_is_in_no_plans_way() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().to_owned(), 100, 0o644);
        let leave = cx(&Cancel::default()).leave();
        Writing::new(&folder, &leave).put("app/deep/a", b"1", false).unwrap();
        for left in ["app/.trueup-0a", "app/deep/.trueup-0b"] {
            std::fs::write(dir.path().join(left), b"half").unwrap();
        }
        std::fs::create_dir(dir.path().join("app/.trueup-0c")).unwrap();
        assert!(folder.goes_with("app", &["app/deep/a"].into()).unwrap(), "the plan sees what a list shows");
        assert!(!folder.goes_with("app", &["app/deep/b"].into()).unwrap());
        // Somebody is at this one.
        let busy = std::fs::File::create(dir.path().join("app/.trueup-0d")).unwrap();
        rustix::fs::flock(&busy, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
        let mut writing = Writing::new(&folder, &leave);
        writing.delete("app/deep/a").unwrap();
        let left: Vec<_> = std::fs::read_dir(dir.path().join("app")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [".trueup-0d"]);
        drop(busy);
        Writing::new(&folder, &leave).put("app/b", b"1", false).unwrap();
        let mut writing = Writing::new(&folder, &leave);
        writing.delete("app/b").unwrap();
        writing.put("app", b"2", false).unwrap();
        assert_eq!(folder.read("app").unwrap(), Found::File(b"2".to_vec()));
    }

    #[test]
    fn an_owner_that_cannot_be_kept_is_refused_and_a_group_that_cannot_be_given_reads_no_more_than_others() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(dir.path().to_owned(), 100, 0o644);
        folder.own = Box::new(|_, _, _| Err(Errno::PERM));
        let theirs = Rights { mode: 0o640, uid: 4242, gid: 4343 };
        let file = std::fs::File::create(dir.path().join("a")).unwrap();
        let refused = kept(&folder, file.as_fd(), theirs, "a").unwrap_err();
        assert!(matches!(&refused, Trouble::Owner(key, rights) if key == "a" && *rights == theirs));
        assert!(refused.to_string().starts_with("`a` belongs to user 4242 and group 4343, and the server's user may not give a file to them; run trueup as"), "{refused}");
        // Whoever may give files away sees the whole of it: the file stays as it was, and nothing beside it.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(dir.path().join("a"), Some(4242), Some(4343)).unwrap();
            let leave = cx(&Cancel::default()).leave();
            assert!(matches!(Writing::new(&folder, &leave).put("a", b"1", false), Err(Trouble::Owner(..))));
            assert_eq!((std::fs::read(dir.path().join("a")).unwrap(), std::fs::read_dir(dir.path()).unwrap().count()), (Vec::new(), 1));
            // Into a folder of another group.
            std::fs::create_dir(dir.path().join("d")).unwrap();
            std::os::unix::fs::chown(dir.path().join("d"), None, Some(4343)).unwrap();
            Writing::new(&folder, &leave).put("d/secret", b"1", true).unwrap();
            Writing::new(&folder, &leave).put("d/plain", b"1", false).unwrap();
            let mode = |name: &str| fstat(std::fs::File::open(dir.path().join(name)).unwrap()).unwrap().st_mode & 0o777;
            assert_eq!((mode("d/secret"), mode("d/plain")), (0o600, 0o644));
        }
    }
}
