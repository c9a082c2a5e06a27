//! What is kept of a change: the journal's records.

use crate::core::{
    drift::OverrideAsk,
    gate::{Pin, Reason},
    model::{CommitId, Digest, Fingerprint, MrId, ResourceId, Saw, StepId, Time, User},
    review::{CommentId, Right, Sighting, Upshot},
    run::{ClaimAnswer, MergeAnswer, Outcome, PlanAnswer},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One fact of a change's life. State is a fold over these, so each holds what the fold needs and no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    // What the forge showed, and what is asked of it.
    LookAsked,
    /// The forge was read; comments are left out, what they led to is told by the events that follow.
    Sighted {
        sighting: Box<Sighting>,
        at: Time,
    },
    /// A comment was taken in; none up to it is taken in again.
    Heard {
        comment: CommentId,
    },
    /// A person is owed an answer.
    Replying {
        to: CommentId,
        text: String,
        /// Claimed on the way; what becomes of each is told with the answer.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        overrides: Vec<OverrideAsk>,
        /// What came of all that the comment says; none where nobody asked, and in records of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upshot: Option<Upshot>,
    },
    /// The answer stands on the forge.
    Replied {
        to: CommentId,
    },

    // Planning and approval.
    /// A member asked for a plan of this head, so that an untrusted author's change is planned too.
    Vouched {
        by: User,
        head: CommitId,
        /// When; records of older versions do not say.
        #[serde(default)]
        at: Option<Time>,
    },
    ReplanAsked {
        base: CommitId,
        head: CommitId,
        restore: bool,
        why: PlanWhy,
        /// When; records of older versions do not say.
        #[serde(default)]
        at: Option<Time>,
    },
    Planned {
        answer: Box<PlanAnswer>,
        at: Time,
    },
    Approved {
        by: User,
        digest: Digest,
        /// Only these; empty: all of the plan.
        steps: Vec<StepId>,
        /// By a review on the forge, where policy counts them.
        review: bool,
        at: Time,
    },
    /// An approving review that policy would count was given before the plan on the desk was shown: whoever gave it is told, once.
    ReviewEarly {
        by: User,
        given: Time,
        at: Time,
    },
    /// The review that counted does not stand any more.
    Withdrawn {
        by: User,
    },
    StartSaid {
        by: User,
        at: Time,
    },

    /// The forge shows the plan of this digest, since `at` by its own clock: who spoke before had not read it.
    Published {
        digest: Digest,
        at: Time,
    },
    /// Somebody approved without a digest while it was not known yet which plan stood there: judged when it is.
    ApprovalWaits(Spoken),

    // The start.
    /// A gate said wait or no; kept only when its reasons changed.
    Held {
        reasons: Vec<Reason>,
        /// When asking again may help by itself.
        until: Option<Time>,
    },
    ClaimAsked {
        n: u64,
    },
    Claimed {
        n: u64,
        answer: ClaimAnswer,
    },
    UnclaimAsked,
    Unclaimed,
    /// The pre-images are being read again.
    StartAsked {
        n: u64,
        at: Time,
    },
    /// Nothing answered; asked again at `again`.
    StartUnread {
        n: u64,
        why: String,
        again: Time,
    },
    /// Live content of these is neither what was approved to be there nor what the plan writes.
    StartMoved {
        n: u64,
        moved: Vec<ResourceId>,
    },
    Started {
        at: Time,
    },

    // The run.
    /// The intent, on disk before the act.
    ActIntended {
        step: StepId,
        attempt: u32,
        skip: BTreeSet<u32>,
        at: Time,
    },
    /// The outcome; a proof is due for what happened or may have.
    Acted {
        step: StepId,
        attempt: u32,
        outcome: Outcome,
        at: Time,
    },
    /// The proof is asked for again.
    ProofAsked {
        step: StepId,
        attempt: u32,
        at: Time,
    },
    /// Every item that was acted on is what the plan says.
    Proven {
        step: StepId,
        attempt: u32,
        at: Time,
    },
    /// Some items are not.
    ProofRead {
        step: StepId,
        attempt: u32,
        items: Vec<(u32, Verdict)>,
        at: Time,
    },
    /// A step that acts on nothing (wait, check, approve, pause) is under way.
    Parked {
        step: StepId,
        attempt: u32,
        at: Time,
    },
    /// One sample of a waited-for fact.
    Waited {
        step: StepId,
        attempt: u32,
        good: bool,
        why: String,
        at: Time,
    },
    StepApproved {
        step: StepId,
        by: User,
        at: Time,
    },
    /// Every item of the step is blocked by a failure before it.
    StepBlocked {
        step: StepId,
    },
    /// An edge's time has passed.
    Elapsed {
        edge: u32,
    },
    Skipped {
        step: StepId,
        by: User,
        reason: String,
        /// How long an exemption may leave it out; records of older versions do not say, and mean as long as policy does.
        #[serde(default)]
        until: Option<Time>,
        /// When; records of older versions do not say.
        #[serde(default)]
        at: Option<Time>,
    },
    /// Somebody says yes to merging without what was skipped: exactly that.
    Exempted {
        by: User,
        digest: Digest,
        at: Time,
    },
    /// Failed and blocked items are open again.
    Retried {
        by: User,
        at: Time,
    },
    /// Nothing is left to do: all true, or as far as it goes.
    Finished {
        at: Time,
    },

    // The window and the merge.
    SampleAsked {
        n: u64,
        /// Of one step whose health others wait for; none: of everything touched.
        #[serde(default)]
        step: Option<StepId>,
        at: Time,
    },
    Sampled {
        n: u64,
        sample: Sample,
        at: Time,
    },
    /// A probe is asked, for everything touched or for one step.
    ProbeAsked {
        probe: Fingerprint,
        n: u64,
        step: Option<StepId>,
        at: Time,
    },
    /// What a probe saw.
    Probed {
        probe: Fingerprint,
        n: u64,
        saw: Saw,
        at: Time,
    },
    /// The window's deadline passed.
    GaveUp {
        why: String,
        at: Time,
    },
    /// The window holds; the forge is read afresh before the merge.
    MergeDue {
        at: Time,
    },
    MergeAsked {
        pin: Box<Pin>,
        at: Time,
    },
    MergeAnswered {
        answer: MergeAnswer,
        at: Time,
    },

    // People, the server and time.
    Paused {
        by: User,
        /// When; records of older versions do not say.
        #[serde(default)]
        at: Option<Time>,
    },
    Resumed {
        by: User,
        at: Time,
    },
    /// The run stops at its next safe point.
    Stopping {
        why: Stop,
        /// When; records of older versions do not say.
        #[serde(default)]
        at: Option<Time>,
    },
    /// The safe point is reached.
    Stopped {
        at: Time,
    },
    /// What the change holds is given back; what it wrote stays, for this reason.
    Freed {
        by: User,
        #[serde(default)]
        reason: String,
        /// When; records of older versions do not say.
        #[serde(default)]
        at: Option<Time>,
    },
    /// It has held its claims for long and does nothing: its owner was called.
    Paged {
        owner: User,
        at: Time,
    },
    /// Somebody else answers for it from here on.
    Taken {
        by: User,
        /// When; records of older versions do not say.
        #[serde(default)]
        at: Option<Time>,
    },
    /// An admin halts the whole server from this change, or lifts the halt.
    HaltSaid {
        by: User,
        on: bool,
        at: Time,
    },
    Halted(bool),
    /// The replica of the server that works on it from here on; one server alone says nothing.
    Carried {
        by: String,
        at: Time,
    },
    /// The clock went back: every timer is armed again from here, and the window starts over.
    ClockBack {
        now: Time,
    },
}

/// An approval in a comment that names no digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spoken {
    pub comment: CommentId,
    pub by: User,
    pub right: Right,
    /// Only these; empty: all of the plan.
    pub steps: Vec<StepId>,
    /// When it was written, by the forge's clock.
    pub at: Time,
}

/// Why a plan is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanWhy {
    /// A first sight, a push, or a new base.
    Moved,
    Said(User),
    /// The world did not answer the last time.
    Again,
    /// Live content moved away from what was approved.
    PreImages(Vec<ResourceId>),
    /// What was written does not hold any more.
    Drift(Vec<ResourceId>),
    Restore(User),
}

/// Why a run stops before its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    Abort(User),
    Restore(User),
    Close,
    /// Something happened outside that a person must look into: what.
    Alarm(String),
    /// A new head: planned again from what is really there.
    Amend,
    /// Another merge request's merge, made by us, brought the head in.
    Included {
        commit: CommitId,
        with: MrId,
    },
}

/// What re-reading said of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Proven,
    /// Live content is still what it was before.
    NotHappened,
    /// Live content is something else; in words.
    Moved {
        found: String,
    },
    /// Nothing answered, or it is not there yet: asked again.
    NotYet {
        why: String,
    },
    /// It never will.
    Failed {
        why: String,
    },
}

/// What one look at everything touched said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sample {
    /// All equal and healthy.
    Good,
    /// All equal, not all healthy: which, and why.
    Unhealthy(Vec<(ResourceId, String)>),
    /// Not equal any more.
    Drift(Vec<ResourceId>),
    /// Nothing answered.
    Gap(String),
}
