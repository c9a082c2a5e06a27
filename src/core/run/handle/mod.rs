//! One turn: inputs in, events and effects out; one file a family of inputs.

mod advance;
mod answers;
mod commands;
mod exempt;
mod merge;
mod prove;
mod roll;
mod sighted;
mod spoken;

use super::{Card, Change, Event, Input, Turn, due::Due, ledger::Doing};
use crate::core::{
    model::{Span, Time},
    review::{Answer, Phase},
};
use std::collections::VecDeque;

/// A clock that steps back by less is only imprecise: timers are late by no more than this.
const CLOCK_SLACK: Span = Span::secs(2);

/// One turn in the making. The change moves only by events.
pub(super) struct Pass<'a> {
    pub change: &'a mut Change,
    pub now: Time,
    events: Vec<Event>,
    dues: Vec<Due>,
    said: Vec<Answer>,
}

impl Change {
    /// Takes inputs in and decides one turn. Pure but for this change, which moves by `evolve` alone.
    ///
    /// Effects leave the turn only against the receipt of its events. When they cannot be kept, drop this change and recover it.
    pub fn handle(&mut self, now: Time, inputs: &[Input]) -> Turn {
        let before = (self.phase(), self.next_wake());
        let mut pass = Pass { change: self, now, events: Vec::new(), dues: Vec::new(), said: Vec::new() };
        pass.clock();
        let mut ticked = false;
        for input in inputs {
            ticked |= matches!(input, Input::Tick);
            pass.take(input);
        }
        pass.advance();
        let Pass { events, mut dues, said, .. } = pass;
        dues.sort_unstable();
        dues.dedup();
        let mut effects: Vec<_> = dues.into_iter().filter_map(|due| self.effect(due)).collect();
        if let Some(face) = self.face_if_new(now, !events.is_empty(), before.0) {
            effects.push(super::Effect::Show(Box::new(face)));
        }
        let wake = self.next_wake();
        if let Some(at) = wake.filter(|_| ticked || wake != before.1) {
            effects.push(super::Effect::Wake(at));
        }
        Turn::new(events, self.card(), effects).saying(said)
    }
}

impl Pass<'_> {
    /// Moves the change by one event and notes what that asks for.
    ///
    /// A handler checks before it emits; an event that is illegal here is a bug of a handler, and dropping it leaves the change where it was.
    pub fn emit(&mut self, event: Event) {
        if let Err(illegal) = self.change.evolve(&event) {
            debug_assert!(false, "{illegal}");
            return;
        }
        self.ask(&event);
        self.events.push(event);
    }

    fn ask(&mut self, event: &Event) {
        let at = |id| self.change.ledger.frontier.at(id);
        let due = match event {
            Event::LookAsked | Event::MergeDue { .. } => Some(Due::Look),
            Event::MergeAnswered { .. } if self.change.look => Some(Due::Look),
            // One at a time: what is owed before it goes first.
            Event::Replying { to, .. } => self.change.owed.get(to).filter(|owed| owed.len() == 1).map(|_| Due::Reply(*to)),
            Event::Replied { to } => self.change.owed.get(to).map(|_| Due::Reply(*to)),
            Event::ReplanAsked { .. } => Some(Due::Plan),
            Event::ClaimAsked { .. } => Some(Due::Claim),
            Event::UnclaimAsked => Some(Due::Unclaim),
            Event::HaltSaid { .. } => Some(Due::Halt),
            Event::StartAsked { .. } => Some(Due::Start),
            Event::ActIntended { step, .. } => at(*step).map(Due::Act),
            Event::Acted { step, .. } | Event::ProofAsked { step, .. } | Event::Parked { step, .. } => at(*step).map(Due::Read),
            Event::SampleAsked { step: None, .. } => Some(Due::Sample),
            Event::SampleAsked { step: Some(step), .. } => at(*step).map(Due::StepSample),
            Event::ProbeAsked { probe, step, .. } => Some(Due::Probe(step.and_then(at), *probe)),
            Event::MergeAsked { .. } => Some(Due::Merge),
            Event::Sighted { .. }
            | Event::Heard { .. }
            | Event::Vouched { .. }
            | Event::Planned { .. }
            | Event::Approved { .. }
            | Event::Withdrawn { .. }
            | Event::ReviewEarly { .. }
            | Event::Published { .. }
            | Event::ApprovalWaits(_)
            | Event::StartSaid { .. }
            | Event::Held { .. }
            | Event::Claimed { .. }
            | Event::Unclaimed
            | Event::StartUnread { .. }
            | Event::StartMoved { .. }
            | Event::Started { .. }
            | Event::Proven { .. }
            | Event::ProofRead { .. }
            | Event::Waited { .. }
            | Event::StepApproved { .. }
            | Event::StepBlocked { .. }
            | Event::Elapsed { .. }
            | Event::Skipped { .. }
            | Event::Exempted { .. }
            | Event::Retried { .. }
            | Event::Finished { .. }
            | Event::Sampled { .. }
            | Event::Probed { .. }
            | Event::GaveUp { .. }
            | Event::MergeAnswered { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Stopping { .. }
            | Event::Stopped { .. }
            | Event::Freed { .. }
            | Event::Paged { .. }
            | Event::Taken { .. }
            | Event::Halted(_)
            | Event::Carried { .. }
            | Event::ClockBack { .. } => None,
        };
        self.dues.extend(due);
    }

    /// A clock that went back would leave every timer in the far future.
    fn clock(&mut self) {
        let clock = self.change.clock;
        if self.now < clock && (clock - self.now).0 > CLOCK_SLACK.0 {
            self.emit(Event::ClockBack { now: self.now });
        }
    }

    fn take(&mut self, input: &Input) {
        match input {
            Input::Sighted(sighting) => self.sighted(sighting),
            Input::Command { by, right, command, plan } => {
                let answer = self.of_another_plan(command, *plan).unwrap_or_else(|| self.command(by, *right, command));
                self.said.push(answer);
            }
            Input::Planned(answer) => self.planned(answer),
            Input::Observed { ask, seen } => self.observed(ask, seen),
            Input::Probed { probe, n, saw } => self.probed(*probe, *n, saw),
            Input::Acted { step, attempt, outcome } => self.acted(*step, *attempt, outcome),
            Input::Claimed { n, answer } => self.claimed(*n, answer),
            Input::Unclaimed => self.unclaimed(),
            Input::Replied { to, text } => {
                // An answer that was given twice, after a recovery, answers no other.
                if self.change.owed.get(to).and_then(VecDeque::front).is_some_and(|owed| owed.text == *text) {
                    self.emit(Event::Replied { to: *to });
                }
            }
            Input::Shown { digest, at } => self.shown(*digest, *at),
            Input::Merged(answer) => self.merged(answer),
            Input::Unbacked(gone) => self.unbacked(gone),
            Input::OwnersMoved => self.owners_moved(),
            Input::Halt(halted) => {
                if self.change.halted != *halted || self.change.halt_said == Some(*halted) {
                    self.emit(Event::Halted(*halted));
                }
            }
            Input::Carried { by } => {
                if self.change.carried_by.as_ref() != Some(by) {
                    self.emit(Event::Carried { by: by.clone(), at: self.now });
                }
            }
            Input::Tick => {}
        }
    }

    /// Where a step is.
    pub fn doing(&self, step: u32) -> Doing {
        self.change.ledger.doing[step as usize]
    }
}

/// How many items more must be over before the face is made again, in parts of the whole: a face costs as much as the plan is long.
const FACE_PARTS: usize = 100;
/// And how long at least between two faces that differ in progress only: a second for so many items, since a face of more costs more.
const FACE_PAUSE: Span = Span::secs(1);
const FACE_ITEMS: usize = 10_000;

impl Change {
    /// The face, when something visible changed.
    fn face_if_new(&mut self, now: Time, moved: bool, phase: Phase) -> Option<crate::core::review::Face> {
        if !moved {
            return None;
        }
        let counts = self.ledger.counts();
        let over = counts.proven + counts.skipped + counts.blocked;
        if let Some((at, shown)) = self.frame.shown_at
            && self.running
            && phase == self.phase()
            && counts.failed == self.frame.failed
            && self.stopping.is_none()
            && (over < shown + (counts.all / FACE_PARTS).max(1) || now >= at && (now - at).0 < FACE_PAUSE.0.saturating_mul(1 + (counts.all / FACE_ITEMS) as u64))
        {
            return None;
        }
        let face = self.face()?;
        (self.frame.shown_at, self.frame.failed) = (Some((now, over)), counts.failed);
        if self.frame.shown.as_ref() == Some(&face) {
            return None;
        }
        self.frame.shown = Some(face.clone());
        Some(face)
    }

    /// The change at a glance.
    pub fn card(&self) -> Card {
        Card {
            outstanding: self.is_owed(),
            ahead: self.wrote(),
            overdue: self.overdue().is_some(),
            mr: self.mr.clone(),
            phase: self.phase(),
            title: self.sighting.as_ref().map_or_else(String::new, |sighting| sighting.title.clone()),
            draft: self.sighting.as_ref().is_some_and(|sighting| sighting.draft),
            waits_for: self.waits_for(),
            head: self.sighting.as_ref().map(|sighting| sighting.head.clone()),
            base: self.sighting.as_ref().map(|sighting| sighting.base.clone()),
            next_wake: self.next_wake(),
            updated: Time(self.clock.0.max(0)),
        }
    }
}
