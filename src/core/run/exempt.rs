//! Exemptions in a change: what it would merge without, who said yes to that, and what gate and window make of it (I13).

use super::{
    At, Change, Ledger,
    change::ClaimState,
    evolve::{Fold, must},
};
use crate::core::{
    gate::{Approval, Except, Exemption, LeftOut, Shown, standing},
    model::{Digest, ResourceId, Time, User},
    plan::Healthy,
    review::Phase,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What is known of a step that was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    pub by: User,
    pub reason: String,
    /// How long what an exemption leaves out of it may stay so.
    pub until: Time,
}

/// One person's yes to an exemption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exempted {
    by: User,
    digest: Digest,
    at: Time,
}

impl Change {
    /// Whether the plan on the desk is the one that ran last, and not a way back.
    fn ran(&self) -> bool {
        self.desk.as_ref().is_some_and(|desk| !desk.restore && self.ledger.plan == desk.plan)
    }

    /// What was skipped of the plan on the desk.
    fn left_out(&self) -> Vec<LeftOut> {
        if self.ledger.counts().skipped > 0 && self.ran() { self.ledger.left_out() } else { Vec::new() }
    }

    /// The resources that were skipped in the plan on the desk.
    pub(super) fn left_out_ids(&self) -> BTreeSet<ResourceId> {
        self.left_out().into_iter().filter_map(|item| item.id).collect()
    }

    /// What it would merge without, once everything else of the plan is done and proven; or does, or did.
    pub fn exemption(&self) -> Option<Exemption> {
        let counts = self.ledger.counts();
        let here = match self.stage {
            Phase::Failed => {
                let stands = !self.running && self.stopping.is_none() && self.asked.is_none() && !self.aborted && !self.alarm && !self.restore_stopped();
                stands && self.claim == ClaimState::Granted
            }
            Phase::Verifying | Phase::Merging | Phase::Empty => true,
            Phase::Merged => self.merged_with.is_none(),
            Phase::Planning
            | Phase::AwaitingApproval
            | Phase::Queued
            | Phase::Rolling
            | Phase::Refused
            | Phase::Conflicted
            | Phase::Paused
            | Phase::Restoring
            | Phase::Restored
            | Phase::Closed => false,
        };
        // Where nothing at all is done there is nothing to merge: that is closed, or tried again.
        if !here || counts.skipped == 0 || counts.proven == 0 || counts.proven + counts.skipped < counts.all {
            return None;
        }
        let desk = self.desk.as_ref()?;
        let items = self.left_out();
        if items.is_empty() {
            return None;
        }
        let except = Except::of(desk.digest, items);
        let leaves = Arc::new(BTreeSet::from([except.digest]));
        let yes = self.ledger.exempted.iter().filter(|yes| yes.digest == except.digest).map(|yes| Approval {
            by: yes.by.clone(),
            at: yes.at,
            digest: yes.digest,
            head: desk.key.head.clone(),
            leaves: leaves.clone(),
            loosened: BTreeSet::new(),
            plan: desk.plan.clone(),
            steps: Vec::new(),
            review: false,
        });
        let yes: Vec<Approval> = yes.collect();
        let barred = |user: &User| self.own(user) || except.items.iter().any(|item| item.by == *user);
        let shown = Shown { leaves: &leaves, digest: except.digest, head: &desk.key.head, done: true };
        let standings = standing(&desk.plan.rules, &yes, &barred, &shown, self.teams());
        let given: BTreeSet<User> = standings.iter().flat_map(|rule| rule.given.iter().cloned()).collect();
        let missing = standings.iter().map(|rule| rule.missing).max().unwrap_or(1);
        Some(Exemption { except, given: given.into_iter().collect(), missing })
    }

    /// What may be left out now: approved by all it needs, and its time is not over.
    pub fn exempt(&self, now: Time) -> Option<Except> {
        let Exemption { except, given: _, missing } = self.exemption()?;
        (missing == 0 && except.until().is_some_and(|until| until > now)).then_some(except)
    }

    /// How many skipped items keep it from merging.
    pub(super) fn unexempted(&self, now: Time) -> u32 {
        let skipped = self.ledger.counts().skipped;
        if skipped == 0 || self.exempt(now).is_some() {
            return 0;
        }
        if self.ran() {
            return skipped as u32;
        }
        // A newer plan read again what is written, and asks for it or found it so; of what is only waited for or looked at it knows nothing.
        self.ledger.left_out().iter().filter(|item| item.id.is_none()).count() as u32
    }

    /// The health that the window looks at: not of what is left out alone.
    pub(super) fn window_health(&self) -> Vec<Healthy> {
        let out = self.left_out_ids();
        let asked = self.desk.iter().flat_map(|desk| &desk.plan.health);
        asked.filter(|one| one.of.is_empty() || !one.of.iter().all(|id| out.contains(id))).cloned().collect()
    }

    pub(super) fn exempted(&mut self, by: &User, digest: Digest, at: Time) -> Fold {
        let Exemption { except, .. } = self.exemption().ok_or("nothing is to be exempted")?;
        must(except.digest == digest, "it is not the exemption shown")?;
        must(!self.own(by) && except.items.iter().all(|item| item.by != *by), "nobody exempts what is their own")?;
        self.tell(at);
        self.ledger.exempted.push(Exempted { by: by.clone(), digest, at });
        if self.stage == Phase::Failed && self.exempt(at).is_some() {
            self.trouble = None;
            self.verify();
        }
        Ok(())
    }

    /// An exemption is for one try: who sees why that failed says yes again.
    pub(super) fn forget_exemption(&mut self) {
        self.ledger.exempted.clear();
    }
}

impl Ledger {
    /// The items that were skipped, by step.
    fn left_out(&self) -> Vec<LeftOut> {
        let one = |(id, skip): (&crate::core::model::StepId, &Skip)| {
            let writes = self.plan.steps.get(id).map_or(&[][..], crate::core::plan::Step::writes);
            let skipped = self.items(*id).iter().enumerate().filter(|(_, at)| **at == At::Skipped);
            let item = |(item, _): (usize, &At)| LeftOut {
                step: *id,
                item: item as u32,
                id: writes.get(item).map(|write| write.id.clone()),
                by: skip.by.clone(),
                reason: skip.reason.clone(),
                until: skip.until,
            };
            skipped.map(item).collect::<Vec<_>>()
        };
        self.skips.iter().flat_map(one).collect()
    }

    /// What was skipped, and by whom.
    pub fn skips(&self) -> &BTreeMap<crate::core::model::StepId, Skip> {
        &self.skips
    }
}
