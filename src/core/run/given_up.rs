//! What a change wrote and let go of: `free` ends its hold, not its memory of the way back.

use super::{Change, PlanWhy, evolve::Fold, evolve::must};
use crate::core::{model::User, review::Phase};

impl Change {
    /// Lets go of everything written: others may write there, and base is no longer overlaid with it.
    pub(super) fn freed(&mut self, by: &User, reason: &str) -> Fold {
        must(!self.running, "a run is under way")?;
        if self.wrote() {
            self.ledger.given_up = std::mem::take(&mut self.ledger.written);
            self.freed = Some((by.clone(), reason.to_owned()));
            if self.waits_to_go_back() {
                (self.stage, self.desk) = (Phase::Failed, None);
            }
        }
        if self.stage == Phase::Failed {
            self.refusals.clear();
        }
        self.spend_approvals();
        self.judge_approvals();
        Ok(())
    }

    /// The way back was refused: what is live is not what this change left.
    pub(super) fn restore_stopped(&self) -> bool {
        self.stage == Phase::Failed && !self.alarm && !self.refusals.is_empty()
    }

    /// Whether what waits for approval is the way back.
    pub(super) fn waits_to_go_back(&self) -> bool {
        self.stage == Phase::AwaitingApproval && self.is_restore()
    }

    /// A way back is asked for: what was let go of is this change's again, as far as nobody else changed it.
    pub(super) fn turn_back(&mut self, why: &PlanWhy) {
        if !self.wrote() {
            self.ledger.written = std::mem::take(&mut self.ledger.given_up);
        }
        // One that is only planned anew keeps what was said of it: approvals bind to what is written.
        if *why != PlanWhy::Moved {
            self.spend_approvals();
            self.said_start = false;
        }
    }

    /// The way back is not possible: what was let go of before stays so.
    pub(super) fn let_go_again(&mut self) {
        if self.freed.is_some() {
            self.ledger.given_up = std::mem::take(&mut self.ledger.written);
        }
    }

    /// Nothing is let go of any more: a run begins, or the change is merged or restored.
    pub(super) fn forget_given_up(&mut self) {
        self.freed = None;
        self.ledger.given_up.clear();
    }
}
