//! A change that holds claims and does nothing keeps others waiting: after a while its owner is called (I5).

use super::{Change, change::ClaimState};
use crate::core::{
    model::{Time, User},
    review::{Phase, words},
};

impl Change {
    /// Whether it holds what others may need and waits for a person.
    fn is_idle(&self) -> bool {
        let stopped = match self.stage {
            Phase::Failed | Phase::Closed | Phase::Refused | Phase::Conflicted | Phase::AwaitingApproval => true,
            Phase::Planning
            | Phase::Queued
            | Phase::Rolling
            | Phase::Verifying
            | Phase::Merging
            | Phase::Merged
            | Phase::Empty
            | Phase::Paused
            | Phase::Restoring
            | Phase::Restored => self.paused.is_some(),
        };
        let holds = match self.claim {
            ClaimState::Granted => true,
            // What was granted before it asked for more.
            ClaimState::Asked | ClaimState::Queued(_) => self.wrote(),
            ClaimState::Free | ClaimState::Freeing => false,
        };
        stopped && holds
    }

    /// Keeps since when it is so; asked after every event.
    pub(super) fn note_idle(&mut self) {
        if !self.is_idle() {
            (self.idle_since, self.paged) = (None, false);
        } else if self.idle_since.is_none() {
            (self.idle_since, self.paged) = (Some(self.clock), false);
        }
    }

    /// When its owner is called, if nothing happens before.
    pub(super) fn page_at(&self) -> Option<Time> {
        let ttl = self.policy()?.claim_ttl?;
        self.idle_since.filter(|_| !self.paged).map(|since| since + ttl)
    }

    /// Who answers for it: whoever took it, else its author.
    pub(super) fn answers_for(&self) -> Option<User> {
        self.owner.clone().or_else(|| self.sighting.as_ref().map(|sighting| sighting.author.clone()))
    }

    /// Whether what it holds is given back at a word; else it is stopped first.
    pub(super) fn frees(&self) -> bool {
        let ended = matches!(self.stage, Phase::Failed | Phase::Closed | Phase::Refused | Phase::Conflicted | Phase::Planning | Phase::AwaitingApproval);
        // True and waiting for another change, which may wait for this one.
        let waits = matches!(self.stage, Phase::Verifying | Phase::Merging) && self.merge.is_none() && !self.counts_on().is_empty();
        !self.running && (ended || waits)
    }

    /// Since when its claims are overdue; none while they are not.
    pub(super) fn overdue(&self) -> Option<Time> {
        self.idle_since.filter(|_| self.paged)
    }

    /// What its owner, and everybody who looks, is told.
    pub(super) fn overdue_sentence(&self) -> Option<String> {
        let owner = self.answers_for()?;
        Some(words::overdue(&owner, self.claims_asked_for.len().max(self.ledger.written.len()), self.overdue()?, self.frees()))
    }
}
