//! Marks: one key of our own that each commit compares and writes, so that a lost answer can be asked for afterwards.
//!
//! A commit borrows a mark that no other commit uses. It compares the mark's revision as it was and writes a number that was never there. When the
//! answer is lost, a second transaction either finds that number (it happened, at the mark's revision), or moves the mark on, after which the first can
//! never happen, however long it was under way: no revision comes twice. Revision 0 does, when a mark goes with its session; so one whose first commit
//! was lost is moved on under no session, and left behind for good.

use crate::etcd::{Fault, encoded, kvs};
use serde_json::{Value as Json, json};
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Commits under way at once. More than this queue here instead of in etcd, which takes one at a time anyway.
const MARKS: usize = 64;

pub(super) struct Marks {
    root: Vec<u8>,
    free: Mutex<Vec<Mark>>,
    slots: Semaphore,
    next: AtomicU64,
}

/// One mark while a commit has it.
#[derive(Debug)]
pub(super) struct Mark {
    key: Vec<u8>,
    stand: Stand,
}

/// Where a mark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// It was last written at this revision; 0: it is not there.
    At(u64),
    /// A commit that found it at this revision is under way, or was given up: what came of that is asked for first.
    Left(u64),
}

/// A mark that goes back to the others when it is dropped.
pub(super) struct Borrowed<'a> {
    marks: &'a Marks,
    mark: Option<Mark>,
    _slot: SemaphorePermit<'a>,
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It happened, at this revision.
    Happened(u64),
    /// It did not, and never will.
    Never,
}

impl Marks {
    /// Marks that no other process has.
    pub fn new(mut root: Vec<u8>) -> Result<Self, String> {
        let mut own = [0u8; 12];
        getrandom::fill(&mut own).map_err(|error| format!("the machine gives no randomness: {error}"))?;
        root.extend(own.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()));
        let free = (0..MARKS).map(|n| Mark { key: [root.as_slice(), format!("/{n:02}").as_bytes()].concat(), stand: Stand::At(0) }).collect();
        Ok(Self { root, free: Mutex::new(free), slots: Semaphore::new(MARKS), next: AtomicU64::new(1) })
    }

    pub async fn borrow(&self) -> Borrowed<'_> {
        loop {
            // The semaphore is never closed; were it, nobody would be let in.
            let Ok(slot) = self.slots.acquire().await else { continue };
            if let Some(mark) = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop() {
                return Borrowed { marks: self, mark: Some(mark), _slot: slot };
            }
        }
    }

    /// A value that no mark ever had; a key that none has, too.
    pub fn value(&self) -> Vec<u8> {
        [&self.root, &b"/n"[..], self.next.fetch_add(1, Ordering::Relaxed).to_string().as_bytes()].concat()
    }
}

impl Borrowed<'_> {
    /// Nobody takes it away but `drop`.
    fn mark(&mut self) -> &mut Mark {
        self.mark.get_or_insert_with(|| Mark { key: Vec::new(), stand: Stand::Left(0) })
    }

    pub fn key(&mut self) -> Vec<u8> {
        self.mark().key.clone()
    }

    pub fn stand(&mut self) -> Stand {
        self.mark().stand
    }

    /// Learns at which revision it stands.
    pub fn stands_at(&mut self, revision: u64) {
        self.mark().stand = Stand::At(revision);
    }

    /// A commit that finds it at this revision is sent. Whoever sent it may go away before its answer comes.
    pub fn left_at(&mut self, revision: u64) {
        self.mark().stand = Stand::Left(revision);
    }

    /// Takes another mark in the place of this one, which nobody uses again.
    pub fn renew(&mut self) {
        let key = self.marks.value();
        *self.mark() = Mark { key, stand: Stand::At(0) };
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if let Some(mark) = self.mark.take() {
            // The list is whole after every statement.
            self.marks.free.lock().unwrap_or_else(PoisonError::into_inner).push(mark);
        }
    }
}

/// Asks what became of the commit that wrote `value`, and moves the mark on when it did not happen.
pub(super) fn question(key: &[u8], value: &[u8], other: &[u8], lease: u64) -> Json {
    json!({
        "compare": [{ "key": encoded(key), "target": "VALUE", "result": "EQUAL", "value": encoded(value) }],
        "success": [{ "request_range": { "key": encoded(key) } }],
        "failure": [{ "request_put": { "key": encoded(key), "value": encoded(other), "lease": lease.to_string() } }],
    })
}

/// The fate in the answer to `question`, and where the mark stands now.
pub(super) fn fate(answer: &Json) -> Result<(Fate, u64), Fault> {
    if answer["succeeded"].as_bool().unwrap_or(false) {
        let found = kvs(&answer["responses"][0]["response_range"])?;
        let (_, live) = found.into_iter().next().ok_or_else(|| Fault::Other("the answer holds no mark".into()))?;
        return Ok((Fate::Happened(live.revision), live.revision));
    }
    Ok((Fate::Never, super::commit::revision(answer)?))
}
