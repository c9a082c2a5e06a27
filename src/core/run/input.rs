//! Everything a change can hear.

use crate::core::{
    model::{CommitId, Digest, Fingerprint, MrId, Observed, Policy, Refusal, Saw, Span, StepId, Str, Time, TreeId},
    plan::Plan,
    review::{Command, CommentId, Right, Sighting},
    run::{Ask, Outcome},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};

/// One thing a change hears; several may be handled in one turn.
#[derive(Clone, Debug)]
pub enum Input {
    /// The forge was read.
    Sighted(Box<Sighting>),
    /// A command that came by page or CLI (those in comments come inside a sighting).
    /// `plan`: the one that stood when it was said; none when there was none.
    Command { by: crate::core::model::User, right: Right, command: Command, plan: Option<Digest> },
    /// The answer to `Effect::Replan`.
    Planned(Box<PlanAnswer>),
    /// The answer to `Effect::Observe`.
    Observed { ask: Ask, seen: Result<Vec<Observed>, String> },
    /// The answer to `Effect::Probe` number `n`.
    Probed { probe: Fingerprint, n: u64, saw: Saw },
    /// The answer to `Effect::Act`.
    Acted { step: StepId, attempt: u32, outcome: Outcome },
    /// The answer to `Effect::Claim` number `n`, and later news from the board about it.
    Claimed { n: u64, answer: ClaimAnswer },
    /// The answer to `Effect::Unclaim`.
    Unclaimed,
    /// The answer to `Effect::Reply`: this text stands on the forge, or its comment is gone.
    Replied { to: CommentId, text: String },
    /// The forge shows the plan of this digest, since then by its own clock.
    Shown { digest: Digest, at: Time },
    /// The answer to `Effect::Merge`.
    Merged(MergeAnswer),
    /// These changes do not hold any more what the plan on the desk counts on: merged, restored or freed.
    Unbacked(BTreeSet<MrId>),
    /// Another repository asks by now for what this change asks for, or does no more.
    OwnersMoved,
    /// The server halts or lifts the halt: no new act starts while halted.
    Halt(bool),
    /// This replica of the server works on it now.
    Carried { by: String },
    /// Time passed; `now` says how far.
    Tick,
}

/// What a plan was made from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlanKey {
    pub base: CommitId,
    pub head: CommitId,
    /// The tree that merging would give; empty when the merge conflicts.
    pub tree: TreeId,
}

/// The answer to one request for a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanAnswer {
    pub key: PlanKey,
    /// Whether it is the way back, as the request asked.
    pub restore: bool,
    pub result: PlanResult,
    /// The forecast of the way back, shown before approval.
    pub way_back: Option<Arc<Plan>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanResult {
    /// A plan, perhaps an empty one, with base's policy.
    Plan { plan: Arc<Plan>, policy: Arc<Policy> },
    /// Bad input: every fault found, with places.
    Refused(Vec<Refusal>),
    /// Paths that do not merge.
    Conflicted(Vec<Str>),
    /// The world did not answer; asked again later.
    Failed { why: String },
}

/// What the board says of a change's claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimAnswer {
    Granted,
    /// The changes ahead, first first, with what they hold.
    Queued {
        ahead: Vec<(crate::core::model::MrId, String)>,
    },
}

/// What the forge did with a merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeAnswer {
    /// Read back after the merge.
    Merged { commit: CommitId, parents: Vec<CommitId>, tree: TreeId },
    /// It was merged, and the request went to another branch by then: there it is now, and nothing of it was run for that.
    Elsewhere { commit: CommitId, branch: Str },
    /// Base or head is not what the ticket pinned, or the request goes to another branch.
    Moved { why: String },
    /// The forge will not; `transient` when it may later.
    Refused { transient: bool, why: String },
    /// The forge was not asked: something else comes first.
    Waits {
        why: String,
        /// How long to stay away, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        away: Option<Span>,
    },
}

impl MergeAnswer {
    /// The forge was not asked, and it is tried again soon.
    pub fn waits(why: impl Into<String>) -> Self {
        Self::Waits { why: why.into(), away: None }
    }
}
