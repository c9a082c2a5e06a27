//! The driver itself: one cluster, how a read and a transaction look on its wire.

use super::{list, probe};
use crate::{
    core::model::{Observed, Str},
    drivers::config::center::{Center, Learned, Live, Put, Sent, Words},
    etcd::{self, Config, ConfigError, Fault, Limits, Wire, encoded, ranges},
    kinds::config::{self, Names, Shape},
    ports::{Exam, Fut, ObserveError},
};
use serde_json::{Value as Json, json};
use std::time::Instant;

/// What keys, comparisons and framing take of a request beside values.
const ROOM: usize = 16 << 10;

/// What stands around a key and its value in a request.
const BESIDE: usize = 64;

/// Talks to one etcd cluster.
pub struct Etcd {
    pub(super) wire: Wire,
    kind: &'static config::Config,
    target: String,
    learned: Learned,
}

impl Etcd {
    /// Makes a driver; nothing is sent before the first call.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let Limits { txn_ops, request_bytes } = config.limits;
        let bytes = request_bytes.saturating_sub(ROOM).max(1);
        let shape = Shape { names: Names::Any, key_bytes: 4096.min(bytes), value_bytes: bytes, ops: txn_ops.max(1), bytes, atomic: true };
        let target = config.target.clone();
        Ok(Self { wire: Wire::new(config)?, kind: config::Config::of_target(shape), target, learned: Learned::new(txn_ops, bytes) })
    }

    /// How many writing transactions were sent since the driver was made.
    pub fn transactions(&self) -> u64 {
        self.learned.transactions()
    }

    pub(super) fn shape(&self) -> &Shape {
        self.kind.shape()
    }

    async fn range_of_each(&self, keys: &[&str], deadline: Instant) -> Result<Vec<Live>, Fault> {
        let gets: Vec<Json> = keys.iter().map(|key| json!({ "request_range": { "key": encoded(key.as_bytes()) } })).collect();
        let answer = self.wire.ask("/v3/kv/txn", &json!({ "success": gets }), deadline).await?;
        Ok(ranges(&answer, keys.len())?.into_iter().map(live).collect())
    }

    async fn transaction(&self, puts: &[Put<'_>], deadline: Instant) -> Result<Sent, Fault> {
        let key = |put: &Put<'_>| encoded(put.key.as_bytes());
        let compare: Vec<Json> = puts.iter().map(|put| json!({ "key": key(put), "target": "MOD", "result": "EQUAL", "mod_revision": put.revision.to_string() })).collect();
        let write = |put: &Put<'_>| match put.to {
            Some(bytes) => json!({ "request_put": { "key": key(put), "value": encoded(bytes) } }),
            None => json!({ "request_delete_range": { "key": key(put) } }),
        };
        let success: Vec<Json> = puts.iter().map(write).collect();
        let failure: Vec<Json> = puts.iter().map(|put| json!({ "request_range": { "key": key(put) } })).collect();
        let answer = self.wire.ask("/v3/kv/txn", &json!({ "compare": compare, "success": success, "failure": failure }), deadline).await?;
        if answer["succeeded"].as_bool().unwrap_or(false) {
            return Ok(Sent::Done);
        }
        Ok(Sent::Instead(ranges(&answer, puts.len())?.into_iter().map(live).collect()))
    }
}

pub(super) fn live(of: etcd::Live) -> Live {
    Live { revision: of.revision, flags: 0, bytes: of.bytes }
}

impl Center for Etcd {
    fn target(&self) -> &str {
        &self.target
    }

    fn kind(&self) -> &'static config::Config {
        self.kind
    }

    fn learned(&self) -> &Learned {
        &self.learned
    }

    fn words(&self) -> Words {
        let who = format!("the user `{}`", self.wire.user());
        Words { name: "etcd", revision: "revision", who, grant: "grant its role the right to", larger: "raise --max-request-bytes, and `max_request_bytes` with it" }
    }

    fn weight(&self, key: &str, to: Option<&[u8]>) -> usize {
        // The key stands in the comparison, the write and the read of what is there instead.
        BESIDE + 3 * key.len() + to.map_or(0, <[u8]>::len)
    }

    fn get<'a>(&'a self, keys: &'a [&'a str], deadline: Instant) -> Fut<'a, Result<Vec<Live>, Fault>> {
        Box::pin(self.range_of_each(keys, deadline))
    }

    fn put<'a>(&'a self, puts: &'a [Put<'a>], deadline: Instant) -> Fut<'a, Result<Sent, Fault>> {
        Box::pin(self.transaction(puts, deadline))
    }

    fn list<'a>(&'a self, prefix: &'a str, deadline: Instant) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        Box::pin(list::list(self, prefix, deadline))
    }

    fn exams<'a>(&'a self, granted: &'a [Str], deadline: Instant) -> Fut<'a, Vec<Exam>> {
        Box::pin(probe::probe(self, deadline, granted))
    }
}
