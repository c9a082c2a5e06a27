//! The store: journal, cards, inbox, blobs, leases and typed rows, written once over the `Kv` port.

use super::journal::Head;
use crate::{
    core::{model::Span, run::StreamId},
    ports::{Key, Kv, KvError, KvErrorKind, Row, SessionId},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::OnceCell;

/// How many rows one read of a range fetches: enough to amortise a round trip, few enough to hold in memory.
pub(super) const FETCH: usize = 512;

/// Everything trueup keeps. Clones share one store.
#[derive(Clone)]
pub struct Store(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub kv: Arc<dyn Kv>,
    pub session: SessionId,
    /// Who we are in leases.
    pub holder: String,
    /// The ends of streams as this process last saw them; only a hint, every append compares.
    pub heads: Mutex<BTreeMap<StreamId, Head>>,
    /// The next number of the inbox.
    pub next_delivery: OnceCell<std::sync::atomic::AtomicU64>,
}

impl Store {
    /// Opens the store over a key space, under a session of its own. `holder` names this process in leases, for people.
    pub async fn open(kv: Arc<dyn Kv>, holder: &str) -> Result<Self, KvError> {
        let session = kv.session(SESSION_TTL).await?;
        Ok(Self(Arc::new(Inner { kv, session, holder: holder.to_owned(), heads: Mutex::default(), next_delivery: OnceCell::new() })))
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

    /// The row at a key.
    pub(super) async fn at(&self, key: &Key) -> Result<Option<Row>, KvError> {
        Ok(self.0.kv.range(key.clone(), next(key), 1).await?.pop())
    }
}

/// A lease outlives a pause of this length (a long garbage collection, a suspended machine) and frees its changes soon enough after a crash.
const SESSION_TTL: Span = Span::secs(15);

/// The smallest key after `key`.
fn next(key: &Key) -> Key {
    let mut next = key.clone();
    next.push(0);
    next
}

/// The error for bytes that are not what was written there.
pub(super) fn corrupt(key: &Key, what: &str) -> KvError {
    KvError { what: format!("the store's row `{}` {what}; restore the store from a backup", String::from_utf8_lossy(key)), kind: KvErrorKind::Corrupt }
}
