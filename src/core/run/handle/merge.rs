//! The window and the merge: samples, the fresh look, the gate, the ticket.

use super::Pass;
use crate::core::{
    gate::{Conditions, MergeGate, Reason, Verdict, Window},
    model::{Fingerprint, Probe, Saw, Time},
    review::Phase,
    run::{Change, Event, MergeAnswer, health::sentence},
};

impl Change {
    pub(in crate::core::run) fn conditions(&self, now: Time) -> Option<Conditions<'_>> {
        let desk = self.desk.as_ref()?;
        Some(Conditions { now, sighting: self.sighting.as_deref()?, key: &desk.key, policy: &desk.policy, approvals: &self.standings, halted: self.halted })
    }

    /// Whether nothing but a fresh sample is missing for the merge.
    pub(in crate::core::run) fn wants_sample(&self) -> bool {
        !self.held.is_empty() && self.held.iter().all(only_time)
    }
}

fn only_time(reason: &Reason) -> bool {
    matches!(reason, Reason::NotConverged { .. } | Reason::Stale)
}

impl Pass<'_> {
    pub(super) fn merged(&mut self, answer: &MergeAnswer) {
        if self.change.merge.is_some() {
            self.emit(Event::MergeAnswered { answer: answer.clone(), at: self.now });
        }
    }

    /// Samples while the window runs.
    pub(super) fn verify(&mut self) {
        if self.gave_up_exemption() {
            return;
        }
        let Some(window) = &self.change.window else { return };
        if window.expired() {
            let late = window.late().and_then(|late| Some(sentence(late, late.wrong.as_ref()?)));
            let why = match (self.change.unhealthy.first(), late) {
                (Some((id, why)), _) => format!("{id} was not healthy in time: {why}"),
                (None, Some(late)) => format!("not healthy in time: {late}"),
                (None, None) => "what was written could not be seen equal and healthy for the whole window in time".to_owned(),
            };
            return self.emit(Event::GaveUp { why, at: self.now });
        }
        if window.held() && self.change.paused.is_none() {
            return self.emit(Event::MergeDue { at: self.now });
        }
        self.sample();
    }

    /// Gives up where what was skipped could be left out until now and no longer; true when it did.
    fn gave_up_exemption(&mut self) -> bool {
        let over = self.change.exemption_over(self.now).filter(|_| self.change.merge.is_none());
        if let Some(over) = over {
            self.emit(Event::GaveUp {
                why: format!("what was skipped could be left out until {over}, which is over; retry tries it again, and it may be skipped for longer"),
                at: self.now,
            });
        }
        over.is_some()
    }

    /// Takes a sample when one is due.
    fn sample(&mut self) {
        if self.change.sample_at().is_some_and(|at| at <= self.now) {
            let n = self.change.samples + 1;
            self.emit(Event::SampleAsked { n, step: None, at: self.now });
        }
        for probe in self.change.sampling().map(|window| window.probes_due(self.now)).unwrap_or_default() {
            let n = self.change.probes_asked + 1;
            self.emit(Event::ProbeAsked { probe, n, step: None, at: self.now });
        }
    }

    /// Asks for the health of steps that others wait for.
    pub(super) fn ask_health(&mut self) {
        if self.change.stopping.is_some() {
            return;
        }
        let due = |(at, window): (&u32, &Window)| {
            let own = window.due().is_some_and(|at| at <= self.now);
            (self.change.ledger.frontier.id(*at), own, window.probes_due(self.now))
        };
        let due: Vec<_> = self.change.ledger.health.iter().map(due).collect();
        for (step, own, probes) in due {
            if own {
                let n = self.change.samples + 1;
                self.emit(Event::SampleAsked { n, step: Some(step), at: self.now });
            }
            for probe in probes {
                let n = self.change.probes_asked + 1;
                self.emit(Event::ProbeAsked { probe, n, step: Some(step), at: self.now });
            }
        }
    }

    /// Asks the probe that a parked step waits for, if it is one.
    pub(super) fn ask_waited(&mut self, step: u32) {
        let ledger = &self.change.ledger;
        let (id, n) = (ledger.frontier.id(step), self.change.probes_asked + 1);
        if let Some(probe) = ledger.waited_probe(step).map(Probe::key) {
            self.emit(Event::ProbeAsked { probe, n, step: Some(id), at: self.now });
        }
    }

    pub(super) fn probed(&mut self, probe: Fingerprint, n: u64, saw: &Saw) {
        let ledger = &self.change.ledger;
        let waits = ledger.waits.iter().find(|(_, wait)| wait.question == Some(n)).map(|(step, _)| *step);
        if let Some(step) = waits.filter(|_| self.change.running) {
            let (id, attempt) = (ledger.frontier.id(step), ledger.attempts[step as usize]);
            if ledger.waited_probe(step).is_some_and(|waited| waited.key() == probe) {
                let (good, why) = match saw {
                    Saw::Good(_) => (true, String::new()),
                    Saw::Bad(why) | Saw::Nothing(why) => (false, why.to_string()),
                };
                self.emit(Event::Waited { step: id, attempt, good, why, at: self.now });
            }
            return;
        }
        let mut windows = self.change.window.iter().chain(self.change.ledger.health.values());
        if windows.any(|window| window.probes_asked().any(|(key, asked, _)| key == probe && asked == n)) {
            self.emit(Event::Probed { probe, n, saw: saw.clone(), at: self.now });
        }
    }

    /// Asks the merge gate. Returns true when the phase moved.
    pub(super) fn try_merge(&mut self) {
        if self.gave_up_exemption() {
            return;
        }
        let change = &*self.change;
        if change.merge.is_some() || change.paused.is_some() || change.asked.is_some() || change.merge_again.is_some_and(|at| at > self.now) {
            return;
        }
        let (Some(conditions), Some(window), Some(digest)) = (change.conditions(self.now), &change.window, change.digest()) else { return };
        let except = change.exempt(self.now);
        let gate = MergeGate { mr: &change.mr, conditions, digest, window, skipped: change.unexempted(self.now), except: except.as_ref(), unmerged: &change.counts_on() };
        match gate.judge() {
            Verdict::Go(ticket) => {
                let pin = ticket.pin().clone();
                if change.stage == Phase::Empty {
                    self.emit(Event::MergeDue { at: self.now });
                } else if change.fresh_look {
                    self.emit(Event::MergeAsked { pin: Box::new(pin), at: self.now });
                } else {
                    if !change.held.is_empty() {
                        self.hold(Vec::new());
                    }
                    if !self.change.look {
                        self.emit(Event::LookAsked);
                    }
                }
            }
            Verdict::Wait(reasons) | Verdict::No(reasons) => {
                self.hold(reasons);
                self.sample();
            }
        }
    }
}
