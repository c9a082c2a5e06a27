//! One merge request as a machine: what is known of it, and what can be asked of it.

use super::{Event, IllegalEvent, Ledger, PlanKey, PlanWhy, Spoken, Stop};
use crate::core::{
    diff::Op,
    drift::OverrideAsk,
    gate::{Approval, Leaves, Pin, Reason, RuleStanding, Shown, Window, standing},
    model::{CommitId, Digest, Fingerprint, MrId, Policy, Refusal, ResourceId, Str, Time, User, Value},
    plan::{Act, Claim, Plan},
    render::Kinds,
    review::{CommentId, DRIFT, Face, Links, MrState, Phase, Sighting, Teams, Times, Upshot, Veil},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// An answer that is not given yet, with what `Event::Replying` holds beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owed {
    pub text: String,
    pub overrides: Vec<OverrideAsk>,
    pub upshot: Option<Upshot>,
}

/// One change. It may run ahead of the disk; its effects may not. When an append fails it is dropped and folded again.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub(super) mr: MrId,
    /// Never `Paused`: that is `paused` on top of the phase it came from.
    pub(super) stage: Phase,
    /// The latest instant any event told of.
    pub(super) clock: Time,
    pub(super) times: Times,

    // The forge.
    pub(super) sighting: Option<Box<Sighting>>,
    pub(super) heard: Option<CommentId>,
    /// What is owed to each, first first: one at a time, none of them empty.
    pub(super) owed: BTreeMap<CommentId, VecDeque<Owed>>,
    pub(super) look: bool,
    pub(super) vouched: Option<CommitId>,
    /// Since when the head is known that was last seen.
    pub(super) head_since: Option<Time>,
    /// Whether the merge under way only reads back what became of an earlier one.
    pub(super) reads: bool,

    // The plan and its approvals.
    pub(super) asked: Option<PlanAsk>,
    pub(super) desk: Option<Desk>,
    /// What the last answer of the planner was about, whatever it said.
    pub(super) answered: Option<PlanKey>,
    pub(super) approvals: Vec<Approval>,
    pub(super) standings: Vec<RuleStanding>,
    /// The plan that the forge shows, and since when by its own clock.
    pub(super) published: Option<(Digest, Time)>,
    /// When approvals were last used up, or taken back by a stop: what was said before is for no later run.
    pub(super) spent: Option<Time>,
    /// Approvals without a digest that wait until it is known what stood there.
    pub(super) spoken: Vec<Spoken>,
    pub(super) said_start: bool,
    pub(super) refusals: Vec<Refusal>,
    pub(super) conflicts: Vec<Str>,
    /// A sentence about what went wrong or came up; shown until the next plan or run.
    pub(super) trouble: Option<String>,
    /// When the plan is asked for again, and whether it is the way back.
    pub(super) replan_at: Option<(Time, bool)>,
    pub(super) replan_tries: u32,

    // The start.
    pub(super) held: Vec<Reason>,
    pub(super) held_until: Option<Time>,
    pub(super) claim: ClaimState,
    /// Who was told that their review came before the plan, and which one that was.
    pub(super) early: BTreeMap<User, Time>,
    /// What an admin said here of the whole server, until it is so.
    pub(super) halt_said: Option<bool>,
    pub(super) claims_asked: u64,
    /// The plan the claims were asked for.
    pub(super) claims_for: Option<Digest>,
    pub(super) claims_asked_for: BTreeSet<Claim>,
    /// Whether they were asked for as an incident's.
    pub(super) claims_incident: bool,
    pub(super) starts: u64,
    pub(super) start_asked: Option<u64>,
    pub(super) start_again: Option<Time>,

    // The run.
    pub(super) ledger: Ledger,
    pub(super) running: bool,
    pub(super) stopping: Option<Stop>,
    pub(super) paused: Option<User>,
    pub(super) stopped_by: Option<User>,
    pub(super) owner: Option<User>,
    /// Since when it holds claims and does nothing.
    pub(super) idle_since: Option<Time>,
    /// Its owner was called because of that.
    pub(super) paged: bool,
    /// Who let go of what this change wrote, and why.
    pub(super) freed: Option<(User, String)>,
    pub(super) halted: bool,
    /// The replica of the server that works on it, where there are several.
    pub(super) carried_by: Option<String>,

    // The window and the merge.
    pub(super) window: Option<Window>,
    pub(super) samples: u64,
    pub(super) probes_asked: u64,
    pub(super) unhealthy: Vec<(ResourceId, String)>,
    /// Why the last sample saw nothing, if it did not.
    pub(super) blind: Option<String>,
    pub(super) fresh_look: bool,
    /// It goes to another branch than the one it was last planned for, whose tip may be the same commit.
    pub(super) retargeted: bool,
    pub(super) merge: Option<Pin>,
    /// The merge that was asked for last and of which nobody knows for certain that it came to nothing: what the forge shows merged may be it.
    pub(super) sent: Option<Pin>,
    pub(super) merge_again: Option<Time>,
    pub(super) merge_tries: u32,
    /// What comes before the merge, where it waits for its turn.
    pub(super) merge_after: Option<String>,
    pub(super) merged: Option<CommitId>,
    /// The merge request whose merge brought this one in.
    pub(super) merged_with: Option<MrId>,
    /// An alarm stays until a person plans again or restores.
    pub(super) alarm: bool,
    pub(super) aborted: bool,

    pub(super) frame: Frame,
}

/// A request for a plan that is not answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlanAsk {
    pub base: CommitId,
    pub head: CommitId,
    pub restore: bool,
    pub why: PlanWhy,
}

/// The plan on the desk, with everything that comes from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Desk {
    pub key: PlanKey,
    pub plan: Arc<Plan>,
    pub policy: Arc<Policy>,
    pub digest: Digest,
    pub leaves: Leaves,
    pub restore: bool,
    pub at: Time,
    /// The forecast of the way back, where this plan has one.
    pub way_back: Option<Arc<Plan>>,
}

/// What the board holds for this change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ClaimState {
    Free,
    Asked,
    Queued(Vec<(MrId, String)>),
    Granted,
    /// Giving everything back; not confirmed yet.
    Freeing,
}

/// What the shell lends for the face: no state, so two changes never differ by it.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub links: Links,
    pub kinds: Kinds,
    /// Everybody who may approve in the repository, where the server knows.
    pub approvers: Option<Arc<BTreeSet<User>>>,
    pub shown: Option<Face>,
    pub shown_at: Option<(Time, usize)>,
    pub failed: usize,
}

impl PartialEq for Frame {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Change {
    /// A change of which nothing is known yet: it looks first.
    pub fn open(mr: MrId) -> Self {
        let frame = Frame { links: Links::new("", &mr), kinds: Kinds::default(), approvers: None, shown: None, shown_at: None, failed: 0 };
        Self {
            mr,
            stage: Phase::Planning,
            clock: Time(i64::MIN),
            times: Times::default(),
            sighting: None,
            heard: None,
            owed: BTreeMap::new(),
            look: true,
            vouched: None,
            asked: None,
            desk: None,
            answered: None,
            approvals: Vec::new(),
            standings: Vec::new(),
            published: None,
            spent: None,
            head_since: None,
            reads: false,
            spoken: Vec::new(),
            said_start: false,
            refusals: Vec::new(),
            conflicts: Vec::new(),
            trouble: None,
            replan_at: None,
            replan_tries: 0,
            held: Vec::new(),
            held_until: None,
            claim: ClaimState::Free,
            early: BTreeMap::new(),
            halt_said: None,
            claims_asked: 0,
            claims_for: None,
            claims_asked_for: BTreeSet::new(),
            claims_incident: false,
            owner: None,
            idle_since: None,
            paged: false,
            freed: None,
            starts: 0,
            start_asked: None,
            start_again: None,
            ledger: Ledger::default(),
            running: false,
            stopping: None,
            paused: None,
            stopped_by: None,
            halted: false,
            carried_by: None,
            window: None,
            samples: 0,
            probes_asked: 0,
            unhealthy: Vec::new(),
            blind: None,
            fresh_look: false,
            retargeted: false,
            merge: None,
            sent: None,
            merge_again: None,
            merge_tries: 0,
            merge_after: None,
            merged: None,
            merged_with: None,
            alarm: false,
            aborted: false,
            frame,
        }
    }

    /// The same fold over a journal: what a crashed process knew.
    pub fn recover<'a>(mr: MrId, events: impl IntoIterator<Item = &'a Event>) -> Result<Self, IllegalEvent> {
        let mut change = Self::open(mr);
        for event in events {
            change.evolve(event)?;
        }
        Ok(change)
    }

    /// Lends the words of kinds, the server's links and who may approve (`None`: not known) to the face. Changes no state: say it again after recovery.
    pub fn dress(&mut self, links: Links, kinds: Kinds, approvers: Option<Arc<BTreeSet<User>>>) {
        (self.frame.links, self.frame.kinds, self.frame.approvers) = (links, kinds, approvers);
    }

    pub fn mr(&self) -> &MrId {
        &self.mr
    }

    pub fn phase(&self) -> Phase {
        let pausable = match self.stage {
            Phase::Queued | Phase::Rolling | Phase::Verifying | Phase::Merging | Phase::Restoring | Phase::AwaitingApproval | Phase::Empty => true,
            Phase::Planning | Phase::Merged | Phase::Refused | Phase::Conflicted | Phase::Paused | Phase::Failed | Phase::Restored | Phase::Closed => false,
        };
        if self.paused.is_some() && pausable {
            return Phase::Paused;
        }
        // Giving resources up is a change that people approve, though nothing is sent for it.
        if self.stage == Phase::Empty && self.plan().is_some_and(|plan| plan.gives_up()) {
            return if self.missing() > 0 { Phase::AwaitingApproval } else { Phase::Merging };
        }
        self.stage
    }

    pub fn plan(&self) -> Option<&Arc<Plan>> {
        self.desk.as_ref().map(|desk| &desk.plan)
    }

    pub fn policy(&self) -> Option<&Arc<Policy>> {
        self.desk.as_ref().map(|desk| &desk.policy)
    }

    /// What the plan was made from.
    pub fn key(&self) -> Option<&PlanKey> {
        self.desk.as_ref().map(|desk| &desk.key)
    }

    pub fn digest(&self) -> Option<Digest> {
        self.desk.as_ref().map(|desk| desk.digest)
    }

    /// Whether the plan is the way back.
    pub fn is_restore(&self) -> bool {
        self.desk.as_ref().is_some_and(|desk| desk.restore)
    }

    /// Whether it goes back, or is about to.
    pub(super) fn goes_back(&self) -> bool {
        let planned = self.asked.as_ref().map_or(self.is_restore() && !self.stage.is_over(), |ask| ask.restore);
        planned || self.stage == Phase::Restoring || matches!(self.stopping, Some(Stop::Restore(_)))
    }

    /// The merge of ours that the forge may be showing: its answer was lost, or never came. What landed in another branch is shown as closed.
    pub(super) fn lost(&self) -> Option<&Pin> {
        let seen = self.sighting.as_ref().filter(|seen| matches!(seen.state, MrState::Merged { with: None, .. } | MrState::Closed))?;
        let waits = self.merge.is_none() && !self.running && self.stopping.is_none() && !self.stage.is_over() && !self.alarm && !self.goes_back();
        self.sent.as_ref().filter(|sent| waits && sent.head == seen.head)
    }

    pub fn sighting(&self) -> Option<&Sighting> {
        self.sighting.as_deref()
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    pub fn conflicts(&self) -> &[Str] {
        &self.conflicts
    }

    /// The replica of the server that works on it, as its journal says; none where there is one server alone.
    pub fn carried_by(&self) -> Option<&str> {
        self.carried_by.as_deref()
    }

    /// The last comment taken in; ask the forge for those after it.
    pub fn last_comment(&self) -> Option<CommentId> {
        self.heard
    }

    /// Each rule with who approved and how many are missing.
    pub fn approvals(&self) -> &[RuleStanding] {
        &self.standings
    }

    /// What keeps the gate shut.
    pub fn reasons(&self) -> &[Reason] {
        &self.held
    }

    /// What this change's runs wrote last, by resource, until it is merged or restored.
    pub fn ours(&self) -> BTreeMap<ResourceId, Option<Fingerprint>> {
        self.ledger.ours()
    }

    /// What production is ahead of base by, because of this change: base overlaid with this is the effective base.
    pub fn applied(&self) -> BTreeMap<ResourceId, Option<Value>> {
        self.ledger.written.iter().map(|(id, written)| (id.clone(), written.after.clone())).collect()
    }

    /// Everything the plan needs to itself, and what this change has written.
    pub fn claims(&self) -> BTreeSet<Claim> {
        let plan = self.desk.iter().flat_map(|desk| desk.plan.steps.values()).flat_map(|step| step.claims.iter().cloned());
        plan.chain(self.ledger.written.keys().cloned().map(Claim::Write)).collect()
    }

    /// Whether it has stopped and keeps what it wrote to itself, but wants nothing more.
    pub(super) fn keeps_only(&self) -> bool {
        matches!(self.stage, Phase::Closed | Phase::Refused | Phase::Conflicted | Phase::Failed) && self.wrote()
    }

    /// What is asked of the board now: for which plan, what, and whether it is an incident. What it holds it keeps.
    pub(super) fn needs(&self) -> (Option<Digest>, BTreeSet<Claim>, bool) {
        match self.keeps_only() {
            true => (None, BTreeSet::new(), false),
            false => (self.digest(), self.claims(), self.is_incident()),
        }
    }

    pub fn holds_claims(&self) -> bool {
        matches!(self.claim, ClaimState::Granted)
    }

    pub fn window(&self) -> Option<&Window> {
        self.window.as_ref()
    }

    /// A sentence about what went wrong or came up, where there is one.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    pub(super) fn missing(&self) -> u32 {
        self.standings.iter().map(|rule| rule.missing).max().unwrap_or(0)
    }

    /// Whether the change is the user's own: nobody approves that.
    pub(super) fn own(&self, user: &User) -> bool {
        self.sighting.as_ref().is_some_and(|sighting| sighting.author == *user || sighting.pushers.contains(user))
    }

    /// Who is in the teams of the forge, as it was last read.
    pub(super) fn teams(&self) -> &Teams {
        static NONE: Teams = Teams::new();
        self.sighting.as_ref().map_or(&NONE, |sighting| &sighting.teams)
    }

    pub(super) fn judge_approvals(&mut self) {
        let Some(desk) = &self.desk else {
            self.standings.clear();
            return;
        };
        let own = |user: &User| self.own(user);
        self.standings = standing(&desk.plan.rules, &self.approvals, &own, &self.shown(desk), self.teams());
        if desk.restore && self.forecast_holds() {
            self.standings.iter_mut().for_each(|rule| rule.missing = 0);
        }
    }

    pub(super) fn shown<'a>(&self, desk: &'a Desk) -> Shown<'a> {
        Shown { leaves: &desk.leaves, digest: desk.digest, head: &desk.key.head, done: self.wrote() }
    }

    /// Whether a way back does exactly what approving the plan approved already: each resource from what this change wrote to what it found (I8).
    fn forecast_holds(&self) -> bool {
        let Some(desk) = &self.desk else { return false };
        desk.plan.steps.values().all(|step| {
            // What is over already was approved before it was written.
            (!step.writes().is_empty() || matches!(step.act, Act::Earlier(_)))
                && step.writes().iter().all(|write| {
                    let ours = self.ledger.written.get(&write.id);
                    ours.is_some_and(|ours| ours.after == write.from && ours.before == write.to)
                })
        })
    }

    /// Whether an approver says that it goes before others.
    pub(super) fn is_incident(&self) -> bool {
        self.sighting.as_ref().is_some_and(|sighting| sighting.incident.is_some())
    }

    /// Whether something asked of the world is not answered yet.
    pub(super) fn is_owed(&self) -> bool {
        let claiming = match self.claim {
            ClaimState::Asked | ClaimState::Queued(_) | ClaimState::Freeing => true,
            ClaimState::Free | ClaimState::Granted => false,
        };
        claiming
            || self.look
            || self.halt_said.is_some()
            || self.asked.is_some()
            || self.start_asked.is_some()
            || self.merge.is_some()
            || !self.owed.is_empty()
            || self.stopping.is_some()
            || !self.spoken.is_empty() && !self.stage.is_over()
    }

    /// What policy calls sensitive.
    pub(super) fn veil(&self) -> Veil {
        Veil::new(self.policy().map_or(&[], |policy| &policy.sensitive))
    }

    /// Open changes that wrote what the plan on the desk finds already true.
    pub fn counts_on(&self) -> BTreeSet<MrId> {
        let kept = self.desk.iter().flat_map(|desk| &desk.plan.deltas).filter(|delta| delta.op == Op::Keep);
        kept.filter_map(|delta| delta.reason.ahead_by()).cloned().collect()
    }

    /// Whether anything this change wrote is still there and not merged.
    pub(super) fn wrote(&self) -> bool {
        !self.ledger.written.is_empty()
    }

    /// Whether the way back leads from what somebody changed by hand to what base asks for: of a merge request that proposes drift and wrote nothing itself.
    pub fn reverts(&self) -> bool {
        let proposed = self.sighting.as_ref().is_some_and(|sighting| sighting.proposed.as_deref() == Some(DRIFT) && sighting.state == MrState::Open);
        proposed
            && !self.wrote()
            && self.ledger.given_up.is_empty()
            && matches!(self.stage, Phase::Planning | Phase::AwaitingApproval | Phase::Empty | Phase::Refused | Phase::Failed | Phase::Restoring)
    }

    /// Whether the plan on the desk writes or does anything at all.
    pub(super) fn acts(&self) -> bool {
        self.desk.as_ref().is_some_and(|desk| !desk.plan.steps.is_empty())
    }
}
