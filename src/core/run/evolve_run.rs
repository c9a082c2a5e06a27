//! The transition table's part about a run: what events of steps make of the ledger.

use super::{
    Change, Item, Outcome, Verdict, backoff,
    evolve::{Fold, must},
    exempt::Skip,
    ledger::{At, Doing, Ledger, Timer, Waited, takes_effect},
};
use crate::core::{
    model::{Policy, StepId, Time, User},
    plan::{Act, ItemRef, Needs, Step},
    review::FailureKind,
};
use std::collections::BTreeSet;

impl Change {
    /// The position of a step that is in this state with this attempt.
    fn place(&self, id: StepId, attempt: u32, doing: &[Doing]) -> Result<u32, &'static str> {
        must(self.running, "no run is under way")?;
        let step = self.ledger.frontier.at(id).ok_or("the plan has no such step")?;
        must(self.ledger.attempts[step as usize] == attempt, "another attempt is under way")?;
        must(doing.contains(&self.ledger.doing[step as usize]), "the step is elsewhere")?;
        Ok(step)
    }

    /// The position of a step that may be begun, or tried again.
    fn begin(&mut self, id: StepId, attempt: u32, room: bool) -> Result<u32, &'static str> {
        must(self.running, "no run is under way")?;
        let step = self.ledger.frontier.at(id).ok_or("the plan has no such step")?;
        let doing = self.ledger.doing[step as usize];
        must(doing == Doing::Backoff || doing == Doing::Nothing && self.ledger.frontier.is_ready(step), "something is before it")?;
        must(self.ledger.attempts[step as usize] + 1 == attempt, "attempts are numbered one by one")?;
        self.ledger.attempts[step as usize] = attempt;
        self.ledger.disarm_step(step);
        self.ledger.frontier.enter(step, room);
        Ok(step)
    }

    pub(super) fn act_intended(&mut self, id: StepId, attempt: u32, skip: &BTreeSet<u32>, at: Time) -> Fold {
        let step = self.begin(id, attempt, true)?;
        self.tell(at);
        self.ledger.doing[step as usize] = Doing::Acting;
        self.ledger.in_flight.insert(step);
        for item in skip {
            if self.ledger.of(step).get(*item as usize) == Some(&At::Pending) {
                self.ledger.set(step, *item, At::Blocked);
            }
        }
        Ok(())
    }

    pub(super) fn acted(&mut self, id: StepId, attempt: u32, outcome: &Outcome, at: Time) -> Fold {
        let step = self.place(id, attempt, &[Doing::Acting])?;
        self.tell(at);
        self.ledger.slow.remove(&step);
        self.ledger.since[step as usize] = Some(at);
        let unprovable = self.ledger.unprovable(step);
        let last = self.ledger.tried(step) >= backoff::ACTS;
        let veil = self.veil();
        let plan = self.ledger.plan.clone();
        let writes = plan.steps.get(&id).map_or(&[][..], Step::writes);
        for item in 0..self.ledger.of(step).len() as u32 {
            if self.ledger.of(step)[item as usize] != At::Pending {
                continue;
            }
            // A driver that answered for fewer items than it was given left the rest in doubt.
            let found = outcome.items.get(item as usize).unwrap_or(&Item::Unknown);
            match (takes_effect(found), found) {
                (Some(At::Unknown), _) if unprovable => {
                    self.ledger.fail(step, item, FailureKind::Unknown, "it may or may not have happened, and nothing can be read to tell; a person must look");
                }
                (Some(state), _) => {
                    // What somebody else wrote before us is theirs: a way back leaves it alone (I11).
                    if *found != Item::Already {
                        self.ledger.wrote(step, item);
                    }
                    self.ledger.set(step, item, if unprovable { At::Proven } else { state });
                }
                (None, Item::Moved(found)) => {
                    let is = writes.get(item as usize).map_or_else(String::new, |write| veil.shown(&write.id, found.as_ref()));
                    let why = format!("live is {is}, which is neither what was approved to be there nor what was to be written");
                    self.ledger.fail(step, item, FailureKind::Moved { found: found.clone() }, why);
                }
                (None, Item::Refused(refusal)) => self.ledger.fail(step, item, FailureKind::Refused, refusal.to_string()),
                (None, Item::Failed { transient: false, why }) => self.ledger.fail(step, item, FailureKind::Refused, why.clone()),
                (None, Item::Failed { transient: true, why }) if last => self.ledger.fail(step, item, FailureKind::GaveUp, why.clone()),
                (None, Item::NotTried) if last => self.ledger.fail(step, item, FailureKind::GaveUp, "the act stopped before it every time"),
                (None, Item::Failed { transient: true, why }) => drop(self.ledger.slow.insert(step, why.clone())),
                (None, Item::NotTried) | (None, Item::Done | Item::Already | Item::Unknown) => {}
            }
        }
        let proving = self.ledger.of(step).iter().any(|at| matches!(at, At::Applied | At::Unknown));
        if proving && self.ledger.of(step).iter().all(|at| *at != At::Unknown) {
            self.ledger.release(step, |needs| needs == Needs::Applied, at);
        }
        if proving {
            self.ledger.doing[step as usize] = Doing::Proving;
        } else {
            self.onward(step, at);
        }
        Ok(())
    }

    pub(super) fn proof_asked(&mut self, id: StepId, attempt: u32, at: Time) -> Fold {
        let step = self.place(id, attempt, &[Doing::Reproving, Doing::Parked])?;
        self.tell(at);
        self.ledger.disarm(Timer::Reprove(step));
        self.ledger.disarm(Timer::Sample(step));
        if self.ledger.doing[step as usize] == Doing::Parked {
            self.ledger.waits.get_mut(&step).ok_or("the step waits for no fact")?.asked = true;
        } else {
            self.ledger.doing[step as usize] = Doing::Proving;
        }
        Ok(())
    }

    pub(super) fn proven(&mut self, id: StepId, attempt: u32, at: Time) -> Fold {
        let step = self.place(id, attempt, &[Doing::Proving])?;
        self.tell(at);
        self.ledger.slow.remove(&step);
        for item in 0..self.ledger.of(step).len() as u32 {
            if matches!(self.ledger.of(step)[item as usize], At::Applied | At::Unknown) {
                self.ledger.set(step, item, At::Proven);
            }
        }
        self.onward(step, at);
        Ok(())
    }

    pub(super) fn proof_read(&mut self, id: StepId, attempt: u32, items: &[(u32, Verdict)], at: Time) -> Fold {
        let step = self.place(id, attempt, &[Doing::Proving])?;
        self.tell(at);
        self.ledger.slow.remove(&step);
        let tries = self.ledger.tries.entry(step).or_insert(0);
        *tries += 1;
        let last = *tries >= backoff::PROOFS;
        for (item, verdict) in items {
            let now = self.ledger.of(step).get(*item as usize).copied().ok_or("the step has no such item")?;
            match (verdict, now) {
                (Verdict::Proven, _) => self.ledger.set(step, *item, At::Proven),
                // Nothing was written: tried again, with a precondition that makes a second write impossible.
                (Verdict::NotHappened, At::Unknown) => self.ledger.set(step, *item, At::Pending),
                (Verdict::NotHappened, _) if last => self.ledger.fail(step, *item, FailureKind::Unproven, "it was written, and it reads as if it was not"),
                (Verdict::NotYet { why }, _) if last => self.ledger.fail(step, *item, FailureKind::Unproven, why.clone()),
                (Verdict::NotYet { why }, _) => drop(self.ledger.slow.insert(step, why.clone())),
                (Verdict::NotHappened, _) => {}
                (Verdict::Moved { found }, _) => {
                    self.ledger.fail(step, *item, FailureKind::Unproven, format!("it reads {found} after the write: somebody else writes it too"));
                }
                (Verdict::Failed { why }, _) => self.ledger.fail(step, *item, FailureKind::Unhealthy, why.clone()),
            }
        }
        if self.ledger.of(step).iter().any(|at| matches!(at, At::Applied | At::Unknown)) {
            self.ledger.doing[step as usize] = Doing::Reproving;
            let wait = backoff::wait(id, self.ledger.tries.get(&step).copied().unwrap_or(1));
            self.ledger.arm(at + wait, Timer::Reprove(step));
        } else {
            self.onward(step, at);
        }
        Ok(())
    }

    /// After an act or a proof: tries what is open again, or closes the step.
    fn onward(&mut self, step: u32, at: Time) {
        self.ledger.frontier.leave(step);
        self.ledger.in_flight.remove(&step);
        if self.ledger.of(step).contains(&At::Pending) {
            let tried = self.ledger.tried(step);
            if tried >= backoff::ACTS {
                for item in 0..self.ledger.of(step).len() as u32 {
                    if self.ledger.of(step)[item as usize] == At::Pending {
                        self.ledger.fail(step, item, FailureKind::GaveUp, "tried as often as is worth it, and it did not happen");
                    }
                }
            } else {
                self.ledger.doing[step as usize] = Doing::Backoff;
                let wait = backoff::wait(self.ledger.frontier.id(step), tried);
                self.ledger.arm(at + wait, Timer::Retry(step));
                return;
            }
        }
        self.ledger.close(step, at);
    }

    pub(super) fn parked(&mut self, id: StepId, attempt: u32, at: Time) -> Fold {
        let step = self.begin(id, attempt, false)?;
        self.tell(at);
        self.ledger.doing[step as usize] = Doing::Parked;
        let spec = self.ledger.plan.steps.get(&id).ok_or("the plan has no such step")?;
        match &spec.act {
            Act::Wait(until) | Act::Check(until) => {
                // A probe's question has a number of its own, which follows.
                let asked = until.probe.is_none();
                self.ledger.waits.insert(step, Waited { good: 0, last: at, asked, question: None, why: None, spent: 0 });
            }
            Act::Approve { .. } | Act::Pause if spec.deadline.0 > 0 => self.ledger.arm(at + spec.deadline, Timer::Deadline(step)),
            Act::Approve { .. } | Act::Pause => {}
            // Its guard is read before the act.
            Act::Write(_) | Act::Verb { .. } | Act::Run { .. } if spec.guard.is_some() => {
                drop(self.ledger.waits.insert(step, Waited { good: 0, last: at, asked: true, question: None, why: None, spent: 0 }))
            }
            Act::Write(_) | Act::Verb { .. } | Act::Run { .. } | Act::Earlier(_) => return Err("an act is not waited for"),
        }
        Ok(())
    }

    pub(super) fn waited(&mut self, id: StepId, attempt: u32, good: bool, why: &str, at: Time) -> Fold {
        let step = self.place(id, attempt, &[Doing::Parked])?;
        self.tell(at);
        let plan = self.ledger.plan.clone();
        let spec = plan.steps.get(&id).ok_or("the plan has no such step")?;
        match self.ledger.waits.get_mut(&step) {
            // A person's word, or the deadline for it.
            None if good => self.ledger.end(step, At::Proven, at),
            None => {
                self.ledger.fail(step, 0, FailureKind::GaveUp, why);
                self.ledger.close(step, at);
            }
            Some(wait) => {
                let until = spec.waits_on().ok_or("the step waits for no fact")?;
                let (check, guard) = (matches!(spec.act, Act::Check(_)), is_sent(spec));
                let gap = until.every.0.saturating_mul(2);
                let since = (at - wait.last).0;
                // The same rule as the health window: samples in a row without a gap, and no stretch counts for more than a gap.
                wait.good = if !good {
                    0
                } else if since > gap && wait.good > 0 {
                    1
                } else {
                    wait.good + 1
                };
                wait.spent += since.min(gap);
                (wait.last, wait.asked, wait.question) = (at, false, None);
                wait.why = (!good).then(|| if until.probe.is_some() { format!("{}: {why}", until.fact) } else { why.to_owned() });
                let (held, late) = (wait.good >= until.samples, wait.spent >= until.deadline.0);
                let fails = check && !good || late && until.on_deadline == crate::core::plan::OnDeadline::Stop;
                if (held || late && !fails) && guard {
                    self.ledger.waits.remove(&step);
                    self.ledger.guarded.insert(step);
                    self.ledger.doing[step as usize] = Doing::Nothing;
                    self.ledger.frontier.offer(step);
                } else if held || late && !fails {
                    self.ledger.end(step, At::Proven, at);
                } else if fails {
                    let said = if check { "the check did not hold" } else { "it did not come true before its deadline" };
                    for item in 0..self.ledger.of(step).len() as u32 {
                        if self.ledger.of(step)[item as usize] == At::Pending {
                            self.ledger.fail(step, item, FailureKind::GaveUp, format!("{said}: {why}"));
                        }
                    }
                    self.ledger.close(step, at);
                } else {
                    self.ledger.arm(at + until.every, Timer::Sample(step));
                }
            }
        }
        Ok(())
    }

    pub(super) fn step_approved(&mut self, id: StepId, by: &User, at: Time) -> Fold {
        let step = self.ledger.frontier.at(id).ok_or("the plan has no such step")?;
        must(self.running && self.ledger.doing[step as usize] == Doing::Parked, "the step waits for no approval")?;
        self.tell(at);
        let plan = self.ledger.plan.clone();
        let Some(Act::Approve { by: rule }) = plan.steps.get(&id).map(|spec| &spec.act) else { return Err("the step waits for no approval") };
        let said = self.ledger.said.entry(step).or_default();
        said.insert(by.clone());
        if said.len() as u32 >= rule.count {
            self.ledger.end(step, At::Proven, at);
        }
        Ok(())
    }

    pub(super) fn step_blocked(&mut self, id: StepId) -> Fold {
        let step = self.ledger.frontier.at(id).ok_or("the plan has no such step")?;
        must(self.running && self.ledger.doing[step as usize] == Doing::Nothing && self.ledger.frontier.is_ready(step), "the step is elsewhere")?;
        self.ledger.frontier.enter(step, false);
        self.ledger.end(step, At::Blocked, self.clock);
        Ok(())
    }

    pub(super) fn elapsed(&mut self, edge: u32) -> Fold {
        must(self.running && self.ledger.frontier.is_open(edge), "that edge holds nothing back")?;
        self.ledger.disarm(Timer::Edge(edge));
        self.ledger.frontier.release(edge);
        Ok(())
    }

    pub(super) fn skipped(&mut self, id: StepId, by: &User, reason: &str, until: Option<Time>, at: Option<Time>) -> Fold {
        let step = self.ledger.frontier.at(id).ok_or("the plan has no such step")?;
        must(!self.running, "a run is under way")?;
        must(self.claim == super::change::ClaimState::Granted, "nothing runs without claims")?;
        must(self.ledger.of(step).contains(&At::Failed), "only what failed is skipped")?;
        if let Some(at) = at {
            self.tell(at);
        }
        let lasts = self.policy().map_or_else(|| Policy::default().exemption, |policy| policy.exemption);
        let until = until.unwrap_or(self.clock + lasts);
        let skip = Skip { by: by.clone(), reason: reason.to_owned(), until };
        // Yes was said to less.
        self.forget_exemption();
        for item in 0..self.ledger.of(step).len() as u32 {
            if self.ledger.of(step)[item as usize] == At::Failed {
                self.ledger.set(step, item, At::Skipped);
                // What somebody else skipped of the step before stays theirs.
                self.ledger.skips.insert(ItemRef { step: id, item }, skip.clone());
            }
        }
        // What waited behind it goes on: the run is open again for exactly those.
        if self.ledger.reopen_blocked(self.clock) {
            self.running = true;
            self.stage = if self.is_restore() { crate::core::review::Phase::Restoring } else { crate::core::review::Phase::Rolling };
        }
        Ok(())
    }
}

impl Ledger {
    /// Tries since the run began, or since a person said retry.
    pub(super) fn tried(&self, step: u32) -> u32 {
        self.attempts[step as usize].saturating_sub(self.epoch)
    }

    /// Sets what is open of a step and closes it.
    pub(super) fn end(&mut self, step: u32, to: At, at: Time) {
        for item in 0..self.of(step).len() as u32 {
            if self.of(step)[item as usize] == At::Pending {
                self.set(step, item, to);
            }
        }
        self.close(step, at);
    }

    fn close(&mut self, step: u32, at: Time) {
        self.disarm_step(step);
        self.guarded.remove(&step);
        self.waits.remove(&step);
        self.tries.remove(&step);
        self.doing[step as usize] = Doing::Over;
        self.since[step as usize] = Some(at);
        self.over += 1;
        let waits = self.begin_health(step);
        self.release(step, |needs| !(waits && needs == Needs::Healthy), at);
    }

    /// Lets go of the edges that leave a step and need no more than this.
    pub(super) fn release(&mut self, step: u32, enough: impl Fn(Needs) -> bool, at: Time) {
        // What never happened is remembered by nobody.
        let happened = self.of(step).contains(&At::Proven);
        for place in self.frontier.leaving(step) {
            let (edge, needs, open) = self.frontier.out(place);
            if !open || !enough(needs) {
                continue;
            }
            match needs {
                Needs::Elapsed(_) if !happened => self.frontier.release(edge),
                Needs::Elapsed(span) => self.arm(self.counts_from(edge, at) + span, Timer::Edge(edge)),
                Needs::Applied | Needs::Proven | Needs::Healthy => self.frontier.release(edge),
            }
        }
    }

    /// Opens failed, blocked, skipped and unfinished items again; false when there are none.
    pub(super) fn reopen(&mut self, now: Time) -> bool {
        self.skips.clear();
        self.exempted.clear();
        self.open_again(now, |at| matches!(at, At::Failed | At::Blocked | At::Skipped | At::Pending))
    }

    /// Opens blocked items again, after what blocked them was skipped.
    fn reopen_blocked(&mut self, now: Time) -> bool {
        self.open_again(now, |at| matches!(at, At::Blocked | At::Pending))
    }

    fn open_again(&mut self, now: Time, which: impl Fn(At) -> bool) -> bool {
        let steps = self.frontier.len() as u32;
        let open: Vec<bool> = (0..steps).map(|step| self.of(step).iter().any(|at| which(*at))).collect();
        if !open.contains(&true) {
            return false;
        }
        self.frontier = super::Frontier::new(&self.plan);
        self.epoch = self.attempts.iter().copied().max().unwrap_or(self.epoch);
        self.attempts.fill(self.epoch);
        let timers: Vec<Timer> = self.timers.iter().map(|(_, timer)| *timer).collect();
        timers.into_iter().for_each(|timer| self.disarm(timer));
        self.guarded.clear();
        self.health.clear();
        self.over = 0;
        for step in 0..steps {
            self.doing[step as usize] = if open[step as usize] { Doing::Nothing } else { Doing::Over };
            for item in 0..self.of(step).len() as u32 {
                if which(self.of(step)[item as usize]) {
                    self.set(step, item, At::Pending);
                }
            }
        }
        // What is over holds nothing back; an elapsed edge is not waited for twice.
        for step in 0..steps {
            if self.doing[step as usize] == Doing::Over {
                self.over += 1;
                self.frontier.retire(step);
                let waits = self.begin_health(step);
                for place in self.frontier.leaving(step) {
                    let (edge, needs, _) = self.frontier.out(place);
                    if !(waits && needs == Needs::Healthy) {
                        self.frontier.release(edge);
                    }
                }
            }
        }
        self.close_earlier(now);
        true
    }
}

/// Whether a step's act is sent to a target.
pub(super) fn is_sent(step: &Step) -> bool {
    match step.act {
        Act::Write(_) | Act::Verb { .. } | Act::Run { .. } => true,
        Act::Wait(_) | Act::Check(_) | Act::Approve { .. } | Act::Pause | Act::Earlier(_) => false,
    }
}
