//! Limits on what one plan may do: budgets, and resources that are protected.

use super::{
    item::writes,
    pattern::{Matched, Patterns},
    words::count,
};
use crate::core::{
    diff::{Delta, Op, Reason},
    model::{Place, Policy, Refusal, RefusalKind, Str, Unit},
    plan::Scope,
};
use std::collections::BTreeMap;

/// What a plan does in one unit.
struct Tally<'a> {
    changes: u64,
    deletes: u64,
    /// Something is sent still. What is done is not refused because base has shrunk since.
    sends: bool,
    /// The first delete, or the first change when there is none.
    place: &'a Place,
}

/// Everything that breaks a limit.
pub(super) fn judge(scope: &Scope<'_>, deltas: &[Delta], sizes: &BTreeMap<(Str, Unit), u64>) -> Vec<Refusal> {
    let mut faults = budgets(scope, deltas, sizes);
    match Patterns::new("policy.protected", &scope.policy.protected) {
        Ok(patterns) => faults.extend(deltas.iter().filter_map(|delta| protected(scope, delta, &patterns))),
        Err(fault) => faults.push(fault),
    }
    faults
}

fn protected(scope: &Scope<'_>, delta: &Delta, patterns: &Patterns) -> Option<Refusal> {
    let verb = match &delta.op {
        Op::Delete => "deleted",
        Op::Replace => "replaced",
        Op::Create | Op::Update | Op::Keep | Op::Adopt | Op::Release | Op::Move { .. } => return None,
    };
    let kind = (scope.kinds)(&delta.id);
    let (why, advice) = match patterns.says(&delta.id) {
        Matched::Yes => ("`policy.protected` on base names it".to_owned(), "take it out of `policy.protected` in a merge request of its own first".to_owned()),
        Matched::TakenBack => return None,
        Matched::Silent => {
            let why = kind.protected(&delta.id)?;
            (why.to_string(), format!("keep it, or allow it by `!{}` in `policy.protected` on base", delta.id))
        }
    };
    let what = format!("`{}` would be {verb} and is protected: {why}", kind.title(&delta.id));
    Some(Refusal::new(RefusalKind::Protected, what).at(delta.place.clone()).advice(advice))
}

/// The deletes of each unit that has a budget, with how many it has room for: a share of what all open changes delete there (I5).
pub(super) fn shares(scope: &Scope<'_>, deltas: &[Delta], sizes: &BTreeMap<(Str, Unit), u64>) -> BTreeMap<(Str, Unit), (u32, u32)> {
    let mut deletes: BTreeMap<(Str, Unit), u32> = BTreeMap::new();
    for delta in deltas.iter().filter(|delta| delta.op == Op::Delete || done_before(scope, delta) && delta.to.is_none()) {
        *deletes.entry((delta.id.target.clone(), (scope.kinds)(&delta.id).unit(&delta.id))).or_default() += 1;
    }
    let mut counted = None;
    let budget = &scope.policy.budgets;
    let share = |(key, n): ((Str, Unit), u32)| {
        let size = match sizes.get(&key) {
            Some(size) => *size,
            None => counted.get_or_insert_with(|| count_base(scope)).get(&key).copied().unwrap_or(0),
        };
        let most = u32::try_from(size * u64::from(budget.delete_percent) / 100).unwrap_or(u32::MAX);
        (size >= u64::from(budget.from_size)).then_some((key, (n, most)))
    };
    deletes.into_iter().filter_map(share).collect()
}

fn budgets(scope: &Scope<'_>, deltas: &[Delta], sizes: &BTreeMap<(Str, Unit), u64>) -> Vec<Refusal> {
    let mut tallies: BTreeMap<(Str, Unit), Tally<'_>> = BTreeMap::new();
    let sent = deltas.iter().filter(|delta| writes(delta)).count() as u64;
    for delta in deltas.iter().filter(|delta| writes(delta) && delta.from.is_some() || done_before(scope, delta)) {
        let unit = (scope.kinds)(&delta.id).unit(&delta.id);
        let tally = tallies.entry((delta.id.target.clone(), unit)).or_insert(Tally { changes: 0, deletes: 0, sends: false, place: &delta.place });
        tally.sends |= writes(delta);
        tally.changes += 1;
        if delta.to.is_none() {
            if tally.deletes == 0 {
                tally.place = &delta.place;
            }
            tally.deletes += 1;
        }
    }
    let mut faults = Vec::new();
    let budget = &scope.policy.budgets;
    if sent > u64::from(budget.writes) {
        let what = format!("{} in one plan, and the budget is {}", count(sent, "write"), budget.writes);
        let place = deltas.iter().find(|delta| writes(delta)).map(|delta| delta.place.clone()).unwrap_or_default();
        faults.push(Refusal::new(RefusalKind::Budget, what).at(place).advice("split the merge request, or raise `policy.budgets.writes` on base first"));
    }
    let mut counted = None;
    for ((target, unit), tally) in tallies.iter().filter(|(_, tally)| tally.sends) {
        let key = (target.clone(), unit.clone());
        let size = match sizes.get(&key) {
            Some(size) => *size,
            None => counted.get_or_insert_with(|| count_base(scope)).get(&key).copied().unwrap_or(0),
        };
        faults.extend(percentages(scope.policy, target, unit, tally, size));
    }
    faults
}

/// Whether an earlier run of the same change did it, to what base asks for: a merge request that is amended in pieces has one budget.
fn done_before(scope: &Scope<'_>, delta: &Delta) -> bool {
    delta.op == Op::Keep && delta.reason == Reason::Continues && scope.base.resources.get(&delta.id).is_some_and(|base| Some(&base.value) != delta.to.as_ref())
}

/// Judges one unit; deletes are named rather than changes when both are too many.
fn percentages(policy: &Policy, target: &Str, unit: &Unit, tally: &Tally<'_>, size: u64) -> Option<Refusal> {
    let budget = &policy.budgets;
    if size < u64::from(budget.from_size) {
        return None;
    }
    let over = |n: u64, percent: u32| n * 100 > size * u64::from(percent);
    let (n, what, percent, key) = if over(tally.deletes, budget.delete_percent) {
        (tally.deletes, "deletes", budget.delete_percent, "delete_percent")
    } else if over(tally.changes, budget.change_percent) {
        (tally.changes, "updates and deletes", budget.change_percent, "change_percent")
    } else {
        return None;
    };
    let what = format!("{n} {what} of the {} in `{unit}` on `{target}` are {} %, and the budget is {percent} %", count(size, "resource"), (n * 100).div_ceil(size.max(1)));
    let advice = format!("split the merge request, or raise `policy.budgets.{key}` on base first");
    Some(Refusal::new(RefusalKind::Budget, what).at(tally.place.clone()).advice(advice))
}

/// Sizes from base itself, for units whose size the material does not give: no budget is free because a number is missing.
fn count_base(scope: &Scope<'_>) -> BTreeMap<(Str, Unit), u64> {
    let mut sizes = BTreeMap::new();
    for id in scope.base.resources.keys() {
        *sizes.entry((id.target.clone(), (scope.kinds)(id).unit(id))).or_default() += 1;
    }
    sizes
}
