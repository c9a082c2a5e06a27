//! Which approvals a plan needs, and why.

use super::{item::writes, words::count};
use crate::core::{
    diff::{Delta, Op, Reason},
    model::{ApprovalRule, Kind, Policy, Refusal, ResourceId},
    plan::{Conditions, MatchedRule, PlanFacts},
};

/// The facts of these deltas.
pub(super) fn facts(deltas: &[Delta], hops: u64, kinds: &dyn Fn(&ResourceId) -> &'static dyn Kind) -> PlanFacts {
    let mut facts = PlanFacts { writes: hops, ..PlanFacts::default() };
    for delta in deltas {
        match &delta.op {
            Op::Create => facts.creates += 1,
            Op::Update => facts.updates += 1,
            Op::Replace | Op::Delete => facts.deletes += 1,
            Op::Adopt => facts.adopts += 1,
            Op::Release => facts.releases += 1,
            Op::Move { .. } => facts.moves += 1,
            Op::Keep => {}
        }
        facts.drifts += u64::from(matches!(delta.reason, Reason::DriftOverwritten | Reason::OverrideEnds));
        if delta.op == Op::Keep {
            continue;
        }
        facts.targets.insert(delta.id.target.clone());
        facts.kinds.insert(delta.id.kind.clone());
        facts.resources.insert(delta.id.to_string().into());
        facts.files.insert(delta.place.file.clone());
        if writes(delta) {
            facts.units.insert(kinds(&delta.id).unit(&delta.id).0);
        }
    }
    facts
}

/// The rules that fire; when none does, one approval by anyone who may.
pub(super) fn matched(policy: &Policy, facts: &PlanFacts, conditions: &dyn Conditions) -> Result<Vec<MatchedRule>, Vec<Refusal>> {
    let (mut matched, mut faults) = (Vec::new(), Vec::new());
    for rule in &policy.approvals {
        let because = match &rule.when {
            None => "always".to_owned(),
            Some(when) => match conditions.holds(when, facts) {
                Ok(true) => format!("{when} ({})", summary(facts)),
                Ok(false) => continue,
                Err(fault) => {
                    faults.push(fault);
                    continue;
                }
            },
        };
        matched.push(MatchedRule { rule: rule.clone(), because: because.into() });
    }
    if matched.is_empty() {
        matched.push(MatchedRule::otherwise());
    }
    if faults.is_empty() { Ok(matched) } else { Err(faults) }
}

impl MatchedRule {
    /// What holds when no rule fires: one approval by anyone who may approve in the repository.
    pub fn otherwise() -> Self {
        let rule = ApprovalRule { when: None, count: 1, by: Vec::new() };
        Self { rule, because: "no rule of the policy says otherwise".into() }
    }
}

fn summary(facts: &PlanFacts) -> String {
    let PlanFacts { creates, updates, deletes, adopts, releases, moves, drifts, writes, .. } = facts;
    let parts = [(creates, "create"), (updates, "update"), (deletes, "delete"), (adopts, "adoption"), (releases, "release"), (moves, "move"), (drifts, "overwritten drift")];
    let said: Vec<String> = parts.iter().filter(|(n, _)| **n > 0).map(|(n, noun)| count(**n, noun)).collect();
    if said.is_empty() { count(*writes, "write") } else { said.join(", ") }
}
