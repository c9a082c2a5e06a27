//! Everything a change can want done; each is released only by the receipt of the append that holds its events.

use crate::core::{
    drift::OverrideAsk,
    gate::MergeTicket,
    model::{CommitId, Fact, Fingerprint, Probe, ResourceId, StepId, Time, Want},
    plan::Claim,
    review::{CommentId, Face, Upshot},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One thing the shell makes real. Doing an effect twice is safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read the merge request from the forge; answered by `Input::Sighted`.
    Look,
    /// Compile a plan for this head on this base; answered by `Input::Planned`. `ours`: what this change's run wrote last, by resource. `restore`: make the way back of the ledger instead.
    Replan { base: CommitId, head: CommitId, ours: BTreeMap<ResourceId, Option<Fingerprint>>, restore: bool },
    /// Re-read resources with the strongest read; answered by `Input::Observed`. `health`: with the facts that are health for each target's kind.
    Observe { ask: Ask, wants: Vec<Want>, facts: Vec<Fact>, health: bool },
    /// Ask a probe; answered by `Input::Probed` with the same `n`.
    Probe { n: u64, probe: Box<Probe> },
    /// Do a step's items that are not in `skip`; answered by `Input::Acted`. The intent is in the journal before this is released.
    Act { step: StepId, attempt: u32, skip: BTreeSet<u32> },
    /// Ask the board for everything the plan needs, all or nothing, in place of what was asked before; answered by `Input::Claimed` with the same `n`, now and whenever the board has news.
    /// `incident`: an approver says that it goes first.
    Claim { n: u64, claims: BTreeSet<Claim>, incident: bool },
    /// Give back everything this change holds on the board; answered by `Input::Unclaimed`.
    Unclaim,
    /// Halt the whole server, or lift the halt; answered by `Input::Halt`.
    Halt(bool),
    /// Make comment, statuses and labels equal this.
    Show(Box<Face>),
    /// Claim these overrides, then answer a person below their comment with what came of it; answered by `Input::Replied`. `upshot`: what came of the rest that it says.
    Reply { to: CommentId, text: String, overrides: Vec<OverrideAsk>, upshot: Option<Upshot> },
    /// Merge, pinned; answered by `Input::Merged`.
    Merge(MergeTicket),
    /// Hand in `Input::Tick` at this time.
    Wake(Time),
}

/// Why something is observed; the answer carries it back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Are the approved pre-images still there?
    Start { n: u64 },
    /// Did this step work, or what became of its unknown items?
    Proof { step: StepId, attempt: u32 },
    /// One sample of a health window: over everything touched, or over what one step wrote.
    Sample { n: u64 },
}
