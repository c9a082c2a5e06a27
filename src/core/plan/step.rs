//! Plans as data: steps, the writes they carry, the edges between them.

use super::{Earlier, Healthy};
use crate::core::{
    diff::Delta,
    model::{ApprovalRule, BlobId, Digest, Fact, FactValue, FileId, Fingerprint, Place, Probe, ResourceId, Span, StepId, Str, Time, Unit, User, Value, Why},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One hop of a delta; a resource's hops form a chain from observed to merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    pub id: ResourceId,
    /// The precondition: the write happens only while live content equals this.
    pub from: Option<Value>,
    pub to: Option<Value>,
    pub undo: Undo,
}

/// The way back from one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// Write this content again.
    To(Option<Value>),
    /// Write the sealed pre-image again.
    Sealed(BlobId),
    Backup(StepId),
    Act(Box<Act>),
    /// Cannot be undone; says what is lost.
    Never {
        loses: Str,
    },
}

/// What a step does, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Writes in order, in one unit, within its limits.
    Write(Vec<Write>),
    /// A kind's verb: drain, ready, start, stop, backup.
    Verb {
        verb: Str,
        on: Vec<ResourceId>,
        args: Value,
        closes: Option<StepId>,
        undo: Undo,
    },
    /// A program: playbook, tofu, command. Without a guard it runs at most once.
    Run {
        program: Program,
        covers: Fingerprint,
        guard: Guard,
        undo: Undo,
    },
    Wait(Until),
    Check(Until),
    /// People must say go here.
    Approve {
        by: ApprovalRule,
    },
    Pause,
    /// Written by earlier runs of this change, or by changes before it, and over: others wait for who remembers what was there, or for its health.
    Earlier(Vec<Earlier>),
}

/// A program a driver runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    pub name: Str,
    pub args: Vec<Str>,
}

/// What makes a program safe to run twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    Unless(Str),
    Creates(Str),
    OnlyIf(Str),
    AtMostOnce,
}

/// A fact waited for or checked, in samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Until {
    /// Of a probe: the name it has in policy.
    pub fact: Fact,
    pub of: Vec<ResourceId>,
    pub test: Test,
    pub samples: u32,
    pub every: Span,
    pub deadline: Span,
    pub on_deadline: OnDeadline,
    /// What is asked instead of the targets: it must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Box<Probe>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    Is(FactValue),
    AtLeast(i64),
    AtMost(i64),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDeadline {
    #[default]
    Stop,
    GoOn,
}

/// How a step is known to have worked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Observe again with the strongest read; every written resource equals its `to`.
    Settled,
    Fact(Until),
    /// A second rehearsal reports no change.
    NoChange,
    Cannot(Why),
}

/// One idempotent act on one unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub id: StepId,
    pub target: Str,
    pub unit: Unit,
    pub act: Act,
    pub guard: Option<Until>,
    pub proof: Proof,
    pub claims: Vec<Claim>,
    pub deadline: Span,
    /// The template that made it: `direct`, `rolling`.
    pub template: Str,
    /// The `atomic:` group whose writes these are: the target takes all of them or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<Str>,
}

impl Step {
    /// The fact that is waited for: the step's own, or its guard's.
    pub fn waits_on(&self) -> Option<&Until> {
        match &self.act {
            Act::Wait(until) | Act::Check(until) => Some(until),
            Act::Write(_) | Act::Verb { .. } | Act::Run { .. } => self.guard.as_ref(),
            Act::Approve { .. } | Act::Pause | Act::Earlier(_) => None,
        }
    }

    /// The writes it carries; empty for other acts.
    pub fn writes(&self) -> &[Write] {
        match &self.act {
            Act::Write(writes) => writes,
            Act::Verb { .. } | Act::Run { .. } | Act::Wait(_) | Act::Check(_) | Act::Approve { .. } | Act::Pause | Act::Earlier(_) => &[],
        }
    }

    /// How many items it has: one a write, sent now or earlier, one for any other act.
    pub fn items(&self) -> u32 {
        match &self.act {
            Act::Write(writes) => writes.len() as u32,
            Act::Earlier(of) => of.len() as u32,
            Act::Verb { .. } | Act::Run { .. } | Act::Wait(_) | Act::Check(_) | Act::Approve { .. } | Act::Pause => 1,
        }
    }
}

/// What a step needs to itself while its change is open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    Write(ResourceId),
    Read(ResourceId),
    /// Capacity of a pool, or deletes of a zone, that two changes must not both take.
    Share {
        of: ResourceId,
        n: u32,
        /// How much there is of it, as the plan saw it; none: as the board was told last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<u32>,
    },
}

/// Names one item of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ItemRef {
    pub step: StepId,
    pub item: u32,
}

/// Why one step waits for another: `before` first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    pub before: StepId,
    pub after: StepId,
    /// The pairs of items (in `before`, in `after`) that make it.
    pub items: Vec<(u32, u32)>,
    pub needs: Needs,
    pub reason: EdgeReason,
    /// Where in the data it comes from.
    pub place: Place,
}

/// How far `before` must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    Applied,
    Proven,
    Healthy,
    Elapsed(Span),
}

impl Needs {
    /// Whether waiting so far is waiting as far as `other` at least.
    pub fn holds(self, other: Self) -> bool {
        match (self, other) {
            (_, Self::Applied) | (Self::Proven | Self::Healthy | Self::Elapsed(_), Self::Proven) | (Self::Healthy, Self::Healthy) => true,
            (Self::Elapsed(span), Self::Elapsed(least)) => span >= least,
            (Self::Applied, Self::Proven | Self::Healthy | Self::Elapsed(_))
            | (Self::Proven, Self::Healthy | Self::Elapsed(_))
            | (Self::Healthy, Self::Elapsed(_))
            | (Self::Elapsed(_), Self::Healthy) => false,
        }
    }
}

/// The reason of an edge, printed in full.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeReason {
    /// A consumer's value points at what a provider makes: provider first.
    Refers { consumer: ResourceId, provider: ResourceId, rule: Str },
    /// A consumer lets go before its provider is removed.
    LetsGo { consumer: ResourceId, provider: ResourceId, rule: Str },
    /// `after:` says so.
    Said { first: ResourceId, then: ResourceId },
    /// A value is written as a reference to another: `what` is that reference. Turned round where the reference goes.
    Takes { first: ResourceId, then: ResourceId, what: Str },
    /// Two hops of one resource.
    Chain { id: ResourceId },
    /// The target takes only so much at once.
    Batch { unit: Unit },
    /// A template's waves: one wave is whole before the next begins.
    Wave { template: Str, wave: u32 },
}

/// A policy rule that fired for this plan, by content, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedRule {
    pub rule: ApprovalRule,
    /// What matched, in words: `plan.deletes > 0 (3 deletes)`.
    pub because: Str,
}

/// Something a reader of the plan must know that is no step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// A changed path that asks for nothing of any target; approving the plan approves it. `becomes`: its content's id, none when it goes.
    Unmapped {
        path: Str,
        #[serde(default)]
        becomes: Option<FileId>,
    },
    /// Left out by name: count by reason.
    Skipped { reason: Str, count: u64 },
    /// An ignored resource that differs.
    Ignored { id: ResourceId },
    /// A live neighbour that nobody asks for; listed, never deleted.
    Unmanaged { id: ResourceId },
    /// A resource that another open change has already written.
    AheadBy { id: ResourceId, change: Str },
    /// Drift that this plan writes over.
    Drift { id: ResourceId },
    /// A resource that somebody changed by hand and answers for. `ends`: this plan writes over exactly that, which ends the override.
    Override { id: ResourceId, by: User, reason: Str, until: Time, ends: bool },
    /// The target's precondition is weaker than a token: what is not compared.
    WeakPrecondition { target: Str, what: Str },
    /// How a target is spoken to that approvers should know: unsigned, unencrypted.
    Caution { target: Str, what: Str },
    /// Nothing was observed: this plan compares base with merged only.
    NotObserved,
    /// A file that decides how later merge requests are judged changes; approving the plan approves it. `becomes`: its content's id, none when it goes.
    Governs { path: Str, becomes: Option<FileId> },
    /// It waits long for caches; `lower` and `make` done beforehand would shorten that.
    Waits {
        all: Span,
        /// Whose TTL to lower in a merge request of its own, with the TTL it has in seconds.
        lower: Vec<(ResourceId, u64)>,
        /// What to make in a merge request of its own.
        make: Vec<ResourceId>,
        /// How long before this one that must be merged.
        ahead: Span,
        /// How long this one waits then.
        then: Span,
    },
    /// A branch takes over from another with the merge; approving the plan approves it.
    TakesOver { from: Str, into: Str, text: Str },
    /// Anything else worth a sentence.
    Remark { text: Str },
}

/// The immutable DAG of steps. Nothing is left to decide when it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub deltas: Vec<Delta>,
    pub steps: BTreeMap<StepId, Step>,
    pub edges: Vec<Edge>,
    /// Orders that one step keeps by itself, because its unit applies items in the order given: `before` equals `after`.
    #[serde(default)]
    pub inside: Vec<Edge>,
    /// The approvals it needs.
    pub rules: Vec<MatchedRule>,
    /// The plan it amends.
    pub parent: Option<Digest>,
    pub notes: Vec<Note>,
    /// A way back: what it leaves as it is, and why; the change wrote it all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<super::LeftOver>,
    /// What else must hold before the resources it names are healthy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health: Vec<Healthy>,
}
