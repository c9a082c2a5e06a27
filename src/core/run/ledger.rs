//! The ledger: how far each item of the running plan is, and what this change has written in all its runs.

use super::{
    Frontier, Item,
    exempt::{Exempted, Skip},
};
use crate::core::{
    gate::Window,
    model::{Digest, Fingerprint, Policy, ResourceId, StepId, Time, User, Value},
    plan::{Act, Earlier, ItemRef, Plan, Proof, Written},
    review::FailureKind,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Where one item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Pending,
    /// Written, or already so; not yet proven.
    Applied,
    /// It may have happened.
    Unknown,
    Proven,
    Failed,
    /// Something before it failed.
    Blocked,
    Skipped,
}

/// Where one step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Nothing,
    /// An act is under way.
    Acting,
    /// Its result is being read.
    Proving,
    /// It is read again later.
    Reproving,
    /// It is tried again later.
    Backoff,
    /// It waits for a fact or for people.
    Parked,
    Over,
}

/// A timer of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    Retry(u32),
    Reprove(u32),
    /// The next sample of a waited-for fact.
    Sample(u32),
    Edge(u32),
    Deadline(u32),
}

/// Why an item failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: FailureKind,
    pub why: String,
}

/// How a waited-for fact looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waited {
    pub good: u32,
    pub last: Time,
    pub asked: bool,
    /// The number of the question, where a probe is asked.
    pub question: Option<u64>,
    /// What the last answer was, where it was not good.
    pub why: Option<String>,
    /// Stretches between samples, each counted up to twice the interval.
    pub spent: u64,
}

/// An open obligation: a verb that must be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obligation {
    pub step: StepId,
    /// The step of the plan that closes it.
    pub closed_by: Option<StepId>,
}

/// Everything a run knows. Positions are those of the frontier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    pub(super) plan: Arc<Plan>,
    /// Its name by content.
    pub(super) digest: Option<Digest>,
    pub(super) frontier: Frontier,
    pub(super) doing: Vec<Doing>,
    pub(super) attempts: Vec<u32>,
    items: Vec<At>,
    item_at: Vec<u32>,
    /// Items by state, so that progress costs nothing.
    counts: Counts,
    pub(super) over: usize,
    /// Steps with an act or a proof under way or in doubt: what a safe point waits for.
    pub(super) in_flight: BTreeSet<u32>,
    pub(super) timers: BTreeSet<(Time, Timer)>,
    /// When each timer rings, so that it is found without looking at the others.
    armed: BTreeMap<Timer, Time>,
    /// Steps whose guard held; their act is next.
    pub(super) guarded: BTreeSet<u32>,
    pub(super) faults: BTreeMap<ItemRef, Fault>,
    pub(super) skips: BTreeMap<ItemRef, Skip>,
    /// Who said yes to merging without what was skipped.
    pub(super) exempted: Vec<Exempted>,
    /// How often a step's proof was asked without a verdict.
    pub(super) tries: BTreeMap<u32, u32>,
    /// Why the last try of a step, or the last read for it, came to nothing and is made again.
    pub(super) slow: BTreeMap<u32, String>,
    pub(super) waits: BTreeMap<u32, Waited>,
    pub(super) said: BTreeMap<u32, BTreeSet<User>>,
    /// Steps that are over and whose health others wait for.
    pub(super) health: BTreeMap<u32, Window>,
    /// When each step was over last, or when its act was answered.
    pub(super) since: Vec<Option<Time>>,
    /// Steps whose health held as long as others had to see it.
    pub(super) held: BTreeSet<u32>,
    /// What earlier runs wrote, one by one: caches remember longer than a run lasts.
    pub(super) earlier: Vec<Earlier>,
    /// By which the run began.
    pub(super) policy: Arc<Policy>,
    /// Acts so far, over all runs: the next run numbers its attempts from here, so that a late answer to an old act is none to a new one.
    pub(super) epoch: u32,
    /// Over all runs of this change, until it is merged or restored.
    pub(super) written: BTreeMap<ResourceId, Written>,
    /// Written and let go of: live until somebody changes it, and held by nobody.
    pub(super) given_up: BTreeMap<ResourceId, Written>,
}

/// How many items are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub all: usize,
    pub proven: usize,
    pub failed: usize,
    pub blocked: usize,
    pub skipped: usize,
}

impl Counts {
    fn of(&mut self, at: At) -> Option<&mut usize> {
        match at {
            At::Proven => Some(&mut self.proven),
            At::Failed => Some(&mut self.failed),
            At::Blocked => Some(&mut self.blocked),
            At::Skipped => Some(&mut self.skipped),
            At::Pending | At::Applied | At::Unknown => None,
        }
    }
}

impl Ledger {
    /// Begins a run of a plan on top of what was written before.
    pub(super) fn begin(&mut self, plan: Arc<Plan>, digest: Digest, policy: Arc<Policy>, at: Time) {
        let earlier = self.earlier();
        let frontier = Frontier::new(&plan);
        let mut item_at = Vec::with_capacity(frontier.len() + 1);
        let mut total = 0u32;
        for step in plan.steps.values() {
            item_at.push(total);
            total += step.items();
        }
        item_at.push(total);
        let epoch = self.attempts.iter().copied().max().unwrap_or(self.epoch).max(self.epoch);
        *self = Self {
            doing: vec![Doing::Nothing; frontier.len()],
            attempts: vec![epoch; frontier.len()],
            items: vec![At::Pending; total as usize],
            item_at,
            counts: Counts { all: total as usize, ..Counts::default() },
            epoch,
            since: vec![None; frontier.len()],
            earlier,
            written: std::mem::take(&mut self.written),
            frontier,
            plan,
            digest: Some(digest),
            policy,
            ..Self::default()
        };
        self.close_earlier(at);
    }

    /// The plan that runs, or ran last.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The steps that hold one back.
    pub fn why_blocked(&self, id: StepId) -> Vec<StepId> {
        self.frontier.why_blocked(id)
    }

    /// Steps with an act or a proof under way.
    pub fn in_flight(&self) -> Vec<StepId> {
        self.in_flight.iter().map(|step| self.frontier.id(*step)).collect()
    }

    /// What this change wrote and is not merged or restored yet.
    pub fn written(&self) -> &BTreeMap<ResourceId, Written> {
        &self.written
    }

    /// What this change wrote and let go of.
    pub fn given_up(&self) -> &BTreeMap<ResourceId, Written> {
        &self.given_up
    }

    /// What it last wrote, as content names.
    pub fn ours(&self) -> BTreeMap<ResourceId, Option<Fingerprint>> {
        self.written.iter().map(|(id, written)| (id.clone(), written.after.as_ref().map(Value::fingerprint))).collect()
    }

    pub fn doing(&self, id: StepId) -> Doing {
        self.frontier.at(id).map_or(Doing::Nothing, |step| self.doing[step as usize])
    }

    pub fn attempts(&self, id: StepId) -> u32 {
        self.frontier.at(id).map_or(0, |step| self.attempts[step as usize] - self.epoch)
    }

    /// Where a step's items are, in its order.
    pub fn items(&self, id: StepId) -> &[At] {
        self.frontier.at(id).map_or(&[], |step| self.of(step))
    }

    pub fn faults(&self) -> &BTreeMap<ItemRef, Fault> {
        &self.faults
    }

    /// Who said go at an approve step.
    pub fn said(&self, id: StepId) -> Option<&BTreeSet<User>> {
        self.frontier.at(id).and_then(|step| self.said.get(&step))
    }

    /// Verbs that are done and whose closing verb is not.
    pub fn obligations(&self) -> Vec<Obligation> {
        let proven = |id: StepId| self.items(id).first() == Some(&At::Proven);
        let closers: BTreeMap<StepId, StepId> = self.plan.steps.values().filter_map(|step| Some((closes(&step.act)?, step.id))).collect();
        let open = closers.iter().filter(|(opened, closer)| (proven(**opened) || self.items(**opened).first() == Some(&At::Applied)) && !proven(**closer));
        open.map(|(opened, closer)| Obligation { step: *opened, closed_by: Some(*closer) }).collect()
    }

    /// The failed or blocked item before a blocked step.
    pub(super) fn why_stuck(&self, id: StepId) -> Option<ItemRef> {
        let step = self.frontier.at(id)?;
        self.frontier.before(step).find_map(|(_, before)| {
            let item = self.of(before).iter().position(|at| matches!(at, At::Failed | At::Blocked))?;
            Some(ItemRef { step: self.frontier.id(before), item: item as u32 })
        })
    }

    pub(super) fn of(&self, step: u32) -> &[At] {
        &self.items[self.item_at[step as usize] as usize..self.item_at[step as usize + 1] as usize]
    }

    pub(super) fn set(&mut self, step: u32, item: u32, to: At) {
        let at = (self.item_at[step as usize] + item) as usize;
        let from = std::mem::replace(&mut self.items[at], to);
        if let Some(count) = self.counts.of(from) {
            *count -= 1;
        }
        if let Some(count) = self.counts.of(to) {
            *count += 1;
        }
        if to != At::Failed && !self.faults.is_empty() {
            self.faults.remove(&ItemRef { step: self.frontier.id(step), item });
        }
    }

    pub(super) fn arm(&mut self, at: Time, timer: Timer) {
        self.disarm(timer);
        self.timers.insert((at, timer));
        self.armed.insert(timer, at);
    }

    pub(super) fn disarm(&mut self, timer: Timer) {
        if let Some(at) = self.armed.remove(&timer) {
            self.timers.remove(&(at, timer));
        }
    }

    /// Disarms all that a step may have set.
    pub(super) fn disarm_step(&mut self, step: u32) {
        if !self.armed.is_empty() {
            [Timer::Retry(step), Timer::Reprove(step), Timer::Sample(step), Timer::Deadline(step)].into_iter().for_each(|timer| self.disarm(timer));
        }
    }

    /// Shifts every timer back.
    pub(super) fn clock_back(&mut self, by: crate::core::model::Span) {
        let back = |at: Time| Time(at.0.saturating_sub_unsigned(by.0));
        self.timers = std::mem::take(&mut self.timers).into_iter().map(|(at, timer)| (back(at), timer)).collect();
        self.armed.values_mut().for_each(|at| *at = back(*at));
        self.waits.values_mut().for_each(|wait| wait.last = back(wait.last));
        self.health.values_mut().for_each(|window| window.clock_back(by));
        self.since.iter_mut().flatten().chain(self.earlier.iter_mut().map(|earlier| &mut earlier.at)).for_each(|at| *at = back(*at));
    }

    pub(super) fn fail(&mut self, step: u32, item: u32, kind: FailureKind, why: impl Into<String>) {
        self.set(step, item, At::Failed);
        self.faults.insert(ItemRef { step: self.frontier.id(step), item }, Fault { kind, why: why.into() });
    }

    /// Notes that the item's write happened, or may have.
    pub(super) fn wrote(&mut self, step: u32, item: u32) {
        let plan = self.plan.clone();
        let Some(write) = plan.steps.get(&self.frontier.id(step)).and_then(|step| step.writes().get(item as usize)) else { return };
        match self.written.get_mut(&write.id) {
            Some(written) => written.after = write.to.clone(),
            None => drop(self.written.insert(write.id.clone(), Written { before: write.from.clone(), after: write.to.clone() })),
        }
    }

    /// The items of a ready step that something failed before them blocks.
    pub(super) fn blocked(&self, step: u32) -> BTreeSet<u32> {
        let mut out = BTreeSet::new();
        if self.counts.failed + self.counts.blocked == 0 {
            return out;
        }
        let stuck = |at: &At| matches!(at, At::Failed | At::Blocked);
        for (edge, before) in self.frontier.before(step) {
            let items = self.of(before);
            if !items.iter().any(stuck) {
                continue;
            }
            let pairs = &self.plan.edges[edge as usize].items;
            if pairs.is_empty() {
                out.extend(0..self.of(step).len() as u32);
            }
            out.extend(pairs.iter().filter(|(from, _)| items.get(*from as usize).is_some_and(stuck)).map(|(_, to)| *to));
        }
        out
    }

    /// Whether the step's own act leaves nothing that could be read again.
    pub(super) fn unprovable(&self, step: u32) -> bool {
        match self.plan.steps.get(&self.frontier.id(step)).map(|step| (&step.proof, step.writes().is_empty())) {
            Some((Proof::Cannot(_), _)) | None => true,
            Some((Proof::Settled, no_writes)) => no_writes,
            Some((Proof::Fact(_) | Proof::NoChange, _)) => false,
        }
    }
}

fn closes(act: &Act) -> Option<StepId> {
    match act {
        Act::Verb { closes, .. } => *closes,
        Act::Write(_) | Act::Run { .. } | Act::Wait(_) | Act::Check(_) | Act::Approve { .. } | Act::Pause | Act::Earlier(_) => None,
    }
}

/// What an outcome's item means for the ledger.
pub(super) fn takes_effect(item: &Item) -> Option<At> {
    match item {
        Item::Done | Item::Already => Some(At::Applied),
        Item::Unknown => Some(At::Unknown),
        Item::Moved(_) | Item::Refused(_) | Item::Failed { .. } | Item::NotTried => None,
    }
}
