//! What is outstanding: every effect as the state asks for it, so that a turn and a recovery say the same.

use super::{
    Ask, Change, Effect,
    change::ClaimState,
    ledger::{At, Doing, Timer},
};
use crate::core::{
    gate::{Window, reissue},
    model::{Fact, Fingerprint, ResourceId, Time, Want},
    plan::{Act, Guard, Proof, Step},
    review::{CommentId, MrState, Phase},
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Names one effect that may be outstanding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Look,
    Plan,
    Claim,
    Unclaim,
    Halt,
    Start,
    /// An act of a step, by position.
    Act(u32),
    /// A read for a step: its proof, or its waited-for fact.
    Read(u32),
    Sample,
    /// A sample of one step's health, by position.
    StepSample(u32),
    /// A probe, for everything touched or for one step.
    Probe(Option<u32>, Fingerprint),
    Merge,
    Reply(CommentId),
}

impl Change {
    /// Everything outstanding, each safe to do again. Asked after recovery; what a live change has asked for and not heard of is the same.
    pub fn due(&self) -> Vec<Effect> {
        let mut all = vec![Due::Look, Due::Plan, Due::Claim, Due::Unclaim, Due::Halt, Due::Start, Due::Sample, Due::Merge];
        for step in &self.ledger.in_flight {
            all.extend([Due::Act(*step), Due::Read(*step)]);
        }
        all.extend(self.ledger.waits.keys().map(|step| Due::Read(*step)));
        all.extend(self.health_dues());
        all.extend(self.owed.keys().map(|to| Due::Reply(*to)));
        let mut out: Vec<Effect> = all
            .into_iter()
            .filter_map(|due| match due {
                // An act that must not happen twice may have happened: a read says so, and the engine asks a person.
                Due::Act(step) if self.at_most_once(step) => self.effect(due).map(|_| self.doubt(step)),
                due => self.effect(due),
            })
            .collect();
        out.extend(self.face().map(|face| Effect::Show(Box::new(face))));
        out.extend(self.next_wake().map(Effect::Wake));
        out
    }

    /// The effect, if it is still outstanding.
    pub(super) fn effect(&self, due: Due) -> Option<Effect> {
        match due {
            Due::Look => self.look.then_some(Effect::Look),
            Due::Plan => self.asked.as_ref().map(|ask| Effect::Replan { base: ask.base.clone(), head: ask.head.clone(), ours: self.ours(), restore: ask.restore }),
            Due::Claim => (self.claim == ClaimState::Asked || matches!(self.claim, ClaimState::Queued(_))).then(|| Effect::Claim {
                n: self.claims_asked,
                claims: self.claims_asked_for.clone(),
                incident: self.claims_incident,
            }),
            Due::Unclaim => (self.claim == ClaimState::Freeing).then_some(Effect::Unclaim),
            Due::Halt => self.halt_said.map(Effect::Halt),
            Due::Start => self.start_asked.map(|n| Effect::Observe { ask: Ask::Start { n }, wants: self.start_wants(), facts: Vec::new(), health: false }),
            Due::Act(step) => self.act_effect(step),
            Due::Read(step) => self.read_effect(step),
            Due::Sample => {
                let n = self.window.as_ref()?.asked()?;
                Some(Effect::Observe { ask: Ask::Sample { n }, wants: self.sample_wants(), facts: Vec::new(), health: true })
            }
            Due::StepSample(step) => {
                let n = self.ledger.health.get(&step)?.asked()?;
                Some(Effect::Observe { ask: Ask::Sample { n }, wants: self.step_wants(step), facts: Vec::new(), health: true })
            }
            Due::Probe(step, key) => self.probe_under_way(step, key).map(|(n, probe)| Effect::Probe { n, probe: Box::new(probe) }),
            Due::Merge => {
                // One that was asked to read back merges nothing, even where it is open again by now: no gate was asked.
                let open = !self.reads && self.sighting.as_ref().is_none_or(|seen| seen.state == MrState::Open);
                self.merge.as_ref().map(|pin| Effect::Merge(reissue(&self.mr, pin, open)))
            }
            Due::Reply(to) => {
                self.owed.get(&to).and_then(VecDeque::front).map(|owed| Effect::Reply { to, text: owed.text.clone(), overrides: owed.overrides.clone(), upshot: owed.upshot })
            }
        }
    }

    fn spec(&self, step: u32) -> Option<&Step> {
        self.ledger.plan.steps.get(&self.ledger.frontier.id(step))
    }

    fn at_most_once(&self, step: u32) -> bool {
        match self.spec(step).map(|spec| &spec.act) {
            Some(Act::Run { guard: Guard::AtMostOnce, .. }) => true,
            Some(Act::Run { guard: Guard::Unless(_) | Guard::Creates(_) | Guard::OnlyIf(_), .. })
            | Some(Act::Write(_) | Act::Verb { .. } | Act::Wait(_) | Act::Check(_) | Act::Approve { .. } | Act::Pause | Act::Earlier(_))
            | None => false,
        }
    }

    fn doubt(&self, step: u32) -> Effect {
        let ask = Ask::Proof { step: self.ledger.frontier.id(step), attempt: self.ledger.attempts[step as usize] };
        Effect::Observe { ask, wants: Vec::new(), facts: Vec::new(), health: false }
    }

    fn act_effect(&self, step: u32) -> Option<Effect> {
        (self.ledger.doing[step as usize] == Doing::Acting).then(|| {
            let items = self.ledger.of(step).iter().enumerate();
            let skip: BTreeSet<u32> = items.filter(|(_, at)| **at != At::Pending).map(|(item, _)| item as u32).collect();
            Effect::Act { step: self.ledger.frontier.id(step), attempt: self.ledger.attempts[step as usize], skip }
        })
    }

    fn read_effect(&self, step: u32) -> Option<Effect> {
        let spec = self.spec(step)?;
        let ask = Ask::Proof { step: spec.id, attempt: self.ledger.attempts[step as usize] };
        match self.ledger.doing[step as usize] {
            Doing::Proving => {
                let facts = match &spec.proof {
                    Proof::Fact(until) => vec![until.fact.clone()],
                    Proof::Settled | Proof::NoChange | Proof::Cannot(_) => Vec::new(),
                };
                Some(Effect::Observe { ask, wants: self.proof_wants(step, spec), facts, health: self.health_first(step) })
            }
            Doing::Parked if self.ledger.waits.get(&step).is_some_and(|wait| wait.asked) => {
                let until = spec.waits_on().filter(|until| until.probe.is_none())?;
                Some(Effect::Observe { ask, wants: self.plain_wants(&until.of), facts: vec![until.fact.clone()] as Vec<Fact>, health: false })
            }
            Doing::Nothing | Doing::Acting | Doing::Reproving | Doing::Backoff | Doing::Parked | Doing::Over => None,
        }
    }

    /// The items whose result is read, as positions in the step.
    pub(super) fn in_doubt(&self, step: u32) -> impl Iterator<Item = u32> + '_ {
        self.ledger.of(step).iter().enumerate().filter(|(_, at)| matches!(at, At::Applied | At::Unknown)).map(|(item, _)| item as u32)
    }

    fn proof_wants(&self, step: u32, spec: &Step) -> Vec<Want> {
        if spec.writes().is_empty() {
            let of = match (&spec.act, &spec.proof) {
                (_, Proof::Fact(until)) => until.of.as_slice(),
                (Act::Verb { on, .. }, _) => on,
                (Act::Write(_) | Act::Run { .. } | Act::Wait(_) | Act::Check(_) | Act::Approve { .. } | Act::Pause | Act::Earlier(_), _) => &[],
            };
            return self.plain_wants(of);
        }
        let writes = spec.writes();
        self.in_doubt(step).map(|item| &writes[item as usize]).map(|write| Want { id: write.id.clone(), base: write.from.clone(), merged: write.to.clone(), ours: None }).collect()
    }

    fn plain_wants(&self, of: &[ResourceId]) -> Vec<Want> {
        of.iter().map(|id| Want { id: id.clone(), base: None, merged: None, ours: None }).collect()
    }

    /// What is read before the start: each written resource once, its first write's `from` and its last write's `to`.
    fn start_wants(&self) -> Vec<Want> {
        let mut wants: BTreeMap<&ResourceId, Want> = BTreeMap::new();
        for write in self.desk.iter().flat_map(|desk| desk.plan.steps.values()).flat_map(Step::writes) {
            match wants.get_mut(&write.id) {
                Some(want) => want.merged.clone_from(&write.to),
                None => drop(wants.insert(&write.id, Want { id: write.id.clone(), base: write.from.clone(), merged: write.to.clone(), ours: None })),
            }
        }
        wants.into_values().collect()
    }

    /// What every sample reads: all that the plan asks for, released and skipped resources aside, and all this change wrote.
    fn sample_wants(&self) -> Vec<Want> {
        let Some(desk) = &self.desk else { return Vec::new() };
        let mut wants: BTreeMap<&ResourceId, Want> = BTreeMap::new();
        for (id, written) in &self.ledger.written {
            wants.insert(id, Want { id: id.clone(), base: written.before.clone(), merged: written.after.clone(), ours: None });
        }
        for delta in &desk.plan.deltas {
            match delta.op {
                crate::core::diff::Op::Release => drop(wants.remove(&delta.id)),
                crate::core::diff::Op::Create
                | crate::core::diff::Op::Update
                | crate::core::diff::Op::Replace
                | crate::core::diff::Op::Delete
                | crate::core::diff::Op::Keep
                | crate::core::diff::Op::Adopt
                | crate::core::diff::Op::Move { .. } => {
                    // Before our first write, not before this plan: a new pin asks the same question.
                    let base = wants.get(&delta.id).map_or_else(|| delta.from.clone(), |ours| ours.base.clone());
                    wants.insert(&delta.id, Want { id: delta.id.clone(), base, merged: delta.to.clone(), ours: None });
                }
            }
        }
        for id in &self.left_out_ids() {
            wants.remove(id);
        }
        wants.into_values().collect()
    }

    /// What every sample must find, by resource.
    pub(super) fn sampled(&self) -> Vec<(ResourceId, Option<crate::core::model::Value>)> {
        self.sample_wants().into_iter().map(|want| (want.id, want.merged)).collect()
    }

    /// When time itself has something to do next.
    pub fn next_wake(&self) -> Option<Time> {
        let writes_stop = self.paused.is_some() || self.halted || self.stopping.is_some();
        let timer = self.ledger.timers.iter().find(|(_, timer)| match timer {
            Timer::Retry(_) => !writes_stop,
            Timer::Reprove(_) => true,
            Timer::Sample(_) | Timer::Edge(_) | Timer::Deadline(_) => self.stopping.is_none(),
        });
        let timer = timer.filter(|_| self.running).map(|(at, _)| *at);
        let replan = self.replan_at.map(|(at, _)| at).into_iter().chain(self.page_at()).min();
        // A timer that nothing would answer must not ring: it would ring for ever.
        let merge = self.merge_again.filter(|_| !self.look && (self.lost().is_some() || self.stage == Phase::Merging && self.window.is_some() && self.paused.is_none()));
        let held = self.held_until.filter(|_| self.paused.is_none());
        [timer, replan, self.start_again, merge, self.sample_at(), self.probe_at(), self.step_health_at(), held].into_iter().flatten().min().map(|at| at.max(self.clock))
    }

    /// When the next sample is taken, where one is wanted.
    pub(super) fn sample_at(&self) -> Option<Time> {
        self.sampling()?.due()
    }

    /// When the next probe is asked, where one is wanted.
    pub(super) fn probe_at(&self) -> Option<Time> {
        self.sampling()?.probe_due()
    }

    /// The window, while samples are taken for it.
    pub(super) fn sampling(&self) -> Option<&Window> {
        let window = self.window.as_ref()?;
        let wanted = match self.stage {
            Phase::Verifying => !window.held(),
            Phase::Merging | Phase::Empty => self.wants_sample() && self.paused.is_none() && self.asked.is_none() && self.merge.is_none(),
            Phase::Planning
            | Phase::AwaitingApproval
            | Phase::Queued
            | Phase::Rolling
            | Phase::Merged
            | Phase::Refused
            | Phase::Conflicted
            | Phase::Paused
            | Phase::Failed
            | Phase::Restoring
            | Phase::Restored
            | Phase::Closed => false,
        };
        wanted.then_some(window)
    }
}
