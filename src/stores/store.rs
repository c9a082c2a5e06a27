//! The store: journal, cards, inbox, blobs, leases and typed rows, written once over the `Kv` port.

use super::journal::Known;
use crate::{
    core::{model::Span, run::StreamId},
    ports::{Key, Kv, KvError, KvErrorKind, Row, SessionId},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
};
use tokio::sync::OnceCell;

/// How many rows one read of a range fetches: enough to amortise a round trip, few enough to hold in memory.
pub(super) const FETCH: usize = 512;

/// Everything trueup keeps. Clones share one store.
#[derive(Clone)]
pub struct Store(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub kv: Arc<dyn Kv>,
    /// Whom people read of in leases.
    pub holder: String,
    pub ttl: Span,
    pub seat: Mutex<Seat>,
    /// One session is opened at a time.
    pub opening: tokio::sync::Mutex<()>,
    /// Numbers what this process posts.
    pub posted: AtomicU64,
    /// The ends of streams as this process last saw them; only a hint, every append compares.
    pub heads: Mutex<BTreeMap<StreamId, Known>>,
    /// The next number of the inbox.
    pub next_delivery: OnceCell<AtomicU64>,
}

/// Who we are at present: another after a session was lost.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub session: SessionId,
    /// Our name among the replicas.
    pub member: String,
}

impl Store {
    /// Opens the store over a key space, under a session of its own. `holder` names this process in leases, for people.
    pub async fn open(kv: Arc<dyn Kv>, holder: &str) -> Result<Self, KvError> {
        Self::open_for(kv, holder, SESSION_TTL).await
    }

    /// The same, where others may take over what we hold once we were silent for `ttl`.
    pub async fn open_for(kv: Arc<dyn Kv>, holder: &str, ttl: Span) -> Result<Self, KvError> {
        let session = kv.session(ttl).await?;
        let store = Self(Arc::new(Inner {
            seat: Mutex::new(Seat { session, member: member(&*kv, holder, session) }),
            kv,
            holder: holder.to_owned(),
            ttl,
            opening: tokio::sync::Mutex::default(),
            posted: AtomicU64::new(1),
            heads: Mutex::default(),
            next_delivery: OnceCell::new(),
        }));
        store.enlist().await?;
        Ok(store)
    }

    /// Whether other processes use it too.
    pub fn shared(&self) -> bool {
        self.0.kv.shared()
    }

    pub(super) fn seat(&self) -> Seat {
        // A seat is replaced whole.
        self.0.seat.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Opens a session in the place of one that has ended; whatever that one held is somebody else's to take.
    pub(super) async fn sit_again(&self, ended: SessionId) -> Result<(), KvError> {
        let _one = self.0.opening.lock().await;
        if self.seat().session != ended {
            return Ok(());
        }
        // Where it has not ended yet for the others, they need not wait.
        let _ = self.0.kv.end(ended).await;
        let session = self.0.kv.session(self.0.ttl).await?;
        let seat = Seat { session, member: member(&*self.0.kv, &self.0.holder, session) };
        *self.0.seat.lock().unwrap_or_else(PoisonError::into_inner) = seat;
        self.enlist().await
    }

    /// Reads one row, whatever it is: the key space answers.
    pub async fn answers(&self) -> Result<(), KvError> {
        self.0.kv.range(Key::new(), super::keys::end(&b"~/".to_vec()), 1).await.map(drop)
    }

    /// All rows below a prefix, after a key when one is given, at most `limit`.
    pub(super) async fn below(&self, prefix: &Key, after: Option<&Key>, limit: usize) -> Result<Vec<Row>, KvError> {
        let to = super::keys::end(prefix);
        let mut from = after.map_or_else(|| prefix.clone(), next);
        let mut all = Vec::new();
        while all.len() < limit {
            let want = FETCH.min(limit - all.len());
            let rows = self.0.kv.range(from.clone(), to.clone(), want).await?;
            let got = rows.len();
            if let Some(last) = rows.last() {
                from = next(&last.key);
            }
            all.extend(rows);
            if got < want {
                break;
            }
        }
        Ok(all)
    }

    /// The rows of the whole key space from a key on, at most `limit`.
    pub(super) async fn below_all(&self, from: &Key, limit: usize) -> Result<Vec<Row>, KvError> {
        self.0.kv.range(from.clone(), super::keys::all_end(), limit).await
    }

    /// The row at a key.
    pub(super) async fn at(&self, key: &Key) -> Result<Option<Row>, KvError> {
        Ok(self.0.kv.range(key.clone(), next(key), 1).await?.pop())
    }
}

/// A name among the replicas that nobody had before.
fn member(kv: &dyn Kv, holder: &str, session: SessionId) -> String {
    if kv.shared() { format!("{holder}, session {:x}", session.0) } else { holder.to_owned() }
}

/// A lease outlives a pause of this length (a long garbage collection, a suspended machine) and frees its changes soon enough after a crash.
const SESSION_TTL: Span = Span::secs(15);

/// The smallest key after `key`.
pub(super) fn next(key: &Key) -> Key {
    let mut next = key.clone();
    next.push(0);
    next
}

/// The error for bytes that are not what was written there.
pub(super) fn corrupt(key: &Key, what: &str) -> KvError {
    KvError { what: format!("the store's row `{}` {what}; restore the store from a backup", String::from_utf8_lossy(key)), kind: KvErrorKind::Corrupt }
}
