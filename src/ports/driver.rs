//! The wire to one live system: observe and act.

use super::{Fut, Probe, Secrets, SessionId};
use crate::core::{
    model::{Fact, Kind, Observed, ResourceId, Token, Unit, Want},
    plan::Act,
    run::Outcome,
};
use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Instant, SystemTime},
};

/// Talks to one target. Partial success is the normal shape, so `act` returns an outcome an item and no error.
pub trait Driver: Send + Sync {
    fn kind(&self) -> &'static dyn Kind;

    /// How the driver keeps a precondition between reading and writing.
    fn precondition(&self) -> Precondition;

    /// What approvers should know of how the target is spoken to, as a fragment: that nothing is signed.
    fn caution(&self) -> Option<&'static str> {
        None
    }

    /// Reads live state with the strongest read the target has and writes nothing.
    ///
    /// On return there is one `Observed` a want, in the order asked, with only the facts named. A want the target
    /// cannot hold comes back as `Reading::Seen { merged: Err(refusal), .. }`; the target being away is an error.
    fn observe<'a>(&'a self, cx: &'a Cx<'a>, wants: &'a [Want], facts: &'a [Fact]) -> Fut<'a, Result<Vec<Observed>, ObserveError>>;

    /// Does the items not in `skip`, each only while live content equals its `from`.
    ///
    /// `tokens` (one an item, perhaps empty) are tried first; stale ones lead to a re-read, never to a blind write.
    /// On return every item has its own answer, and what is `Done` is durable on the target.
    fn act<'a>(&'a self, cx: &'a Cx<'a>, act: &'a Act, skip: &'a BTreeSet<u32>, tokens: &'a [Token]) -> Fut<'a, Outcome>;

    /// The optional ability to list everything in a unit.
    fn census(&self) -> Option<&dyn Census> {
        None
    }

    /// The optional ability to be examined without a write.
    fn prober(&self) -> Option<&dyn Probe> {
        None
    }
}

/// Lists what is live in a unit, wanted or not: for `import` and for naming unmanaged neighbours.
pub trait Census: Driver {
    /// On return holds every resource of the unit, in a stable order.
    fn list<'a>(&'a self, cx: &'a Cx<'a>, unit: &'a Unit) -> Fut<'a, Result<Vec<Observed>, ObserveError>>;

    /// The same of what has a name that starts so, for a unit without bounds of which not all may be read.
    fn list_below<'a>(&'a self, cx: &'a Cx<'a>, unit: &'a Unit, prefix: &'a str) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        Box::pin(async move {
            let mut all = self.list(cx, unit).await?;
            all.retain(|seen| seen.id.name.starts_with(prefix));
            Ok(all)
        })
    }
}

/// What is compared between reading and writing, shown in plans and tested by the ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// The target compares the whole content or a revision of it atomically.
    Token,
    /// The target compares part of the content; the text says what it does not see (`TTL`).
    Partial(Guarded),
    /// The driver reads, compares and writes; another writer in between is not seen.
    ReadThenWrite,
}

/// What a partial precondition does not compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarded {
    /// The field of a resource, as paths name it.
    pub field: &'static str,
    /// The same for people.
    pub not_compared: &'static str,
}

/// What a call may use and must respect.
pub struct Cx<'a> {
    /// Proof of ownership; absent when nothing is written.
    pub fence: Option<&'a Fence>,
    pub deadline: Instant,
    pub cancel: Cancel,
    /// The items of this act are written all or none: one that cannot be written keeps the others from being.
    pub together: bool,
    /// The items of this act whose values nobody but those who need them may read.
    pub sensitive: &'a [u32],
    pub secrets: &'a dyn Secrets,
}

/// The right to write for a change, as the store's lease gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    pub key: Vec<u8>,
    pub rev: u64,
    /// The session the lease belongs to: once it may have ended, nothing more is sent.
    pub session: SessionId,
}

/// A flag that asks a call to stop at its next safe point.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What a thread of its own asks before each write: dropping the call's future ends no thread, and one that was stopped goes on when it wakes.
#[derive(Clone, Debug)]
pub struct Leave {
    deadline: Instant,
    /// The same by the other clock: the first does not count while a machine sleeps, the second may be set back.
    by_the_wall: SystemTime,
    cancel: Cancel,
}

impl Leave {
    /// False once the call was given up, or its time, and with it the lease it was made under, is over.
    pub fn stands(&self) -> bool {
        !self.cancel.is_cancelled() && Instant::now() < self.deadline && SystemTime::now() < self.by_the_wall
    }
}

impl Cx<'_> {
    /// What this call leaves to a thread of its own.
    pub fn leave(&self) -> Leave {
        let left = self.deadline.saturating_duration_since(Instant::now());
        Leave { deadline: self.deadline, by_the_wall: SystemTime::now() + left, cancel: self.cancel.clone() }
    }
}

/// Why a target could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {target}: {what}")]
pub struct ObserveError {
    pub target: String,
    /// A lowercase fragment that says what to do next.
    pub what: String,
    pub kind: ObserveErrorKind,
    /// The resources it speaks of, where it is not the whole target.
    pub about: Vec<ResourceId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObserveErrorKind {
    /// Nothing answered in time; may work later.
    Unreachable,
    /// The credentials are wrong or too weak.
    Denied,
    /// The unit does not exist there: a zone the server does not have.
    Missing,
    /// The answer made no sense.
    Broken,
}

impl fmt::Display for Precondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token => f.write_str("token"),
            Self::Partial(guarded) => write!(f, "partial (not compared: {})", guarded.not_compared),
            Self::ReadThenWrite => f.write_str("read-then-write"),
        }
    }
}
