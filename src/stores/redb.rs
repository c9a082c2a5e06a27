//! The default embedded store: redb, one write transaction and one durable commit for every group of commits.

use super::{
    embedded::{self, join, split},
    group::{Commit, Engine, Group},
};
use crate::{
    core::model::Span,
    ports::{Compare, Fut, Key, Kv, KvError, KvErrorKind, KvLimits, Miss, Put, Rev, Row, SessionId},
};
use ::redb::{Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

/// Rows by key; what a cell is, `embedded` says.
const ROWS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");
/// The keys that vanish when the store is opened again.
const SESSION_KEYS: TableDefinition<&[u8], ()> = TableDefinition::new("session_keys");
/// `rev`: the revision of the last commit.
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
const REV: &str = "rev";

/// Plenty for any turn; a transaction of this size is still written in well under a second.
const LIMITS: KvLimits = KvLimits { ops: 10_000, bytes: 8 << 20 };

/// The page cache. Journals are appended and cards are read once, so little is gained from more; redb's own default is a gibibyte.
const CACHE: usize = 64 << 20;

/// A key space in one redb file. Only one process has it open.
pub struct RedbKv {
    group: Group,
    file: Arc<DbFile>,
}

impl RedbKv {
    /// Opens or creates `store.redb` in a folder, and ends the sessions of the process that had it before.
    pub fn open(folder: &Path) -> Result<Self, KvError> {
        fs::create_dir_all(folder).map_err(|error| embedded::io_error(&error, folder, 0))?;
        let path = folder.join("store.redb");
        let db = open(&path)?;
        end_sessions(&db).map_err(|error| kv_error(error, &path))?;
        let file = Arc::new(DbFile { path, db: RwLock::new(Some(db)) });
        let group = Group::start("store-writer", Writer { file: Arc::clone(&file) })?;
        Ok(Self { group, file })
    }
}

/// The open database; none while it is opened again after a full disk.
struct DbFile {
    path: PathBuf,
    db: RwLock<Option<Database>>,
}

impl DbFile {
    fn read(&self, from: &Key, to: &Key, limit: usize) -> Result<Vec<Row>, KvError> {
        let failed = |error| kv_error(error, &self.path);
        // No code panics while it writes this lock, so a poisoned one still holds a whole value.
        let guard = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let db = guard.as_ref().ok_or_else(|| embedded::full(&self.path, 0))?;
        let read = db.begin_read().map_err(|error| failed(error.into()))?;
        let table = match read.open_table(ROWS) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(failed(error.into())),
        };
        let mut rows = Vec::new();
        for entry in table.range(from.as_slice()..to.as_slice()).map_err(|error| failed(error.into()))?.take(limit) {
            let (key, cell) = entry.map_err(|error| failed(error.into()))?;
            let (rev, value) = split(cell.value()).ok_or_else(|| embedded::damaged_row(&self.path, key.value()))?;
            rows.push(Row { key: key.value().to_vec(), value: value.to_vec(), rev: Rev(rev) });
        }
        Ok(rows)
    }
}

struct Writer {
    file: Arc<DbFile>,
}

/// A batch that failed, and how far it had come.
struct Failed {
    error: ::redb::Error,
    /// Set when the failure was in the commit itself: what it would have answered.
    staged: Option<Staged>,
}

struct Staged {
    rev: u64,
    results: Vec<Result<Rev, Miss>>,
}

impl<E: Into<::redb::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { error: error.into(), staged: None }
    }
}

impl Engine for Writer {
    fn apply(&mut self, batch: &[Commit]) -> Result<Vec<Result<Rev, Miss>>, KvError> {
        self.reopen_if_closed()?;
        let attempt = {
            let guard = self.file.db.read().unwrap_or_else(PoisonError::into_inner);
            let db = guard.as_ref().ok_or_else(|| embedded::full(&self.file.path, 0))?;
            write(db, batch)
        };
        match attempt {
            Ok(results) => Ok(results),
            Err(failed) => self.settle(failed),
        }
    }
}

impl Writer {
    /// Finds out what became of a batch that failed because the disk is full.
    ///
    /// redb refuses everything after a failed write until it is opened again. Opening it again also tells whether the commit is there.
    /// After any other failure nothing is tried: a disk that failed to sync may hold less than the page cache shows, and only a restart reads the disk.
    fn settle(&self, failed: Failed) -> Result<Vec<Result<Rev, Miss>>, KvError> {
        let error = kv_error(failed.error, &self.file.path);
        if error.kind != KvErrorKind::Full {
            return Err(error);
        }
        *self.file.db.write().unwrap_or_else(PoisonError::into_inner) = None;
        let Some(staged) = failed.staged else {
            // Nothing was committed, whether or not the file opens right now.
            self.reopen_if_closed().ok();
            return Err(error);
        };
        let unknown = |_| KvError { what: format!("{}; whether the last commit is kept is known once there is space", error.what), kind: KvErrorKind::Io };
        self.reopen_if_closed().map_err(unknown)?;
        let guard = self.file.db.read().unwrap_or_else(PoisonError::into_inner);
        let kept = guard.as_ref().map(current_rev).transpose().map_err(|error| kv_error(error, &self.file.path))?;
        if kept == Some(staged.rev) { Ok(staged.results) } else { Err(error) }
    }

    fn reopen_if_closed(&self) -> Result<(), KvError> {
        let mut guard = self.file.db.write().unwrap_or_else(PoisonError::into_inner);
        if guard.is_none() {
            *guard = Some(open(&self.file.path)?);
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<Database, KvError> {
    Database::builder().set_cache_size(CACHE).create(path).map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => embedded::locked(path.parent().unwrap_or(path)),
        other => kv_error(other.into(), path),
    })
}

/// A write transaction whose commit is on the disk when it returns, and after which a crash costs no repair of the whole file.
fn begin(db: &Database) -> Result<WriteTransaction, ::redb::Error> {
    let mut write = db.begin_write()?;
    write.set_durability(Durability::Immediate)?;
    write.set_quick_repair(true);
    Ok(write)
}

fn end_sessions(db: &Database) -> Result<(), ::redb::Error> {
    let write = begin(db)?;
    {
        let mut rows = write.open_table(ROWS)?;
        let mut keys = write.open_table(SESSION_KEYS)?;
        while let Some(key) = keys.pop_first()?.map(|(key, _)| key.value().to_vec()) {
            rows.remove(key.as_slice())?;
        }
    }
    Ok(write.commit()?)
}

fn current_rev(db: &Database) -> Result<u64, ::redb::Error> {
    match db.begin_read()?.open_table(META) {
        Ok(meta) => Ok(meta.get(REV)?.map_or(0, |rev| rev.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Applies a batch in one transaction; a commit that misses writes nothing, the others go on.
fn write(db: &Database, batch: &[Commit]) -> Result<Vec<Result<Rev, Miss>>, Failed> {
    let write = begin(db)?;
    let mut results = Vec::with_capacity(batch.len());
    let mut rev;
    {
        let mut rows = write.open_table(ROWS)?;
        let mut keys = write.open_table(SESSION_KEYS)?;
        let mut meta = write.open_table(META)?;
        rev = meta.get(REV)?.map_or(0, |rev| rev.value());
        'commits: for commit in batch {
            for compare in &commit.when {
                let (Compare::Absent(key) | Compare::At(key, _)) = compare;
                let damaged = || ::redb::Error::Corrupted(format!("row `{}`", String::from_utf8_lossy(key)));
                let found = rows.get(key.as_slice())?.map(|cell| split(cell.value()).map(|(rev, _)| rev).ok_or_else(damaged)).transpose()?;
                let holds = match compare {
                    Compare::Absent(_) => found.is_none(),
                    Compare::At(_, rev) => found == Some(rev.0),
                };
                if !holds {
                    results.push(Err(Miss { key: key.clone() }));
                    continue 'commits;
                }
            }
            rev += 1;
            for put in &commit.then {
                match put {
                    Put::Set(key, value, session) => {
                        rows.insert(key.as_slice(), join(rev, value).as_slice())?;
                        match session {
                            Some(_) => keys.insert(key.as_slice(), ())?,
                            None => keys.remove(key.as_slice())?,
                        };
                    }
                    Put::Del(key) => {
                        rows.remove(key.as_slice())?;
                        keys.remove(key.as_slice())?;
                    }
                }
            }
            results.push(Ok(Rev(rev)));
        }
        meta.insert(REV, rev)?;
    }
    if results.iter().all(Result::is_err) {
        // Nothing to keep, so nothing to sync.
        write.abort()?;
        return Ok(results);
    }
    match write.commit() {
        Ok(()) => Ok(results),
        Err(error) => Err(Failed { error: error.into(), staged: Some(Staged { rev, results }) }),
    }
}

fn kv_error(error: ::redb::Error, path: &Path) -> KvError {
    match error {
        ::redb::Error::Io(error) => embedded::io_error(&error, path, 0),
        ::redb::Error::Corrupted(what) => embedded::damaged(path, &what),
        other => embedded::failed(path, &other.to_string()),
    }
}

impl Kv for RedbKv {
    fn commit<'a>(&'a self, when: Vec<Compare>, then: Vec<Put>) -> Fut<'a, Result<Result<Rev, Miss>, KvError>> {
        Box::pin(self.group.commit(when, then))
    }

    fn range<'a>(&'a self, from: Key, to: Key, limit: usize) -> Fut<'a, Result<Vec<Row>, KvError>> {
        let file = Arc::clone(&self.file);
        embedded::range(from, to, move |from, to| file.read(from, to, limit))
    }

    fn session<'a>(&'a self, _ttl: Span) -> Fut<'a, Result<SessionId, KvError>> {
        // The process is the session: only one has the file open, and opening it ended the one before.
        Box::pin(async { Ok(SessionId(1)) })
    }

    fn limits(&self) -> KvLimits {
        LIMITS
    }
}
