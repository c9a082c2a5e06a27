//! The way back: forecast with every plan, made afresh from what was written.

use super::toy::{World, id, print, seen, toys};
use insta::assert_snapshot;
use std::collections::{BTreeMap, BTreeSet};
use trueup::core::{
    model::{MrId, Observed, Policy, RefusalKind, RepoId, ResourceId, StepId, Value},
    plan::{CompileError, ItemRef, Note, Plan, Restoring, Written, lint, restore, restore_wants},
};

fn value(text: &str) -> Option<Value> {
    Some(Value::str(text))
}

/// What a run of the whole plan leaves in the ledger.
fn all(plan: &Plan) -> BTreeMap<ResourceId, Written> {
    let writes = plan.steps.values().flat_map(|step| step.writes());
    writes.map(|write| (write.id.clone(), Written { before: write.from.clone(), after: write.to.clone() })).collect()
}

fn back(plan: &Plan, written: &BTreeMap<ResourceId, Written>, live: &[(&str, Option<Value>)]) -> Result<Plan, CompileError> {
    back_while(plan, written, live, &|id| written.get(id).and_then(|of| of.before.clone()), &BTreeMap::new())
}

fn back_while(
    plan: &Plan,
    written: &BTreeMap<ResourceId, Written>,
    live: &[(&str, Option<Value>)],
    base: &dyn Fn(&ResourceId) -> Option<Value>,
    ahead: &BTreeMap<ResourceId, (MrId, Option<Value>)>,
) -> Result<Plan, CompileError> {
    let live: BTreeMap<ResourceId, Option<Value>> = live.iter().map(|(short, value)| (id(short), value.clone())).collect();
    let seen: Vec<Observed> = restore_wants(written)
        .into_iter()
        .map(|want| {
            let value = live.get(&want.id).cloned().unwrap_or_else(|| want.base.clone());
            seen(want.id, value, want.base, Ok(want.merged))
        })
        .collect();
    let place = |id: &ResourceId| plan.deltas.iter().find(|delta| delta.id == *id).map(|delta| delta.place.clone()).unwrap_or_default();
    let (policy, rules, repo) = (Policy::default(), plan.rules.clone(), RepoId::new("infra"));
    restore(Restoring { written, place: &place, plans: &[plan], seen: &seen, kinds: &toys, policy: &policy, rules, base, repo: &repo, ahead, past: Default::default() })
}

fn writes(plan: &Plan) -> Vec<ResourceId> {
    plan.steps.values().flat_map(|step| step.writes()).map(|write| write.id.clone()).collect()
}

#[test]
fn one_that_somebody_else_wrote_stays_and_the_rest_goes_back() {
    let plan = World::new("box/a = 1\nbox/b = 1\nbox/c = 1", "box/a = 2\nbox/b = 2\nbox/c = 2").plan();
    let made = back(&plan, &all(&plan), &[("box/b", value("theirs"))]).unwrap();
    assert_eq!(writes(&made), [id("box/a"), id("box/c")]);
    assert_eq!(made.left.iter().map(|left| left.id.clone()).collect::<Vec<_>>(), [id("box/b")]);
    assert_snapshot!(print(&made));
}

#[test]
fn what_comes_after_one_that_stays_stays_with_it() {
    // `a` pointed nowhere, and points at the new `b` now: going back, `a` lets go before `b` is removed. A hand keeps `a` pointing there.
    let plan = World::new("box/a = 1\nbox/c = 1", "box/a = >b\nbox/b = 1\nbox/c = 2").plan();
    let made = back(&plan, &all(&plan), &[("box/a", value(">b now"))]).unwrap();
    assert_eq!(writes(&made), [id("box/c")]);
    assert_eq!(made.left.iter().map(|left| left.id.clone()).collect::<BTreeSet<_>>(), [id("box/a"), id("box/b")].into());
    assert_snapshot!(made.left[1].why.to_string());
}

#[test]
fn a_way_back_over_anothers_value_is_refused_whatever_policy_says_of_drift() {
    let plan = World::new("box/a = 1", "box/a = 2").plan();
    let written = all(&plan);
    let seen: Vec<Observed> = restore_wants(&written).into_iter().map(|want| seen(want.id, value("theirs"), want.base, Ok(want.merged))).collect();
    let policy = Policy { on_drift: trueup::core::model::OnDrift::Overwrite, ..Policy::default() };
    let made = restore(Restoring {
        written: &written,
        place: &|_| trueup::core::model::Place::default(),
        plans: &[&plan],
        seen: &seen,
        kinds: &toys,
        policy: &policy,
        rules: plan.rules.clone(),
        // Another change's merge asks for it by now.
        base: &|_| value("theirs"),
        repo: &RepoId::new("infra"),
        ahead: &BTreeMap::new(),
        past: Default::default(),
    });
    let Err(CompileError::Refused(faults)) = made else { panic!("written over: {made:?}") };
    assert_eq!(faults[0].kind, RefusalKind::Drift);
}

fn swap_and_refer() -> World {
    World::new("box/a/x = 1\nbag/z = 1", "box/a/y = >b\nbox/b = 1\nbag/c = >b\nbag/z after box/b = 2")
}

#[test]
fn the_forecast_turns_every_write_and_every_order_round() {
    let plan = swap_and_refer().plan();
    let back = plan.forecast_reverse();
    assert_eq!(lint(&back, &toys), []);
    assert_snapshot!(print(&back));
}

#[test]
fn only_what_was_sent_is_turned_round() {
    let plan = swap_and_refer().plan();
    let back = plan.reverse(&BTreeSet::from([ItemRef { step: StepId(1), item: 0 }]));
    assert_eq!(back.steps.values().map(|step| step.items()).sum::<u32>(), 1);
    assert_eq!((back.edges.len(), lint(&back, &toys)), (0, Vec::new()));
    assert!(plan.reverse(&BTreeSet::new()).is_empty());
}

#[test]
fn what_cannot_be_undone_is_said_and_stays() {
    let plan = World::new("box/a = lost\nbox/b = 1", "box/a = 2\nbox/b = 2").plan();
    let forecast = plan.forecast_reverse();
    assert_eq!(forecast.notes, [Note::Remark { text: "`toys/toy/box/a/x` cannot be put back: what was in it".into() }]);
    let back = back(&plan, &all(&plan), &[]).unwrap();
    assert_eq!(back.notes, [Note::Remark { text: "`toys/toy/box/a/x` stays as it is: what was in it".into() }]);
    assert_eq!(back.steps.values().flat_map(|step| step.writes()).map(|write| write.id.clone()).collect::<Vec<_>>(), [id("box/b")]);
}

#[test]
fn a_restore_equals_the_forecast_when_nothing_else_happened() {
    let plan = swap_and_refer().plan();
    let made = back(&plan, &all(&plan), &[]).unwrap();
    assert_eq!(made.leaves(), plan.forecast_reverse().leaves());
    assert_snapshot!(print(&made));
}

#[test]
fn a_restore_touches_only_what_was_written_and_is_not_back_already() {
    let plan = World::new("box/a = 1\nbox/b = 1\nbox/c = 1", "box/a = 2\nbox/b = 2\nbox/c = 2").plan();
    let mut written = all(&plan);
    written.remove(&id("box/c"));
    let made = back(&plan, &written, &[("box/a", value("1"))]).unwrap();
    assert_eq!(made.steps.values().flat_map(|step| step.writes()).map(|write| write.id.clone()).collect::<Vec<_>>(), [id("box/b")]);
}

#[test]
fn a_restore_over_several_runs_leads_to_what_was_there_first() {
    let plan = World::new("box/a = 1", "box/a = 3").plan();
    let written = [(id("box/a"), Written { before: value("1"), after: value("3") })].into();
    let made = back(&plan, &written, &[]).unwrap();
    let write = &made.steps[&StepId(1)].writes()[0];
    assert_eq!((&write.from, &write.to), (&value("3"), &value("1")));
}

#[test]
fn what_somebody_else_wrote_since_is_not_written_over() {
    let plan = World::new("box/a = 1", "box/a = 2").plan();
    let Err(CompileError::Refused(faults)) = back(&plan, &all(&plan), &[("box/a", value("theirs"))]) else { panic!("restored over another's write") };
    assert_eq!(faults[0].kind, RefusalKind::Drift);
}

#[test]
fn what_base_asks_for_by_now_is_not_taken_back() {
    let plan = World::new("box/a = 1\nbox/b = 1", "box/a = 2\nbox/b = 2").plan();
    let written = all(&plan);
    // Another merge request with the same content for `a` was merged meanwhile.
    let base = |at: &ResourceId| if *at == id("box/a") { value("2") } else { value("1") };
    let made = back_while(&plan, &written, &[], &base, &BTreeMap::new()).unwrap();
    assert_eq!(writes(&made), [id("box/b")], "the rest goes back");
    assert_eq!(made.left.iter().map(|left| left.id.clone()).collect::<Vec<_>>(), [id("box/a")]);
    assert_snapshot!(made.left[0].why.to_string());
    // What is back already is not written, so nothing becomes false.
    assert!(back_while(&plan, &written, &[("box/a", value("1"))], &base, &BTreeMap::new()).is_ok());
}

#[test]
fn a_way_back_never_starts_from_what_another_change_wrote() {
    let plan = World::new("box/a = 1", "box/a = 2").plan();
    let ahead = BTreeMap::from([(id("box/a"), (MrId { repo: RepoId::new("infra"), number: 8 }, value("3")))]);
    let written = all(&plan);
    let Err(CompileError::Refused(faults)) = back_while(&plan, &written, &[("box/a", value("3"))], &|_| value("1"), &ahead) else { panic!("it would write over infra!8") };
    assert!(faults[0].what.contains("which the open change infra!8 wrote"), "{}", faults[0].what);
}
