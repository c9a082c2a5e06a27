//! What a driver of a center must bring.

use crate::{
    cluster::Fault,
    core::model::{Observed, Str},
    kinds::config,
    ports::{Exam, Fut, ObserveError},
};
use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Instant,
};

/// One center, as its driver speaks to it. Every call is one request, but for sign-ins and what the driver must do around it.
pub(in crate::drivers::config) trait Center: Send + Sync {
    fn target(&self) -> &str;

    fn kind(&self) -> &'static config::Config;

    fn learned(&self) -> &Learned;

    fn words(&self) -> Words;

    /// How many operations of a transaction a write is; `None`: a deletion.
    fn ops(&self, _to: Option<&[u8]>) -> usize {
        1
    }

    /// What a write, or a read where there is no value, takes of a request.
    fn weight(&self, key: &str, to: Option<&[u8]>) -> usize;

    /// Reads keys with the strongest read there is; one answer a key, in the order asked.
    fn get<'a>(&'a self, keys: &'a [&'a str], deadline: Instant) -> Fut<'a, Result<Vec<Live>, Fault>>;

    /// Writes all or nothing, each key only over the revision named.
    fn put<'a>(&'a self, puts: &'a [Put<'a>], deadline: Instant) -> Fut<'a, Result<Sent, Fault>>;

    /// Every key that starts so.
    fn list<'a>(&'a self, prefix: &'a str, deadline: Instant) -> Fut<'a, Result<Vec<Observed>, ObserveError>>;

    /// What can be learned of it, and of the patterns granted, without a write.
    fn exams<'a>(&'a self, granted: &'a [Str], deadline: Instant) -> Fut<'a, Vec<Exam>>;
}

/// A live key as the server holds it; revision 0: there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::drivers::config) struct Live {
    pub revision: u64,
    /// What a client of its own keeps beside the value, where a center has such; written back as it was.
    pub flags: u64,
    pub bytes: Option<Vec<u8>>,
}

/// One guarded write.
pub(in crate::drivers::config) struct Put<'a> {
    pub key: &'a str,
    pub to: Option<&'a [u8]>,
    /// What is written over; 0: nothing is there.
    pub revision: u64,
    pub flags: u64,
}

/// What became of a transaction that was taken.
pub(in crate::drivers::config) enum Sent {
    Done,
    /// A revision was stale and nothing was written; what is live, one a key.
    Instead(Vec<Live>),
}

/// How faults are told of this center.
pub(in crate::drivers::config) struct Words {
    /// `etcd`.
    pub name: &'static str,
    /// What counts its writes: `revision`.
    pub revision: &'static str,
    /// Who asks: ``the user `deploy` ``.
    pub who: String,
    /// What gives rights: `grant its role the right to`.
    pub grant: &'static str,
    /// What makes the server take more bytes.
    pub larger: &'static str,
}

/// What a server takes at once, as configured and learned since.
#[derive(Debug)]
pub(in crate::drivers::config) struct Learned {
    ops: AtomicUsize,
    bytes: AtomicUsize,
    transactions: AtomicU64,
}

/// What every server takes unless its operators said otherwise; tried before anything smaller.
const USUAL_OPS: usize = 128;

impl Learned {
    pub fn new(ops: usize, bytes: usize) -> Self {
        Self { ops: AtomicUsize::new(ops.max(1)), bytes: AtomicUsize::new(bytes.max(1)), transactions: AtomicU64::new(0) }
    }

    /// Operations in one transaction.
    pub fn ops(&self) -> usize {
        self.ops.load(Ordering::Relaxed)
    }

    /// Weight of one request.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How many writing transactions were sent.
    pub fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    pub fn sent(&self) {
        self.transactions.fetch_add(1, Ordering::Relaxed);
    }

    /// Learns that a transaction of so many operations was refused for their number.
    pub fn too_many(&self, refused: usize, told: Option<usize>) {
        let guess = if refused > USUAL_OPS { USUAL_OPS } else { refused / 2 };
        self.ops.fetch_min(told.unwrap_or(guess).clamp(1, refused.max(2) - 1), Ordering::Relaxed);
    }

    /// Learns how many bytes the server takes; whether that is fewer than was known.
    pub fn too_large(&self, told: Option<usize>) -> bool {
        told.is_some_and(|told| self.bytes.fetch_min(told.max(1), Ordering::Relaxed) > told)
    }
}
