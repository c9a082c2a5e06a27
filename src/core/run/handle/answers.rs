//! Answers of the planner and the board, and the safe point.

use super::Pass;
use crate::core::{
    model::MrId,
    review::Phase,
    run::{ClaimAnswer, Event, PlanAnswer, PlanWhy, Stop, change::ClaimState},
};
use std::collections::BTreeSet;

impl Pass<'_> {
    pub(super) fn planned(&mut self, answer: &PlanAnswer) {
        let Some(ask) = &self.change.asked else { return };
        // A late answer to an older question says nothing about what is asked now.
        if ask.base != answer.key.base || ask.head != answer.key.head || ask.restore != answer.restore {
            return;
        }
        self.emit(Event::Planned { answer: Box::new(answer.clone()), at: self.now });
        self.shown_still();
        self.consider_plan();
    }

    pub(super) fn claimed(&mut self, n: u64, answer: &ClaimAnswer) {
        let same = match (&self.change.claim, answer) {
            (ClaimState::Asked, _) => false,
            (ClaimState::Queued(known), ClaimAnswer::Queued { ahead }) => known == ahead,
            (ClaimState::Queued(_), ClaimAnswer::Granted) | (ClaimState::Granted, ClaimAnswer::Queued { .. }) => false,
            (ClaimState::Granted, ClaimAnswer::Granted) | (ClaimState::Free | ClaimState::Freeing, _) => true,
        };
        if n == self.change.claims_asked && !same {
            self.emit(Event::Claimed { n, answer: answer.clone() });
        }
    }

    pub(super) fn unclaimed(&mut self) {
        if self.change.claim == ClaimState::Freeing {
            self.emit(Event::Unclaimed);
        }
    }

    /// What other changes wrote and this plan keeps is theirs no longer: planned again from what is there.
    pub(super) fn unbacked(&mut self, gone: &BTreeSet<MrId>) {
        let change = &*self.change;
        let planned = match change.stage {
            Phase::AwaitingApproval | Phase::Queued | Phase::Verifying | Phase::Merging | Phase::Empty => true,
            // A run is planned again at its end, when the forge is read the next time; the rest has no plan that counts, or is over.
            Phase::Planning
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
        let busy = change.running || change.asked.is_some() || change.stopping.is_some() || change.merge.is_some();
        let trusted = change.is_trusted() || change.waits_to_go_back();
        if planned && !busy && trusted && !change.counts_on().is_disjoint(gone) {
            self.replan_same_way();
        }
    }

    /// Another repository owns some of it, or does no more: whether it may be asked for is judged anew.
    pub(super) fn owners_moved(&mut self) {
        let change = &*self.change;
        let judged = match change.stage {
            Phase::AwaitingApproval | Phase::Queued | Phase::Verifying | Phase::Merging | Phase::Empty | Phase::Refused => true,
            // What runs holds its claims, and is judged again before it is merged; the rest is planned before anything comes of it, or is over.
            Phase::Planning | Phase::Rolling | Phase::Merged | Phase::Conflicted | Phase::Paused | Phase::Failed | Phase::Restoring | Phase::Restored | Phase::Closed => false,
        };
        let busy = change.running || change.asked.is_some() || change.stopping.is_some() || change.merge.is_some();
        let trusted = change.is_trusted() || change.waits_to_go_back();
        if judged && !busy && trusted {
            self.replan_same_way();
        }
    }

    /// The safe point is reached: does what the stop was for.
    pub(super) fn stopped(&mut self) {
        let Some(why) = self.change.stopping.clone() else { return };
        self.emit(Event::Stopped { at: self.now });
        self.after(why);
    }

    /// What follows a stop. A run that ended by itself in the meantime is stopped all the same.
    pub(super) fn after(&mut self, why: Stop) {
        match why {
            Stop::Restore(by) => {
                if self.change.wrote() || !self.change.ledger.given_up.is_empty() || self.change.reverts() {
                    self.replan(PlanWhy::Restore(by));
                }
            }
            Stop::Amend => self.replan(PlanWhy::Moved),
            Stop::Abort(_) | Stop::Close | Stop::Included { .. } | Stop::Alarm(_) => {}
        }
    }

    /// Gives claims back where nothing needs them any more.
    pub(super) fn tidy(&mut self) {
        let over = match self.change.stage {
            Phase::Merged | Phase::Restored => true,
            // What was written stays claimed until it is merged, restored or freed.
            Phase::Closed | Phase::Refused | Phase::Conflicted => !self.change.wrote(),
            // What failed may be tried again, or skipped, under the claims it has.
            Phase::Failed => !self.change.wrote() && (self.change.aborted || self.change.alarm || self.change.freed.is_some()),
            Phase::Planning | Phase::AwaitingApproval | Phase::Queued | Phase::Rolling | Phase::Verifying | Phase::Merging | Phase::Empty | Phase::Paused | Phase::Restoring => {
                false
            }
        };
        if over && !self.change.running {
            self.give_back();
        } else if self.change.keeps_only() && !self.change.running && matches!(self.change.claim, ClaimState::Queued(_)) {
            // Whoever is granted what it waited for would be kept out of it by one that does nothing. What it holds it keeps.
            self.claim();
        }
    }
}
