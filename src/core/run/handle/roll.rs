//! The run: dispatches what the frontier offers, within limits, and ends at its end or its safe point.

use super::{Pass, prove::is_open};
use crate::core::{
    model::StepId,
    run::{
        Event, Outcome,
        evolve_run::is_sent,
        ledger::{At, Doing, Timer},
    },
};
use std::collections::BTreeSet;

impl Pass<'_> {
    pub(super) fn acted(&mut self, id: StepId, attempt: u32, outcome: &Outcome) {
        let ledger = &self.change.ledger;
        let Some(step) = ledger.frontier.at(id).filter(|_| self.change.running) else { return };
        // A second answer, from an act that a recovery did again, says nothing new.
        if ledger.attempts[step as usize] == attempt && self.doing(step) == Doing::Acting {
            self.emit(Event::Acted { step: id, attempt, outcome: outcome.clone(), at: self.now });
        }
    }

    /// Goes as far as the run can go now.
    pub(super) fn roll(&mut self) {
        self.timers();
        if !self.holds_writes() {
            while let Some(step) = self.change.ledger.frontier.next() {
                self.dispatch(step);
            }
        }
        self.ask_health();
        let ledger = &self.change.ledger;
        if ledger.over == ledger.frontier.len() {
            let stopping = self.change.stopping.clone();
            self.emit(Event::Finished { at: self.now });
            if let Some(why) = stopping {
                self.after(why);
            }
        } else if self.change.stopping.is_some() && ledger.in_flight.is_empty() {
            self.stopped();
        }
    }

    fn holds_writes(&self) -> bool {
        self.change.paused.is_some() || self.change.halted || self.change.stopping.is_some()
    }

    fn dispatch(&mut self, step: u32) {
        let ledger = &self.change.ledger;
        let id = ledger.frontier.id(step);
        let attempt = ledger.attempts[step as usize] + 1;
        let Some(spec) = ledger.plan.steps.get(&id) else { return };
        let blocked = ledger.blocked(step);
        let open = |item: usize, at: &At| is_open(*at) && !blocked.contains(&(item as u32));
        if !ledger.of(step).iter().enumerate().any(|(item, at)| open(item, at)) {
            return self.emit(Event::StepBlocked { step: id });
        }
        let act = is_sent(spec) && (spec.guard.is_none() || ledger.guarded.contains(&step));
        if act {
            let skip: BTreeSet<u32> = ledger.of(step).iter().enumerate().filter(|(item, at)| !open(*item, at)).map(|(item, _)| item as u32).collect();
            self.emit(Event::ActIntended { step: id, attempt, skip, at: self.now });
        } else {
            self.emit(Event::Parked { step: id, attempt, at: self.now });
            self.ask_waited(step);
        }
    }

    fn timers(&mut self) {
        while let Some((_, timer)) = self.due_timer() {
            let place = |step: u32| (self.change.ledger.frontier.id(step), self.change.ledger.attempts[step as usize]);
            match timer {
                Timer::Retry(step) => self.dispatch(step),
                Timer::Sample(step) if self.change.ledger.waited_probe(step).is_some() => self.ask_waited(step),
                Timer::Reprove(step) | Timer::Sample(step) => {
                    let (step, attempt) = place(step);
                    self.emit(Event::ProofAsked { step, attempt, at: self.now });
                }
                Timer::Edge(edge) => self.emit(Event::Elapsed { edge }),
                Timer::Deadline(step) => {
                    let (step, attempt) = place(step);
                    let why = "nobody said go before its deadline".to_owned();
                    self.emit(Event::Waited { step, attempt, good: false, why, at: self.now });
                }
            }
        }
    }

    fn due_timer(&self) -> Option<(crate::core::model::Time, Timer)> {
        let held = self.holds_writes();
        let stopping = self.change.stopping.is_some();
        let due = self.change.ledger.timers.iter().take_while(|(at, _)| *at <= self.now);
        due.copied().find(|(_, timer)| match timer {
            Timer::Retry(_) => !held,
            Timer::Reprove(_) => true,
            Timer::Sample(_) | Timer::Edge(_) | Timer::Deadline(_) => !stopping,
        })
    }
}
