//! The one storage port, shaped like etcd's transaction; every store is written once over it.

use super::Fut;
use crate::core::model::Span;
use std::time::Instant;

/// An ordered byte-string key space with atomic compare-and-commit.
pub trait Kv: Send + Sync {
    /// Applies `then` when every compare holds: all or nothing.
    ///
    /// On return the writes are durable (synced to disk, or agreed by a quorum). `Err(Miss)` names the first compare that did not hold.
    fn commit<'a>(&'a self, when: Vec<Compare>, then: Vec<Put>) -> Fut<'a, Result<Result<Rev, Miss>, KvError>>;

    /// The rows with `from <= key < to`, in key order, at most `limit`.
    fn range<'a>(&'a self, from: Key, to: Key, limit: usize) -> Fut<'a, Result<Vec<Row>, KvError>>;

    /// Opens a session whose keys vanish with it. Embedded stores: the process is the session, and opening the store clears the last one's keys.
    ///
    /// A store with several processes keeps it alive by itself; it ends when the store did not hear of us for `ttl`.
    fn session<'a>(&'a self, ttl: Span) -> Fut<'a, Result<SessionId, KvError>>;

    /// How long a session certainly stands, as far as is known now without asking.
    fn stands(&self, _session: SessionId) -> Stands {
        Stands::Always
    }

    /// Ends a session and its keys now, so that nobody has to wait for its time to run out.
    fn end<'a>(&'a self, _session: SessionId) -> Fut<'a, Result<(), KvError>> {
        Box::pin(async { Ok(()) })
    }

    /// Whether other processes write to the same key space.
    fn shared(&self) -> bool {
        false
    }

    fn limits(&self) -> KvLimits;
}

pub type Key = Vec<u8>;

/// A revision of the whole store; grows with every commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rev(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// How long a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// As long as the process.
    Always,
    /// Nobody else takes what it holds before this instant of our own clock.
    Until(Instant),
    /// It has ended, or may have.
    Gone,
}

/// One row: `rev` is the revision at which it was last written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub key: Key,
    pub value: Vec<u8>,
    pub rev: Rev,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compare {
    /// No such key.
    Absent(Key),
    /// The key was last written at this revision.
    At(Key, Rev),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// Sets a key; with a session it vanishes with that session.
    Set(Key, Vec<u8>, Option<SessionId>),
    Del(Key),
}

/// The compare that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    pub key: Key,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvLimits {
    /// Compares plus puts in one commit.
    pub ops: usize,
    /// Bytes of keys and values in one commit.
    pub bytes: usize,
}

/// Why the store did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct KvError {
    pub what: String,
    pub kind: KvErrorKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvErrorKind {
    /// No space left, or a quota is reached: nothing was written, intake stops.
    Full,
    /// Another process holds the store.
    Locked,
    /// The session of a key to be written has ended: nothing was written.
    Session,
    /// The data on disk makes no sense.
    Corrupt,
    /// Anything else of the world; the commit may or may not have happened.
    Io,
}
