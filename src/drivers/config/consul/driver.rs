//! The driver itself: one datacenter, how a read and a transaction look on its wire.

use super::{
    config::{Config, Limits},
    list, probe,
    wire::{KvOp, Op, Txn, TxnError, Wire, encoded},
};
use crate::{
    cluster::{ConfigError, Fault},
    core::model::{Observed, Str},
    drivers::config::center::{Center, Learned, Live, Put, Sent, Words, read},
    kinds::config::{self, Names, Shape},
    ports::{Exam, Fut, ObserveError},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

/// What the brackets of a list take of a request, and a margin.
const ROOM: usize = 64;

/// What stands around a key and its value in a request: verb, index, flags, names and punctuation, twice for a deletion.
const BESIDE: usize = 160;

/// Talks to one Consul datacenter.
pub struct Consul {
    pub(super) wire: Wire,
    kind: &'static config::Config,
    target: String,
    learned: Learned,
}

impl Consul {
    /// Makes a driver; nothing is sent before the first call.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let Limits { txn_ops, value_bytes } = config.limits;
        // A deletion is two operations, so that this many writes of any sort fit one transaction.
        let ops = (txn_ops / 2).max(1);
        // Plans count values as they are, requests hold them in base64.
        let bytes = (value_bytes.saturating_sub(ROOM + ops * BESIDE) / 4 * 3).max(1);
        let shape = Shape { names: Names::Any, key_bytes: 4096.min(value_bytes), value_bytes, ops, bytes, atomic: true };
        let target = config.target.clone();
        let learned = Learned::new(txn_ops, value_bytes.saturating_sub(ROOM));
        Ok(Self { wire: Wire::new(config)?, kind: config::Config::of_target(shape), target, learned })
    }

    /// How many writing transactions were sent since the driver was made.
    pub fn transactions(&self) -> u64 {
        self.learned.transactions()
    }

    pub(super) fn shape(&self) -> &Shape {
        self.kind.shape()
    }

    /// What the caller may not read is left out of an answer without a word, so what is missing is denied and never absent.
    async fn values(&self, keys: &[&str], deadline: Instant) -> Result<Vec<Live>, Fault> {
        let ops: Vec<Op<'_>> = keys.iter().map(|key| op("get-or-empty", key)).collect();
        let pairs = match self.wire.transaction(&ops, deadline).await? {
            Txn::Taken(pairs) => pairs,
            Txn::Rejected(errors) => return Err(rejected(&errors, |at| at)),
        };
        let found: BTreeMap<&str, _> = pairs.iter().map(|pair| (&*pair.key, pair)).collect();
        let missing: Vec<usize> = keys.iter().enumerate().filter(|(_, key)| !found.contains_key(*key)).map(|(at, _)| at).collect();
        if !missing.is_empty() {
            return Err(Fault::Denied(missing));
        }
        keys.iter().filter_map(|key| found.get(key)).map(|pair| pair.live()).collect()
    }

    async fn transaction(&self, puts: &[Put<'_>], deadline: Instant) -> Result<Sent, Fault> {
        if let [Put { key, to: Some(bytes), .. }] = puts
            && self.weight(key, Some(bytes)) > self.learned.bytes()
        {
            return self.alone(&puts[0], bytes, deadline).await;
        }
        let mut ops = Vec::with_capacity(puts.len());
        let mut of = Vec::with_capacity(puts.len());
        for (at, put) in puts.iter().enumerate() {
            match put.to {
                Some(bytes) => ops.push(Op { kv: KvOp { value: Some(encoded(bytes)), index: Some(put.revision), flags: Some(put.flags), ..op("cas", put.key).kv } }),
                // A deletion of what is gone already is called done; the check tells that somebody else did it.
                None => ops.extend(["check-index", "delete-cas"].map(|verb| Op { kv: KvOp { index: Some(put.revision), ..op(verb, put.key).kv } })),
            }
            of.resize(ops.len(), at);
        }
        match self.wire.transaction(&ops, deadline).await {
            Ok(Txn::Taken(_)) => Ok(Sent::Done),
            Ok(Txn::Rejected(errors)) if errors.iter().all(stale) => self.instead(puts, deadline).await,
            Ok(Txn::Rejected(errors)) => Err(rejected(&errors, |at| of.get(at).copied().unwrap_or(0))),
            // Alone, it may still be taken as it is.
            Err(Fault::TooLarge(_)) if puts.len() == 1 => match puts[0].to {
                Some(bytes) => self.alone(&puts[0], bytes, deadline).await,
                None => Err(Fault::TooLarge(None)),
            },
            Err(fault) => Err(fault),
        }
    }

    /// Writes a value that no transaction holds.
    async fn alone(&self, put: &Put<'_>, bytes: &[u8], deadline: Instant) -> Result<Sent, Fault> {
        match self.wire.set(put.key, bytes, put.revision, put.flags, deadline).await {
            Ok(true) => Ok(Sent::Done),
            Ok(false) => self.instead(std::slice::from_ref(put), deadline).await,
            Err(Fault::TooLarge(_)) => Err(Fault::TooLarge(None)),
            Err(fault) => Err(fault),
        }
    }

    /// What is live, after nothing was written.
    async fn instead(&self, puts: &[Put<'_>], deadline: Instant) -> Result<Sent, Fault> {
        let keys: Vec<&str> = puts.iter().map(|put| put.key).collect();
        match read(self, &keys, deadline).await {
            Ok(live) => Ok(Sent::Instead(live)),
            // The read was lost, not the write.
            Err((Fault::Lost(why), _)) => Err(Fault::Unreachable(why)),
            Err((Fault::Denied(_), _)) => {
                Err(Fault::Other(format!("what stands there is not what was read before, and {} may not read it; {}", self.words().who, self.words().grant)))
            }
            Err((fault, _)) => Err(fault),
        }
    }
}

fn op<'a>(verb: &'static str, key: &'a str) -> Op<'a> {
    Op { kv: KvOp { verb, key, value: None, index: None, flags: None } }
}

/// Whether an operation was refused because the key is not as it was.
fn stale(error: &TxnError) -> bool {
    error.what.contains("index is stale") || error.what.contains("doesn't exist") || error.what.contains("current modify index")
}

/// Why a transaction was refused for other reasons; `of` says which key an operation belongs to.
fn rejected(errors: &[TxnError], of: impl Fn(usize) -> usize) -> Fault {
    let denied: BTreeSet<usize> = errors.iter().filter(|error| error.what.contains("Permission denied")).map(|error| of(error.op_index)).collect();
    if !denied.is_empty() {
        return Fault::Denied(denied.into_iter().collect());
    }
    let what = errors.iter().find(|error| !stale(error)).map_or("it does not say why", |error| &error.what);
    let old = if what.contains("unknown KV operation") { "; run a newer Consul" } else { "" };
    Fault::Other(format!("the server refuses the transaction: {what}{old}"))
}

impl Center for Consul {
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
        let who = if self.wire.signed() { "the token" } else { "whoever shows no token" };
        let grant = if self.wire.signed() { "give its policy the right to" } else { "add `token` to the target" };
        Words { name: "Consul", revision: "index", who: who.to_owned(), grant, larger: "raise `limits.kv_max_value_size` on the servers, and `max_request_bytes` with it" }
    }

    fn ops(&self, to: Option<&[u8]>) -> usize {
        if to.is_some() { 1 } else { 2 }
    }

    fn weight(&self, key: &str, to: Option<&[u8]>) -> usize {
        // JSON writes a quote as two characters.
        let escaped = key.len() + key.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        BESIDE + 2 * escaped + to.map_or(0, |bytes| bytes.len().div_ceil(3) * 4)
    }

    fn get<'a>(&'a self, keys: &'a [&'a str], deadline: Instant) -> Fut<'a, Result<Vec<Live>, Fault>> {
        Box::pin(self.values(keys, deadline))
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
