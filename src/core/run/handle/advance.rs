//! What follows by itself: start gate, run, window, merge gate, in whatever order the inputs made possible.

use super::Pass;
use crate::core::{
    gate::{Reason, StartGate, Verdict},
    model::{MrId, Time},
    review::{CommentId, Phase},
    run::{
        Event, PlanWhy,
        change::{Change, ClaimState},
    },
};

/// Phases that follow from one another within a turn: planning, queue, run, window, merge and back are fewer than this.
const ROUNDS: usize = 16;

impl Pass<'_> {
    /// Moves on until nothing more follows from what is known.
    pub(super) fn advance(&mut self) {
        if self.change.sighting.is_none() {
            if self.events.is_empty() && self.change.look {
                self.dues.push(super::Due::Look);
            }
            return;
        }
        for _ in 0..ROUNDS {
            let before = self.events.len();
            self.round();
            if self.events.len() == before {
                break;
            }
        }
        self.tidy();
        self.page();
    }

    /// Calls whoever answers for a change that holds claims for too long and does nothing.
    fn page(&mut self) {
        let (Some(at), Some(owner)) = (self.change.page_at(), self.change.answers_for()) else { return };
        if at > self.now {
            return;
        }
        self.emit(Event::Paged { owner, at: self.now });
        if let Some(text) = self.change.overdue_sentence() {
            self.emit(Event::Replying { to: CommentId::NOBODY, text, overrides: Vec::new(), upshot: None });
        }
    }

    fn round(&mut self) {
        if self.change.running {
            return self.roll();
        }
        if self.change.stopping.is_some() {
            return self.stopped();
        }
        self.again();
        if let Some(pin) = self.change.lost().cloned() {
            // Asked again, the forge reads it back.
            if self.change.merge_again.is_none_or(|at| at <= self.now) {
                self.emit(Event::MergeAsked { pin: Box::new(pin), at: self.now });
            }
            return;
        }
        match self.change.stage {
            Phase::AwaitingApproval | Phase::Queued | Phase::Restoring => self.try_start(),
            Phase::Verifying => {
                self.consider_plan();
                if self.change.stage == Phase::Verifying {
                    self.verify();
                }
            }
            Phase::Merging => {
                self.consider_plan();
                if self.change.stage == Phase::Merging {
                    self.try_merge();
                }
            }
            Phase::Empty => self.try_merge(),
            Phase::Planning | Phase::Rolling | Phase::Merged | Phase::Refused | Phase::Conflicted | Phase::Paused | Phase::Failed | Phase::Restored | Phase::Closed => {}
        }
    }

    /// Asks the planner again when the world did not answer.
    fn again(&mut self) {
        if let Some((at, restore)) = self.change.replan_at
            && at <= self.now
            && self.change.asked.is_none()
        {
            let Some(sighting) = &self.change.sighting else { return };
            let (base, head) = (sighting.base.clone(), sighting.head.clone());
            self.emit(Event::ReplanAsked { base, head, restore, why: PlanWhy::Again, at: Some(self.now) });
        }
    }

    /// Keeps why a gate is shut, when that changed.
    pub(super) fn hold(&mut self, reasons: Vec<Reason>) {
        let ends = reasons.iter().filter_map(|reason| match reason {
            Reason::Frozen { ends, .. } => *ends,
            Reason::NotOpen
            | Reason::Conflict
            | Reason::Outdated
            | Reason::Draft
            | Reason::Approvals { .. }
            | Reason::ChecksPending(_)
            | Reason::ChecksFailed(_)
            | Reason::Threads(_)
            | Reason::Behind { .. }
            | Reason::Unread(_)
            | Reason::Rules(_)
            | Reason::NotStarted
            | Reason::Queued { .. }
            | Reason::Halted
            | Reason::NotConverged { .. }
            | Reason::Stale
            | Reason::DependsOn(_)
            | Reason::Skipped(_)
            | Reason::Unmerged { .. } => None,
        });
        let until = ends.filter(|end| *end > self.now).min();
        let timed = self.change.start_again.is_some() || self.change.merge_again.is_some();
        if self.change.held != reasons || self.change.held_until != until || timed {
            self.emit(Event::Held { reasons, until });
        }
    }

    fn try_start(&mut self) {
        let now = self.now;
        let change = &*self.change;
        if change.asked.is_some() {
            return;
        }
        let Some(gate) = change.start_gate(now, Ok(())) else { return };
        match gate.ready() {
            Verdict::Wait(reasons) | Verdict::No(reasons) => return self.hold(reasons),
            Verdict::Go(()) => {}
        }
        if change.paused.is_some() {
            return self.hold(Vec::new());
        }
        match &change.claim {
            ClaimState::Queued(_) | ClaimState::Granted if change.claims_for != change.digest() => self.claim(),
            ClaimState::Queued(_) if change.claims_incident != change.is_incident() => self.claim(),
            ClaimState::Free => self.claim(),
            // One word with the board at a time: a second one could overtake the first.
            ClaimState::Asked | ClaimState::Freeing => self.hold(vec![Reason::Queued { ahead: Vec::new() }]),
            ClaimState::Queued(ahead) => {
                let ahead = ahead.iter().map(|(mr, _)| mr.clone()).collect();
                self.hold(vec![Reason::Queued { ahead }]);
            }
            ClaimState::Granted => {
                if change.start_asked.is_none() && change.start_again.is_none_or(|at| at <= now) {
                    let n = change.starts + 1;
                    if !change.held.is_empty() {
                        self.hold(Vec::new());
                    }
                    self.emit(Event::StartAsked { n, at: now });
                }
            }
        }
    }

    pub(super) fn claim(&mut self) {
        let n = self.change.claims_asked + 1;
        self.emit(Event::ClaimAsked { n });
    }

    /// The pre-images are what was approved: starts, if the gate still says go.
    pub(super) fn start(&mut self) {
        let change = &*self.change;
        let ahead: Vec<MrId> = match &change.claim {
            ClaimState::Granted if change.claims_for == change.digest() => Vec::new(),
            ClaimState::Queued(ahead) => ahead.iter().map(|(mr, _)| mr.clone()).collect(),
            ClaimState::Granted | ClaimState::Free | ClaimState::Asked | ClaimState::Freeing => vec![change.mr.clone()],
        };
        let granted = if ahead.is_empty() { Ok(()) } else { Err(ahead.as_slice()) };
        let Some(gate) = change.start_gate(self.now, granted) else { return };
        let n = change.starts;
        match gate.judge() {
            Verdict::Go(()) if change.paused.is_none() && change.asked.is_none() => self.emit(Event::Started { at: self.now }),
            // Shut again while the read was under way: what was read is thrown away, and read again when the gate opens.
            Verdict::Go(()) | Verdict::Wait(_) | Verdict::No(_) => self.emit(Event::StartMoved { n, moved: Vec::new() }),
        }
    }
}

impl Change {
    fn start_gate<'a>(&'a self, now: Time, granted: Result<(), &'a [MrId]>) -> Option<StartGate<'a>> {
        Some(StartGate { conditions: self.conditions(now)?, said: self.said_start, restore: self.is_restore(), granted })
    }
}
