//! Exemptions in a change: what it would merge without, who said yes to that, and what gate and window make of it (I13).
//!
//! What was skipped stays left out as long as the plan that ran is on the desk, or a newer one that asks for nothing but what was left out:
//! base moves under a change that waits for its merge, and what people said yes to is then the same. Any other plan asks for it anew.

use super::{
    At, Change, Ledger,
    change::ClaimState,
    evolve::{Fold, must},
};
use crate::core::{
    gate::{Approval, Except, Exemption, LeftOut, Shown, standing},
    model::{Digest, ResourceId, StepId, Time, User},
    plan::{Healthy, ItemRef, MatchedRule, Plan, Step},
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
    /// Whether the plan on the desk is the one that ran last.
    pub(super) fn ran(&self) -> bool {
        self.desk.as_ref().is_some_and(|desk| Arc::ptr_eq(&self.ledger.plan, &desk.plan) || self.ledger.plan == desk.plan)
    }

    /// What was skipped and is still left out by the plan on the desk.
    fn left_out(&self) -> Vec<LeftOut> {
        let Some(desk) = self.desk.as_ref().filter(|desk| self.ledger.counts().skipped > 0 && !desk.restore) else { return Vec::new() };
        let all = self.ledger.left_out();
        if self.ran() {
            return all.into_iter().map(|(_, item)| item).collect();
        }
        // A newer plan read again what is written: it asks for it, or found it so. Of what is only waited for, looked at or told it knows nothing.
        let leaves = self.ledger.plan.item_leaves();
        let stays = |at: &ItemRef, item: &LeftOut| item.id.is_none() || leaves.get(at).is_some_and(|leaf| desk.leaves.contains(leaf));
        all.into_iter().filter(|(at, item)| stays(at, item)).map(|(_, item)| item).collect()
    }

    /// The resources that were skipped and are still left out.
    pub(super) fn left_out_ids(&self) -> BTreeSet<ResourceId> {
        self.left_out().into_iter().filter_map(|item| item.id).collect()
    }

    /// Whether a plan has nothing to do but what was skipped.
    fn only_left_out(&self, plan: &Plan) -> bool {
        let out: BTreeSet<ItemRef> = self.ledger.left_out().into_iter().map(|(at, _)| at).collect();
        let ran = self.ledger.plan.item_leaves();
        let skipped: BTreeSet<&Digest> = ran.iter().filter(|(at, _)| out.contains(at)).map(|(_, leaf)| leaf).collect();
        let known: BTreeSet<&Digest> = ran.values().collect();
        let mut leaves = plan.item_leaves().into_iter();
        // What only goes along with a write, such as a wait behind it, was done or skipped with it.
        leaves.all(|(at, leaf)| if plan.steps.get(&at.step).is_some_and(|step| !step.writes().is_empty()) { skipped.contains(&leaf) } else { known.contains(&leaf) })
    }

    /// Whether a plan for another base asks the same of everything touched and has nothing to do, but for what is exempted.
    pub(super) fn moves_the_pin_alone(&self, plan: &Plan, at: Time) -> bool {
        let exempted = || self.ledger.counts().skipped > 0 && self.exempt(at).is_some() && self.only_left_out(plan);
        self.asks_the_same(plan) && (plan.steps.is_empty() || exempted())
    }

    /// Whether a plan asks of every touched resource exactly what the one on the desk does.
    fn asks_the_same(&self, plan: &Plan) -> bool {
        let asks = |plan: &Plan| plan.deltas.iter().map(|delta| (delta.id.clone(), delta.to.clone())).collect::<BTreeMap<_, _>>();
        self.desk.as_ref().is_some_and(|desk| asks(&desk.plan) == asks(plan))
    }

    /// What it would merge without, once everything else of the plan is done and proven; or does, or did.
    pub fn exemption(&self) -> Option<Exemption> {
        let counts = self.ledger.counts();
        if counts.skipped == 0 {
            return None;
        }
        let here = match self.stage {
            Phase::Failed => {
                let stands = !self.running && self.stopping.is_none() && self.asked.is_none() && !self.aborted && !self.alarm && !self.restore_stopped();
                // Where nothing at all is done there is nothing to merge: that is closed, or tried again.
                stands && self.claim == ClaimState::Granted && (counts.proven > 0 || self.wrote()) && counts.proven + counts.skipped == counts.all
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
        let desk = self.desk.as_ref().filter(|_| here)?;
        let items = self.left_out();
        if items.is_empty() {
            return None;
        }
        let except = Except::of(self.ledger.digest.unwrap_or(desk.digest), items);
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
        if self.stage == Phase::Merged {
            // Who counted then counts for ever.
            return Some(Exemption { except, given: yes.into_iter().map(|yes| yes.by).collect(), missing: 0 });
        }
        let standings = standing(&self.exemption_rules(), &yes, &barred, &shown, self.teams());
        let given: BTreeSet<User> = standings.iter().flat_map(|rule| rule.given.iter().cloned()).collect();
        let missing = standings.iter().map(|rule| rule.missing).max().unwrap_or(1);
        Some(Exemption { except, given: given.into_iter().collect(), missing })
    }

    /// Whose yes it takes: that of the plan that ran, and of the one on the desk.
    pub(super) fn exemption_rules(&self) -> Vec<MatchedRule> {
        let mut rules = self.ledger.plan.rules.clone();
        let newer = self.desk.iter().flat_map(|desk| &desk.plan.rules).filter(|rule| !self.ledger.plan.rules.contains(rule));
        rules.extend(newer.cloned());
        rules
    }

    /// What may be left out now: approved by all it needs, and its time is not over.
    pub fn exempt(&self, now: Time) -> Option<Except> {
        let Exemption { except, given: _, missing } = self.exemption()?;
        (missing == 0 && except.until().is_none_or(|until| until > now)).then_some(except)
    }

    /// When what it waits to merge without could be left out no longer.
    pub(super) fn exemption_over(&self, now: Time) -> Option<Time> {
        self.exemption()?.except.until().filter(|until| *until <= now)
    }

    /// How many skipped items keep it from merging.
    pub(super) fn unexempted(&self, now: Time) -> u32 {
        let left = self.left_out().len() as u32;
        if left == 0 || self.exempt(now).is_some() { 0 } else { left }
    }

    /// The health that the window looks at: not of what is left out alone.
    pub(super) fn window_health(&self) -> Vec<Healthy> {
        let out = self.left_out_ids();
        let asked = self.desk.iter().flat_map(|desk| &desk.plan.health);
        asked.filter(|one| one.of.is_empty() || !one.of.iter().all(|id| out.contains(id))).cloned().collect()
    }

    /// Whether skipping what failed of a step would leave nothing that is done, or could still be.
    pub(super) fn skips_all(&self, step: StepId) -> bool {
        let counts = self.ledger.counts();
        let failed = self.ledger.items(step).iter().filter(|at| **at == At::Failed).count();
        !self.wrote() && counts.skipped + failed == counts.all
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
    /// The items that were skipped, each with where it is in the plan that ran.
    fn left_out(&self) -> Vec<(ItemRef, LeftOut)> {
        let one = |(at, skip): (&ItemRef, &Skip)| {
            let ItemRef { step, item } = *at;
            let writes = self.plan.steps.get(&step).map_or(&[][..], Step::writes);
            let id = writes.get(item as usize).map(|write| write.id.clone());
            let left = LeftOut { step, item, id, by: skip.by.clone(), reason: skip.reason.clone(), until: skip.until };
            (self.items(step).get(item as usize) == Some(&At::Skipped)).then_some((*at, left))
        };
        self.skips.iter().filter_map(one).collect()
    }

    /// What was skipped of the plan that ran, and by whom.
    pub fn skips(&self) -> &BTreeMap<ItemRef, Skip> {
        &self.skips
    }
}
