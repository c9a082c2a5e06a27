//! The in-memory twin of the storage port: the same promises without a disk, and faults on request.

use super::{Compare, Fut, Key, Kv, KvError, KvErrorKind, KvLimits, Miss, Put, Rev, Row, SessionId, Stands};
use crate::core::model::Span;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A key space in memory. Clones share it, so a test can look at what a store under test holds.
#[derive(Clone, Debug)]
pub struct MemoryKv {
    state: Arc<Mutex<State>>,
    limits: KvLimits,
}

#[derive(Debug, Default)]
struct State {
    rev: u64,
    sessions: u64,
    expired: BTreeSet<SessionId>,
    commits: u64,
    rows: BTreeMap<Key, Cell>,
    faults: VecDeque<Fault>,
    quota: Option<usize>,
    unreadable: bool,
}

#[derive(Clone, Debug)]
struct Cell {
    value: Vec<u8>,
    rev: u64,
    session: Option<SessionId>,
}

/// What goes wrong with one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No space: nothing is written.
    Full,
    /// The disk fails before anything is written.
    IoBefore,
    /// Everything is written and durable, but the answer is an error.
    IoAfterCommit,
}

impl Default for MemoryKv {
    fn default() -> Self {
        Self::with_limits(KvLimits { ops: 10_000, bytes: 8 << 20 })
    }
}

impl MemoryKv {
    pub fn new() -> Self {
        Self::default()
    }

    /// A twin with the limits of another store, etcd's for instance.
    pub fn with_limits(limits: KvLimits) -> Self {
        Self { state: Arc::default(), limits }
    }

    /// Lets the next commit fail; several calls queue up, one fault a commit.
    pub fn fail(&self, fault: Fault) {
        self.lock().faults.push_back(fault);
    }

    /// Refuses, with `Full`, commits after which keys and values would take more bytes than this.
    pub fn set_quota(&self, bytes: Option<usize>) {
        self.lock().quota = bytes;
    }

    /// Does what a restart of the process does to an embedded store: session keys vanish, the rest stays.
    pub fn restart(&self) {
        let mut state = self.lock();
        state.rows.retain(|_, cell| cell.session.is_none());
        state.faults.clear();
    }

    /// Ends one session, as its time to live running out does.
    pub fn expire(&self, session: SessionId) {
        let mut state = self.lock();
        state.rows.retain(|_, cell| cell.session != Some(session));
        state.expired.insert(session);
    }

    /// How many commits were made durable.
    pub fn commits(&self) -> u64 {
        self.lock().commits
    }

    /// Overwrites a value behind the store's back, as a bad disk or a hand edit does.
    pub fn tamper(&self, key: &[u8], value: Vec<u8>) {
        if let Some(cell) = self.lock().rows.get_mut(key) {
            cell.value = value;
        }
    }

    /// Removes a row behind the store's back.
    pub fn lose(&self, key: &[u8]) {
        self.lock().rows.remove(key);
    }

    /// The value at a key, past any fault.
    pub fn value(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.lock().rows.get(key).map(|cell| cell.value.clone())
    }

    /// Lets every read fail until it is called with `false`.
    pub fn fail_reads(&self, fail: bool) {
        self.lock().unreadable = fail;
    }

    /// Every key, in order.
    pub fn keys(&self) -> Vec<Key> {
        self.lock().rows.keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A test that panicked while holding the lock left plain data behind; it is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, when: &[Compare], then: Vec<Put>) -> Result<Result<Rev, Miss>, KvError> {
        let mut state = self.lock();
        let fault = state.faults.pop_front();
        match fault {
            Some(Fault::Full) => return Err(full()),
            Some(Fault::IoBefore) => return Err(io("the disk failed before the commit")),
            Some(Fault::IoAfterCommit) | None => {}
        }
        for compare in when {
            let (Compare::Absent(key) | Compare::At(key, _)) = compare;
            let found = state.rows.get(key).map(|cell| cell.rev);
            let holds = match compare {
                Compare::Absent(_) => found.is_none(),
                Compare::At(_, rev) => found == Some(rev.0),
            };
            if !holds {
                return Ok(Err(Miss { key: key.clone() }));
            }
        }
        let of_nobody = |put: &Put| matches!(put, Put::Set(_, _, Some(session)) if state.expired.contains(session));
        if then.iter().any(of_nobody) {
            return Err(KvError { what: "the session has ended".into(), kind: KvErrorKind::Session });
        }
        let rev = state.rev + 1;
        if let Some(quota) = state.quota {
            let mut rows = state.rows.clone();
            put_all(&mut rows, then.clone(), rev);
            if rows.iter().map(|(key, cell)| key.len() + cell.value.len()).sum::<usize>() > quota {
                return Err(full());
            }
        }
        put_all(&mut state.rows, then, rev);
        state.rev = rev;
        state.commits += 1;
        match fault {
            Some(Fault::IoAfterCommit) => Err(io("the answer was lost after the commit")),
            Some(Fault::Full | Fault::IoBefore) | None => Ok(Ok(Rev(rev))),
        }
    }
}

fn put_all(rows: &mut BTreeMap<Key, Cell>, then: Vec<Put>, rev: u64) {
    for put in then {
        match put {
            Put::Set(key, value, session) => {
                rows.insert(key, Cell { value, rev, session });
            }
            Put::Del(key) => {
                rows.remove(&key);
            }
        }
    }
}

fn full() -> KvError {
    KvError { what: "no space left in the store; free some and try again".into(), kind: KvErrorKind::Full }
}

fn io(what: &str) -> KvError {
    KvError { what: what.into(), kind: KvErrorKind::Io }
}

impl Kv for MemoryKv {
    fn commit<'a>(&'a self, when: Vec<Compare>, then: Vec<Put>) -> Fut<'a, Result<Result<Rev, Miss>, KvError>> {
        let answer = self.apply(&when, then);
        Box::pin(async move { answer })
    }

    fn range<'a>(&'a self, from: Key, to: Key, limit: usize) -> Fut<'a, Result<Vec<Row>, KvError>> {
        let state = self.lock();
        if state.unreadable {
            return Box::pin(async { Err(io("the disk cannot be read")) });
        }
        let rows = if from < to {
            let row = |(key, cell): (&Key, &Cell)| Row { key: key.clone(), value: cell.value.clone(), rev: Rev(cell.rev) };
            state.rows.range(from..to).take(limit).map(row).collect()
        } else {
            Vec::new()
        };
        Box::pin(async move { Ok(rows) })
    }

    fn session<'a>(&'a self, _ttl: Span) -> Fut<'a, Result<SessionId, KvError>> {
        let mut state = self.lock();
        state.sessions += 1;
        let session = SessionId(state.sessions);
        Box::pin(async move { Ok(session) })
    }

    fn stands(&self, session: SessionId) -> Stands {
        if self.lock().expired.contains(&session) { Stands::Gone } else { Stands::Always }
    }

    fn end<'a>(&'a self, session: SessionId) -> Fut<'a, Result<(), KvError>> {
        self.expire(session);
        Box::pin(async { Ok(()) })
    }

    fn limits(&self) -> KvLimits {
        self.limits
    }
}
