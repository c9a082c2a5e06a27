//! The driver itself: one cluster, and what was learned of it.

use super::{act, observe};
use crate::{
    core::{
        model::{Fact, Kind, Observed, Token, Unit, Want},
        plan::Act,
        run::Outcome,
    },
    etcd::{Config, ConfigError, Limits, Wire},
    kinds::config::{self, Names, Shape},
    ports::{Census, Cx, Driver, Fut, ObserveError, Precondition},
};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// What keys, comparisons and framing take of a request beside values.
const ROOM: usize = 16 << 10;

/// What every server takes unless its operators said otherwise; tried before anything smaller.
const USUAL_OPS: usize = 128;

/// Talks to one etcd cluster.
pub struct Etcd {
    pub(super) wire: Wire,
    pub(super) kind: &'static config::Config,
    target: String,
    /// Operations in one transaction, as configured and learned since.
    ops: AtomicUsize,
    bytes: usize,
    transactions: AtomicU64,
}

impl Etcd {
    /// Makes a driver; nothing is sent before the first call.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let Limits { txn_ops, request_bytes } = config.limits;
        let bytes = request_bytes.saturating_sub(ROOM).max(1);
        let shape = Shape { names: Names::Any, key_bytes: 4096.min(bytes), value_bytes: bytes, ops: txn_ops.max(1), bytes, atomic: true };
        let target = config.target.clone();
        Ok(Self { wire: Wire::new(config)?, kind: config::Config::of_target(shape), target, ops: AtomicUsize::new(txn_ops.max(1)), bytes, transactions: AtomicU64::new(0) })
    }

    /// How many writing transactions were sent since the driver was made.
    pub fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    pub(super) fn target(&self) -> &str {
        &self.target
    }

    pub(super) fn ops(&self) -> usize {
        self.ops.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn count(&self) {
        self.transactions.fetch_add(1, Ordering::Relaxed);
    }

    /// Learns that a transaction of so many operations was refused for their number.
    pub(super) fn takes_less_than(&self, refused: usize) {
        let next = if refused > USUAL_OPS { USUAL_OPS } else { (refused / 2).max(1) };
        self.ops.fetch_min(next, Ordering::Relaxed);
    }
}

impl Driver for Etcd {
    fn kind(&self) -> &'static dyn Kind {
        self.kind
    }

    fn precondition(&self) -> Precondition {
        Precondition::Token
    }

    fn observe<'a>(&'a self, cx: &'a Cx<'a>, wants: &'a [Want], facts: &'a [Fact]) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        Box::pin(observe::observe(self, cx.deadline, wants, facts))
    }

    fn act<'a>(&'a self, cx: &'a Cx<'a>, act: &'a Act, skip: &'a BTreeSet<u32>, tokens: &'a [Token]) -> Fut<'a, Outcome> {
        Box::pin(act::act(self, cx, act, skip, tokens))
    }

    fn census(&self) -> Option<&dyn Census> {
        Some(self)
    }
}

impl Census for Etcd {
    fn list<'a>(&'a self, cx: &'a Cx<'a>, _unit: &'a Unit) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        Box::pin(observe::list(self, cx.deadline))
    }
}
