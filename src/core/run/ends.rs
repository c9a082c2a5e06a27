//! The transition table's part about ends: restored, stopped at a safe point, merged or not.

use super::{Change, MergeAnswer, Stop, backoff};
use crate::core::{
    gate::Pin,
    model::Time,
    plan::LeftOver,
    review::{MrState, Phase},
};
use std::collections::BTreeSet;

impl Change {
    /// No later run is approved by what was said so far; the forge shows reviews for ever.
    pub(super) fn spend_approvals(&mut self) {
        self.approvals.clear();
        self.forget_exemption();
        self.spent = Some(self.clock);
    }

    pub(super) fn restored(&mut self, at: Time) {
        let left: Vec<_> = self.desk.iter().filter(|desk| desk.restore).flat_map(|desk| desk.plan.left.clone()).collect();
        if !left.is_empty() {
            return self.restored_but_for(left);
        }
        self.stage = Phase::Restored;
        self.ledger.written.clear();
        self.forget_given_up();
        self.spend_approvals();
        self.judge_approvals();
        self.times.ended = Some(at);
    }

    /// What went back is this change's no more; what is left is, until it is decided and `/trueup restore` or `free` is said.
    fn restored_but_for(&mut self, left: Vec<LeftOver>) {
        let ids: BTreeSet<_> = left.iter().map(|left| left.id.clone()).collect();
        self.ledger.written.retain(|id, _| ids.contains(id));
        self.refusals = left.into_iter().map(|left| left.why).collect();
        (self.stage, self.trouble, self.window) = (Phase::Failed, None, None);
        self.let_go_again();
        self.spend_approvals();
        self.judge_approvals();
    }

    pub(super) fn stopped(&mut self, why: Stop, at: Time) {
        self.running = false;
        self.ledger.health.clear();
        (self.window, self.start_asked, self.start_again, self.replan_at, self.merge_again) = (None, None, None, None, None);
        (self.held, self.held_until) = (Vec::new(), None);
        match why {
            Stop::Abort(_) => {
                (self.stage, self.aborted, self.said_start, self.asked) = (Phase::Failed, true, false, None);
                self.spend_approvals();
            }
            Stop::Restore(_) => (self.stage, self.asked) = (Phase::Restoring, None),
            Stop::Close => {
                (self.stage, self.asked, self.paused) = (Phase::Closed, None, None);
                self.spend_approvals();
                self.times.ended = Some(at);
            }
            Stop::Alarm(what) => (self.stage, self.alarm, self.trouble, self.asked) = (Phase::Failed, true, Some(what), None),
            Stop::Amend => self.stage = Phase::Planning,
            Stop::Included { commit, with } if self.wrote() => {
                let what = format!("{with} brought this to the branch as {commit} while what this one wrote was not proven: look at what is live, then say `/trueup free REASON`");
                (self.stage, self.alarm, self.trouble, self.asked) = (Phase::Failed, true, Some(what), None);
            }
            Stop::Included { commit, with } => {
                (self.stage, self.asked, self.paused, self.merged, self.merged_with) = (Phase::Merged, None, None, Some(commit), Some(with));
                self.forget_given_up();
                self.times.ended = Some(at);
            }
        }
        self.judge_approvals();
    }

    pub(super) fn merge_answered(&mut self, answer: &MergeAnswer, pin: &Pin, at: Time) {
        let read_back = self.reads || self.sighting.as_ref().is_some_and(|seen| seen.state != MrState::Open);
        self.sent = match answer {
            MergeAnswer::Merged { .. } | MergeAnswer::Elsewhere { .. } | MergeAnswer::Refused { transient: false, .. } => None,
            // It is merged or closed, and not by this.
            MergeAnswer::Moved { .. } if read_back => None,
            MergeAnswer::Moved { .. } | MergeAnswer::Refused { transient: true, .. } | MergeAnswer::Waits { .. } => Some(pin.clone()),
        };
        match answer {
            MergeAnswer::Merged { commit, tree: found, .. } => {
                self.merged = Some(commit.clone());
                self.times.ended = Some(at);
                self.window = None;
                if *found == pin.tree {
                    self.stage = Phase::Merged;
                    self.forget_given_up();
                    self.ledger.written.clear();
                } else {
                    self.stage = Phase::Failed;
                    self.alarm = true;
                    self.trouble = Some(format!("the merge commit {commit} holds tree {found}, and {} was proven: somebody changed what was merged", pin.tree));
                }
            }
            MergeAnswer::Elsewhere { commit, branch } => {
                let meant = pin.into.as_ref().map_or_else(|| "another one".to_owned(), |into| format!("`{into}`"));
                (self.stage, self.alarm, self.window, self.merged, self.times.ended) = (Phase::Failed, true, None, Some(commit.clone()), Some(at));
                self.trouble = Some(format!(
                    "somebody sent it to `{branch}` at the last moment, so it was merged there as {commit}, and {meant} for which it was proven does not have it: say `/trueup restore`, or `/trueup free REASON` and open a merge request that brings live and branch together"
                ));
            }
            MergeAnswer::Moved { .. } => {
                self.look = true;
                self.merge_tries += 1;
                self.merge_again = Some(at + backoff::slow(self.merge_tries));
            }
            MergeAnswer::Refused { transient: true, why } => {
                self.merge_tries += 1;
                self.merge_again = Some(at + backoff::slow(self.merge_tries));
                self.trouble = Some(why.clone());
            }
            MergeAnswer::Waits { why, away } => {
                self.merge_again = Some(at + away.unwrap_or_default().max(backoff::TURN));
                self.merge_after = Some(why.clone());
            }
            MergeAnswer::Refused { transient: false, why } => {
                self.look |= read_back;
                self.forget_exemption();
                (self.stage, self.window) = (Phase::Failed, None);
                self.trouble = Some(format!("the forge will not merge it: {why}"));
            }
        }
    }
}
