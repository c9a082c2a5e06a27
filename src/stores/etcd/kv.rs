//! The adapter itself: a key space below one prefix of a cluster.

use super::{commit, marks::Marks, session::Sessions};
use crate::{
    core::model::Span,
    etcd::{Config, ConfigError, Fault, NO_SPACE, Wire, encoded, kvs},
    ports::{Compare, Fut, Key, Kv, KvError, KvErrorKind, KvLimits, Miss, Put, Rev, Row, SessionId, Stands},
};
use serde_json::{Value as Json, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a call goes on asking: a leader is elected within a second or two, a member comes back within a few.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// So often certificates are tried: one that is just being replaced is the only one that is good a moment later.
const CERTIFICATES: usize = 3;

/// Between two questions of one call.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// Rows of one answer; fewer where rows are large.
const PAGE: usize = 1000;

/// What framing, comparisons and marks take of a request beside keys and values.
const ROOM: usize = 64 << 10;

/// Where a store lies.
#[derive(Clone, Debug)]
pub struct Place {
    pub cluster: Config,
    /// What every key of this installation starts with.
    pub prefix: String,
}

/// A key space in an etcd cluster, shared with every other process that opens the same prefix. Clones share it.
#[derive(Clone)]
pub struct EtcdKv(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub wire: Arc<Wire>,
    /// What rows start with.
    pub rows: Vec<u8>,
    pub marks: Marks,
    pub sessions: Sessions,
    /// Operations in one transaction, as configured and learned since.
    pub ops: AtomicUsize,
    bytes: usize,
    page: AtomicUsize,
}

impl EtcdKv {
    /// Makes the adapter; nothing is sent before the first call.
    pub fn new(place: Place) -> Result<Self, ConfigError> {
        let Place { cluster, prefix } = place;
        let limits = cluster.limits;
        let root = |part: &str| format!("{}/{part}/", prefix.trim_end_matches('/')).into_bytes();
        let marks = Marks::new(root("mark")).map_err(|what| ConfigError { target: cluster.target.clone(), what })?;
        Ok(Self(Arc::new(Inner {
            wire: Arc::new(Wire::new(cluster)?),
            rows: root("row"),
            marks,
            sessions: Sessions::default(),
            ops: AtomicUsize::new(limits.txn_ops.max(8)),
            bytes: limits.request_bytes.saturating_sub(ROOM).max(ROOM),
            page: AtomicUsize::new(PAGE),
        })))
    }
}

impl Inner {
    /// The key as etcd knows it.
    pub fn key(&self, key: &[u8]) -> Vec<u8> {
        [&self.rows, key].concat()
    }

    /// Asks until there is an answer or the patience is over; only for what may be asked twice.
    pub async fn patiently(&self, path: &str, body: &Json) -> Result<Json, Fault> {
        let end = Instant::now() + PATIENCE;
        let mut distrusted = 0;
        loop {
            let answer = self.wire.ask(path, body, end).await;
            distrusted += usize::from(answer.as_ref().is_err_and(Fault::is_about_certificates));
            match answer {
                Err(fault) if distrusted == CERTIFICATES => return Err(fault),
                Err(Fault::Lost(_) | Fault::Unreachable(_)) if Instant::now() + PAUSE < end => tokio::time::sleep(PAUSE).await,
                answer => return answer,
            }
        }
    }

    async fn range(&self, from: Key, to: Key, limit: usize) -> Result<Vec<Row>, KvError> {
        let (mut from, to) = (self.key(&from), self.key(&to));
        let (mut revision, mut rows) = (0, Vec::new());
        while rows.len() < limit {
            let page = self.page.load(Ordering::Relaxed).min(limit - rows.len());
            let body = json!({ "key": encoded(&from), "range_end": encoded(&to), "limit": page, "revision": revision });
            let answer = match self.patiently("/v3/kv/range", &body).await {
                // Rows of half a mebibyte: fewer of them at a time.
                Err(Fault::TooLarge(_)) if page > 1 => {
                    self.page.fetch_min((page / 2).max(1), Ordering::Relaxed);
                    continue;
                }
                // What was read so far is of a revision that is gone: all of it again.
                Err(Fault::Other(why)) if revision != 0 && why.contains("compacted") => {
                    (from, revision, rows) = (rows.first().map_or(from, |row: &Row| self.key(&row.key)), 0, Vec::new());
                    continue;
                }
                answer => answer.map_err(error)?,
            };
            let found = kvs(&answer).map_err(error)?;
            revision = answer["header"]["revision"].as_str().and_then(|text| text.parse::<i64>().ok()).filter(|_| revision == 0).unwrap_or(revision);
            let Some((last, _)) = found.last() else { break };
            from = [last.as_slice(), &[0]].concat();
            let strip = |key: Vec<u8>| key.get(self.rows.len()..).map(<[u8]>::to_vec).unwrap_or_default();
            rows.extend(found.into_iter().map(|(key, live)| Row { key: strip(key), value: live.bytes.unwrap_or_default(), rev: Rev(live.revision) }));
            if !answer["more"].as_bool().unwrap_or(false) {
                break;
            }
        }
        Ok(rows)
    }
}

/// What went wrong, for people who look after the store.
pub(super) fn error(fault: Fault) -> KvError {
    let (what, kind) = match fault {
        Fault::Full(_) => (NO_SPACE.to_owned(), KvErrorKind::Full),
        Fault::Unreachable(why) | Fault::Lost(why) => (format!("the store's etcd does not answer: {why}"), KvErrorKind::Io),
        Fault::Stranger(why) => (format!("the store's etcd does not let us in: {why}"), KvErrorKind::Io),
        Fault::Denied(_) => ("the store's etcd does not let us: permission denied; its user needs to read and write everything below `store.prefix`".into(), KvErrorKind::Io),
        Fault::TooMany(_) => ("the store's etcd takes fewer operations in a transaction than this needs; start its members with --max-txn-ops=128 or more".into(), KvErrorKind::Io),
        Fault::TooLarge(_) => ("the store's etcd takes no request of this size; start its members with --max-request-bytes=1572864 or more".into(), KvErrorKind::Io),
        Fault::Other(why) if why.contains(NO_LEASE) => ("the session with the store's etcd has ended".into(), KvErrorKind::Session),
        Fault::Other(why) => (format!("the store's etcd refuses: {why}"), KvErrorKind::Io),
    };
    KvError { what, kind }
}

/// What etcd says of a lease that has ended.
const NO_LEASE: &str = "requested lease not found";

impl Kv for EtcdKv {
    fn commit<'a>(&'a self, when: Vec<Compare>, then: Vec<Put>) -> Fut<'a, Result<Result<Rev, Miss>, KvError>> {
        Box::pin(commit::commit(&self.0, when, then))
    }

    fn range<'a>(&'a self, from: Key, to: Key, limit: usize) -> Fut<'a, Result<Vec<Row>, KvError>> {
        if from >= to {
            return Box::pin(async { Ok(Vec::new()) });
        }
        Box::pin(self.0.range(from, to, limit))
    }

    fn session<'a>(&'a self, ttl: Span) -> Fut<'a, Result<SessionId, KvError>> {
        Box::pin(async move { self.0.sessions.open(&self.0, ttl).await.map_err(error) })
    }

    fn stands(&self, session: SessionId) -> Stands {
        self.0.sessions.stands(session)
    }

    fn end<'a>(&'a self, session: SessionId) -> Fut<'a, Result<(), KvError>> {
        Box::pin(async move { self.0.sessions.end(&self.0, session).await.map_err(error) })
    }

    fn shared(&self) -> bool {
        true
    }

    fn limits(&self) -> KvLimits {
        // The mark is one comparison and one write more; etcd counts each side by itself.
        KvLimits { ops: self.0.ops.load(Ordering::Relaxed) - 2, bytes: self.0.bytes }
    }
}
