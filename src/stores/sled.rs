//! The second embedded store: sled, whose own flush leaves the disk's cache unsynced, so that this adapter syncs the files itself.

use super::{
    embedded::{self, join, split},
    group::{Commit, Engine, Group},
};
use crate::{
    core::model::Span,
    ports::{Compare, Fut, Key, Kv, KvError, KvLimits, Miss, Put, Rev, Row, SessionId},
};
use ::sled::{
    Db,
    transaction::{ConflictableTransactionError, TransactionError, TransactionalTree, UnabortableTransactionError},
};
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

// One tree holds everything, because a transaction over several costs more and gives no more.
const ROW: u8 = b'r';
const SESSION_KEY: u8 = b's';
const REV: &[u8] = b"m/rev";

/// sled keeps a transaction in memory until it is flushed, so it is kept smaller than redb's.
const LIMITS: KvLimits = KvLimits { ops: 10_000, bytes: 4 << 20 };

/// What must stay free on the disk. sled hangs for ever in its next flush once a write has met a full disk, so it is never let near one:
/// it rewrites whole pages and takes segments of half a mebibyte, and other processes write meanwhile.
const HEADROOM: u64 = 16 << 20;

/// The page cache, as for redb.
const CACHE: u64 = 64 << 20;

/// A key space in one sled folder. Only one process has it open.
pub struct SledKv {
    group: Group,
    folder: Arc<Folder>,
}

impl SledKv {
    /// Opens or creates `store.sled` in a folder, and ends the sessions of the process that had it before.
    pub fn open(folder: &Path) -> Result<Self, KvError> {
        let path = folder.join("store.sled");
        fs::create_dir_all(&path).map_err(|error| io_error(&error, folder))?;
        let lock = lock(folder)?;
        let db = open(&path)?;
        end_sessions(&db).map_err(|error| kv_error(error, &path))?;
        let mut synced = Synced { path: path.clone(), files: BTreeSet::new() };
        db.flush().map_err(|error| kv_error(error, &path))?;
        synced.sync().map_err(|error| io_error(&error, &path))?;
        let folder = Arc::new(Folder { db, path, _lock: lock });
        let group = Group::start("store-writer", Writer { folder: Arc::clone(&folder), synced })?;
        Ok(Self { group, folder })
    }
}

/// The open database. Declared before the lock, so that it is closed first.
struct Folder {
    db: Db,
    path: PathBuf,
    _lock: File,
}

impl Folder {
    fn read(&self, from: &Key, to: &Key, limit: usize) -> Result<Vec<Row>, KvError> {
        let mut rows = Vec::new();
        for entry in self.db.range(tagged(ROW, from)..tagged(ROW, to)).take(limit) {
            let (key, cell) = entry.map_err(|error| kv_error(error, &self.path))?;
            let (rev, value) = split(&cell).ok_or_else(|| embedded::damaged_row(&self.path, &key[1..]))?;
            rows.push(Row { key: key[1..].to_vec(), value: value.to_vec(), rev: Rev(rev) });
        }
        Ok(rows)
    }
}

/// What of the folder is already synced under its present name.
struct Synced {
    path: PathBuf,
    files: BTreeSet<OsString>,
}

impl Synced {
    /// Syncs the log, large values that are files of their own, and the folders that name new files.
    fn sync(&mut self) -> io::Result<()> {
        let blobs = self.path.join("blobs");
        let mut named = false;
        for folder in [self.path.as_path(), blobs.as_path()] {
            if !folder.exists() {
                continue;
            }
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_type()?.is_file() && self.files.insert(entry.path().into_os_string()) {
                    named = true;
                    match File::open(entry.path()) {
                        Ok(file) => file.sync_all()?,
                        // sled removes what it no longer needs.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            if named {
                File::open(folder)?.sync_all()?;
            }
        }
        File::open(self.path.join("db"))?.sync_data()
    }
}

struct Writer {
    folder: Arc<Folder>,
    synced: Synced,
}

struct Staged {
    rev: u64,
    results: Vec<Result<Rev, Miss>>,
}

impl Engine for Writer {
    fn apply(&mut self, batch: &[Commit]) -> Result<Vec<Result<Rev, Miss>>, KvError> {
        let Folder { db, path, _lock } = &*self.folder;
        let disk = rustix::fs::statvfs(path).map_err(|error| io_error(&error.into(), path))?;
        let bytes: usize = batch.iter().map(Commit::bytes).sum();
        // A page may be rewritten with its neighbours, hence twice the bytes.
        if disk.f_bavail.saturating_mul(disk.f_frsize) < HEADROOM + 2 * bytes as u64 {
            return Err(embedded::full(path, HEADROOM));
        }
        let staged = write(db, batch).map_err(|error| kv_error(error, path))?;
        if staged.results.iter().any(Result::is_ok) {
            db.flush().map_err(|error| kv_error(error, path))?;
            self.synced.sync().map_err(|error| kv_error(error.into(), path))?;
        }
        Ok(staged.results)
    }
}

/// Takes the folder for this process; the file stays, the lock goes with the process.
fn lock(folder: &Path) -> Result<File, KvError> {
    let file = File::create(folder.join("store.lock")).map_err(|error| io_error(&error, folder))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(embedded::locked(folder)),
        Err(TryLockError::Error(error)) => Err(io_error(&error, folder)),
    }
}

fn open(path: &Path) -> Result<Db, KvError> {
    // We flush each batch, so the flusher thread has nothing to do.
    ::sled::Config::new().path(path).cache_capacity(CACHE).flush_every_ms(None).open().map_err(|error| kv_error(error, path))
}

fn end_sessions(db: &Db) -> Result<(), ::sled::Error> {
    for entry in db.scan_prefix([SESSION_KEY]) {
        let (key, _) = entry?;
        db.remove(tagged(ROW, &key[1..]))?;
        db.remove(key)?;
    }
    Ok(())
}

/// Applies a batch in one transaction; a commit that misses writes nothing, the others go on.
fn write(db: &Db, batch: &[Commit]) -> Result<Staged, ::sled::Error> {
    db.transaction(|tree| {
        let mut staged = Staged { rev: tree.get(REV)?.as_deref().and_then(number).unwrap_or(0), results: Vec::with_capacity(batch.len()) };
        for commit in batch {
            let miss = first_miss(tree, &commit.when)?;
            if let Some(miss) = miss {
                staged.results.push(Err(miss));
                continue;
            }
            staged.rev += 1;
            for put in &commit.then {
                match put {
                    Put::Set(key, value, session) => {
                        tree.insert(tagged(ROW, key), join(staged.rev, value))?;
                        match session {
                            Some(_) => tree.insert(tagged(SESSION_KEY, key), &[])?,
                            None => tree.remove(tagged(SESSION_KEY, key))?,
                        };
                    }
                    Put::Del(key) => {
                        tree.remove(tagged(ROW, key))?;
                        tree.remove(tagged(SESSION_KEY, key))?;
                    }
                }
            }
            staged.results.push(Ok(Rev(staged.rev)));
        }
        tree.insert(REV, &staged.rev.to_be_bytes())?;
        Ok::<_, ConflictableTransactionError<()>>(staged)
    })
    .map_err(|error| match error {
        TransactionError::Storage(error) => error,
        TransactionError::Abort(()) => ::sled::Error::ReportableBug("a transaction that never aborts was aborted".into()),
    })
}

fn first_miss(tree: &TransactionalTree, when: &[Compare]) -> Result<Option<Miss>, UnabortableTransactionError> {
    for compare in when {
        let (Compare::Absent(key) | Compare::At(key, _)) = compare;
        let cell = tree.get(tagged(ROW, key))?;
        let holds = match compare {
            Compare::Absent(_) => cell.is_none(),
            Compare::At(_, rev) => cell.as_deref().and_then(split).is_some_and(|(at, _)| at == rev.0),
        };
        if !holds {
            return Ok(Some(Miss { key: key.clone() }));
        }
    }
    Ok(None)
}

fn tagged(tag: u8, key: &[u8]) -> Vec<u8> {
    [&[tag], key].concat()
}

fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

fn kv_error(error: ::sled::Error, path: &Path) -> KvError {
    match error {
        // Not `Full`, whatever the cause: sled's memory may be ahead of its disk now, and only a restart tells what is kept.
        ::sled::Error::Io(error) => embedded::failed(path, &format!("{error}; check the disk and restart")),
        ::sled::Error::Corruption { .. } => embedded::damaged(path, "sled finds it corrupt"),
        other => embedded::failed(path, &other.to_string()),
    }
}

fn io_error(error: &io::Error, path: &Path) -> KvError {
    embedded::io_error(error, path, HEADROOM)
}

impl Kv for SledKv {
    fn commit<'a>(&'a self, when: Vec<Compare>, then: Vec<Put>) -> Fut<'a, Result<Result<Rev, Miss>, KvError>> {
        Box::pin(self.group.commit(when, then))
    }

    fn range<'a>(&'a self, from: Key, to: Key, limit: usize) -> Fut<'a, Result<Vec<Row>, KvError>> {
        let folder = Arc::clone(&self.folder);
        embedded::range(from, to, move |from, to| folder.read(from, to, limit))
    }

    fn session<'a>(&'a self, _ttl: Span) -> Fut<'a, Result<SessionId, KvError>> {
        // The process is the session, as for redb.
        Box::pin(async { Ok(SessionId(1)) })
    }

    fn limits(&self) -> KvLimits {
        LIMITS
    }
}
