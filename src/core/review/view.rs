//! A change as a reader sees it: all that a comment, a page or `mr show --json` needs, filled by the engine.

use super::Phase;
use crate::core::{
    gate::{Exemption, Task},
    model::{CommitId, Digest, MrId, Refusal, ResourceId, Span, StepId, Str, Time, User, Value},
    plan::{ItemRef, MatchedRule, Plan},
    render::Kinds,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};

/// One change, whole. Its `Serialize` is the documented JSON of `mr show --json` (see `review::json`).
#[derive(Clone, Debug)]
pub struct View {
    pub mr: MrId,
    pub title: String,
    pub author: User,
    pub source_branch: Str,
    pub base_branch: Str,
    pub draft: bool,
    pub phase: Phase,
    /// One sentence: what it waits for and who can unblock it; made by `words::Waiting`.
    pub waits_for: String,
    /// Everything a gate says is still missing, one sentence each.
    pub reasons: Vec<String>,
    pub base: Option<CommitId>,
    pub head: Option<CommitId>,
    /// The commit that merged it.
    pub merged: Option<CommitId>,
    /// Whether `plan` is the rollout or the way back of one.
    pub direction: Direction,
    pub plan: Option<Arc<Plan>>,
    /// The head that `plan` was made for.
    pub planned: Option<CommitId>,
    /// Nothing is observed of what its author brings until a member asks for a plan of this head (I10).
    pub awaits_trust: bool,
    pub digest: Option<Digest>,
    /// One a step of the plan, in the plan's order; empty before anything ran.
    pub steps: Vec<StepView>,
    /// One a matched rule, in the plan's order.
    pub approvals: Vec<ApprovalView>,
    /// The people who may not approve, because the commits are theirs.
    pub pushers: BTreeSet<User>,
    /// What it is for, as branch, title and commit messages say.
    pub tasks: Vec<Task>,
    /// What a newer plan has that approvers have not seen; absent when nothing was approved before.
    pub since: Option<Since>,
    pub queue: Option<Queue>,
    pub refusals: Vec<Refusal>,
    /// Paths that do not merge.
    pub conflicts: Vec<Str>,
    pub failures: Vec<Failure>,
    /// What it would merge without, does or did, where something was skipped and all else is done.
    pub exemption: Option<Exemption>,
    /// How many resources hold what it wrote, not merged and not restored.
    pub written: usize,
    /// What it wrote and let go of: live as far as nobody changed it since.
    pub given_up: Vec<Left>,
    pub health: Option<HealthView>,
    /// Since when it holds claims and does nothing, where its owner was called because of it.
    pub overdue: Option<Time>,
    /// The forecast of the way back, shown before approval.
    pub way_back: Option<Arc<Plan>>,
    /// Who paused, aborted or asked to restore it last.
    pub stopped_by: Option<User>,
    pub times: Times,
    pub links: Links,
    /// Words for resources; a default one shows ids.
    pub kinds: Kinds,
    /// Resource id patterns (globs) whose values are never shown.
    pub sensitive: Vec<Str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Forward,
    Back,
}

/// Where one step is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    pub id: StepId,
    /// One an item, in the step's order.
    pub items: Vec<ItemState>,
    pub attempts: u32,
}

/// Where one item is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// Something before it is not far enough.
    Waiting,
    /// Nothing is before it; it is next in line.
    Ready,
    Acting,
    /// Written (or already so), not yet proven by re-reading.
    Applied,
    Proven,
    /// It will not be tried again by itself.
    Failed,
    Skipped {
        by: User,
        reason: String,
    },
    /// Something before it failed.
    Blocked {
        by: ItemRef,
    },
}

/// Where a step as a whole is: the least advanced of its items decides, a failure before all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Failed,
    Acting,
    Blocked,
    Waiting,
    Ready,
    Applied,
    Proven,
    Skipped,
}

impl StepState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Acting => "acting",
            Self::Blocked => "blocked",
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Applied => "applied",
            Self::Proven => "proven",
            Self::Skipped => "skipped",
        }
    }
}

impl ItemState {
    pub fn as_step(&self) -> StepState {
        match self {
            Self::Waiting => StepState::Waiting,
            Self::Ready => StepState::Ready,
            Self::Acting => StepState::Acting,
            Self::Applied => StepState::Applied,
            Self::Proven => StepState::Proven,
            Self::Failed => StepState::Failed,
            Self::Skipped { .. } => StepState::Skipped,
            Self::Blocked { .. } => StepState::Blocked,
        }
    }

    /// Whether nothing is left to do for it.
    pub fn is_over(&self) -> bool {
        match self {
            Self::Proven | Self::Skipped { .. } => true,
            Self::Waiting | Self::Ready | Self::Acting | Self::Applied | Self::Failed | Self::Blocked { .. } => false,
        }
    }
}

impl StepView {
    pub fn state(&self) -> StepState {
        self.items.iter().map(ItemState::as_step).min().unwrap_or(StepState::Waiting)
    }
}

/// One rule of policy that fired, and who said yes to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalView {
    pub rule: MatchedRule,
    pub given: Vec<Given>,
    /// How many are still missing.
    pub missing: u32,
    /// Why nobody can give them, where that is known.
    pub cannot: Option<String>,
}

/// Something written and let go of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    pub id: ResourceId,
    /// What was there before this change.
    pub before: Option<Value>,
    /// What this change left.
    pub after: Option<Value>,
}

/// One approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    pub by: User,
    pub at: Time,
    /// The digest that was approved; may be older than the plan's, when nothing that was approved changed.
    pub digest: Digest,
    /// Only these steps; empty: all.
    pub steps: Vec<StepId>,
    /// Why it no longer counts.
    pub void: Option<String>,
}

/// What an approved plan and the one shown now do not share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// The digest approved last.
    pub digest: Digest,
    pub by: Vec<User>,
    /// Items of the new plan whose approval still holds.
    pub kept: u32,
    /// Items of the new plan that nobody approved.
    pub new: Vec<ItemRef>,
    /// Items that were approved as waiting for others, and do not wait for them any more.
    #[serde(default)]
    pub loosened: Vec<ItemRef>,
    /// Approved resources that the new plan no longer touches.
    pub gone: Vec<ResourceId>,
}

/// Its place in the fair queue for claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// First first, each with what it holds or asks for that is needed here.
    pub ahead: Vec<(MrId, String)>,
}

/// One item that did not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub step: StepId,
    pub item: u32,
    pub id: Option<ResourceId>,
    pub kind: FailureKind,
    /// A lowercase fragment.
    pub why: String,
    pub attempts: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Live content was neither the plan's before nor its after.
    Moved { found: Option<Value> },
    /// The target will never take it.
    Refused,
    /// It was tried until the retries or the deadline ran out.
    GaveUp,
    /// It was written, and re-reading showed something else.
    Unproven,
    /// It was true and not healthy in time.
    Unhealthy,
    /// It may or may not have happened; a person must look.
    Unknown,
}

/// The window in which everything must stay true and healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthView {
    pub samples: u32,
    pub needed: u32,
    pub every: Span,
    /// What the last sample did not like.
    pub unhealthy: Vec<(ResourceId, String)>,
}

/// When things happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    pub opened: Option<Time>,
    pub planned: Option<Time>,
    pub approved: Option<Time>,
    pub started: Option<Time>,
    /// Every write proven.
    pub converged: Option<Time>,
    /// Merged, restored or closed.
    pub ended: Option<Time>,
    pub updated: Option<Time>,
}

/// Where the change's own page is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// The server's base URL without a slash at the end; empty when nobody serves pages.
    pub server: Str,
    /// The path to the change's page, from the server's root.
    pub page: Str,
}

impl Links {
    /// `https://trueup.example/changes/infra/7` for change 7 of `infra`.
    pub fn new(server: &str, mr: &MrId) -> Self {
        Self { server: server.trim_end_matches('/').into(), page: format!("/changes/{}/{}", path_segment(mr.repo.as_str()), mr.number).into() }
    }

    pub fn change(&self) -> String {
        format!("{}{}", self.server, self.page)
    }

    /// The whole plan, which a comment may have no room for.
    pub fn plan(&self) -> String {
        format!("{}{}#plan", self.server, self.page)
    }
}

/// Escapes a name so that it is one segment of a URL's path.
fn path_segment(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

impl View {
    /// A view of a change about which nothing but its name is known yet.
    pub fn new(mr: MrId, links: Links) -> Self {
        Self {
            mr,
            title: String::new(),
            author: User::new(""),
            source_branch: "".into(),
            base_branch: "".into(),
            draft: false,
            phase: Phase::Planning,
            waits_for: String::new(),
            reasons: Vec::new(),
            base: None,
            head: None,
            merged: None,
            direction: Direction::Forward,
            plan: None,
            planned: None,
            awaits_trust: false,
            digest: None,
            steps: Vec::new(),
            approvals: Vec::new(),
            pushers: BTreeSet::new(),
            tasks: Vec::new(),
            since: None,
            queue: None,
            refusals: Vec::new(),
            conflicts: Vec::new(),
            failures: Vec::new(),
            exemption: None,
            written: 0,
            given_up: Vec::new(),
            health: None,
            overdue: None,
            way_back: None,
            stopped_by: None,
            times: Times::default(),
            links,
            kinds: Kinds::default(),
            sensitive: Vec::new(),
        }
    }

    /// Where a step is; waiting when nothing ran yet.
    pub fn step(&self, id: StepId) -> Option<&StepView> {
        self.steps.binary_search_by_key(&id, |step| step.id).ok().map(|at| &self.steps[at])
    }

    /// Whether an approval can be given now and would count for something.
    pub fn wants_approval(&self) -> bool {
        let open = match self.phase {
            Phase::AwaitingApproval | Phase::Empty | Phase::Queued | Phase::Paused | Phase::Rolling | Phase::Verifying | Phase::Merging => true,
            Phase::Planning | Phase::Merged | Phase::Refused | Phase::Conflicted | Phase::Failed | Phase::Restoring | Phase::Restored | Phase::Closed => false,
        };
        open && self.plan.is_some() && self.approvals.iter().any(|approval| approval.missing > 0)
    }

    /// Items that are over, and all items.
    pub fn progress(&self) -> (usize, usize) {
        let all = self.plan.as_ref().map_or(0, |plan| plan.steps.values().map(|step| step.items() as usize).sum());
        let over = self.steps.iter().flat_map(|step| &step.items).filter(|item| item.is_over()).count();
        (over, all)
    }
}
