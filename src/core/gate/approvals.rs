//! Who approved what: approvals bind to the leaves of a plan's digest, not to the plan.

use crate::core::{
    model::{ApprovalRule, CommitId, Digest, Str, Time, User},
    plan::{MatchedRule, Plan},
    review::{Teams, means, team_of},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};

/// The leaves of one plan's digest.
pub type Leaves = Arc<BTreeSet<Digest>>;

/// One person's yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    pub by: User,
    pub at: Time,
    /// The digest that was shown when it was given.
    pub digest: Digest,
    /// The head it was given on.
    pub head: CommitId,
    /// What it covers.
    pub leaves: Leaves,
    /// Of that, what the plan on the desk lets happen earlier than the one that was shown: it was approved as coming later.
    pub loosened: BTreeSet<Digest>,
    /// The plan that was shown, for what a newer one has and it had not.
    pub plan: Arc<Plan>,
    /// Only these steps were named; empty: all.
    pub steps: Vec<crate::core::model::StepId>,
    pub review: bool,
}

impl Approval {
    /// Whether it covers all of a plan.
    ///
    /// A plan without leaves asks for nothing new. When this change wrote what was approved, the approval is kept; when it wrote
    /// nothing, what was approved is the head itself, and another head is another question.
    pub fn covers(&self, shown: &Shown<'_>) -> bool {
        match (shown.leaves.is_empty(), shown.done) {
            (true, true) => true,
            (true, false) => self.head == *shown.head,
            (false, _) => self.digest == shown.digest && self.steps.is_empty() || shown.leaves.iter().all(|leaf| self.holds(leaf)),
        }
    }

    /// Whether it covers a leaf of the plan on the desk.
    pub fn holds(&self, leaf: &Digest) -> bool {
        self.leaves.contains(leaf) && !self.loosened.contains(leaf)
    }

    /// Holds it against another plan on the desk.
    pub fn follow(&mut self, plan: &Plan, digest: Digest) {
        self.loosened = if self.digest == digest { BTreeSet::new() } else { plan.loosened(&self.plan) };
    }
}

/// The plan that approvals are held against.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    pub leaves: &'a Leaves,
    pub digest: Digest,
    pub head: &'a CommitId,
    /// This change has already written, under approvals that were not spent since.
    pub done: bool,
}

/// One matched rule with what it has and what it lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleStanding {
    /// `None` for the rule that holds when no other does: one approval by anyone who may.
    pub rule: Option<MatchedRule>,
    pub needed: u32,
    /// Who approved all of the plan and counts here.
    pub given: Vec<User>,
    /// How many are missing.
    pub missing: u32,
}

/// Why a rule can never be satisfied as things are: too few of the people it asks for may approve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    pub needed: u32,
    /// Who may approve it.
    pub possible: Vec<User>,
    /// Named by the rule, without the right to approve here.
    pub strangers: Vec<Str>,
    /// Would count, but the change is theirs.
    pub own: Vec<User>,
}

/// Looks whether enough people can approve at all; `approvers` are all who have the right. Who is in a team of the forge is the forge's to say.
pub fn obstacle(rule: &ApprovalRule, approvers: &BTreeSet<User>, barred: &dyn Fn(&User) -> bool) -> Option<Obstacle> {
    if rule.by.iter().any(|name| team_of(name).is_some()) {
        return None;
    }
    let named = |user: &User| rule.by.is_empty() || rule.by.iter().any(|name| **name == *user.as_str());
    let (own, possible): (Vec<User>, Vec<User>) = approvers.iter().filter(|user| named(user)).cloned().partition(|user| barred(user));
    let strangers = rule.by.iter().filter(|name| !approvers.iter().any(|user| ***name == *user.as_str())).cloned().collect();
    (possible.len() < rule.count as usize).then_some(Obstacle { needed: rule.count, possible, strangers, own })
}

/// Judges approvals against the rules that matched; `barred` are the people whose change it is. A team that is not in `teams` has no members.
///
/// Approvals of single steps add up: a plan is covered when enough people approved each leaf.
pub fn standing(rules: &[MatchedRule], approvals: &[Approval], barred: &dyn Fn(&User) -> bool, shown: &Shown<'_>, teams: &Teams) -> Vec<RuleStanding> {
    let one = |rule: Option<&MatchedRule>| {
        let needed = rule.map_or(1, |rule| rule.rule.count);
        let counts = |by: &User| !barred(by) && rule.is_none_or(|rule| means(&rule.rule.by, by, teams));
        let people: BTreeSet<&User> = approvals.iter().map(|approval| &approval.by).filter(|by| counts(by)).collect();
        let full = |by: &&User| approvals.iter().any(|approval| approval.by == **by && approval.covers(shown));
        let given: Vec<User> = people.iter().copied().filter(full).cloned().collect();
        let mut missing = needed.saturating_sub(given.len() as u32);
        if missing > 0 && !shown.leaves.is_empty() {
            let on = |leaf: &Digest| people.iter().filter(|by| approvals.iter().any(|a| a.by == ***by && a.holds(leaf))).count() as u32;
            missing = shown.leaves.iter().map(|leaf| needed.saturating_sub(on(leaf))).max().unwrap_or(0);
        }
        RuleStanding { rule: rule.cloned(), needed, given, missing }
    };
    if rules.is_empty() { vec![one(None)] } else { rules.iter().map(|rule| one(Some(rule))).collect() }
}
