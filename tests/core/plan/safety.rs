//! Budgets, protected resources, and who must approve.

use super::toy::{World, id, print};
use insta::assert_snapshot;
use trueup::core::model::{ApprovalRule, RefusalKind, Unit};

fn boxes(range: std::ops::Range<usize>) -> String {
    range.map(|n| format!("box/t{n:02} = 1\n")).collect()
}

#[test]
fn too_many_deletes_in_a_unit_are_refused_with_numbers_and_place() {
    assert_snapshot!(World::new(&boxes(0..20), &boxes(7..20)).refusals());
}

#[test]
fn the_budget_itself_is_allowed_and_one_more_is_not() {
    World::new(&boxes(0..20), &boxes(6..20)).plan();
    assert_eq!(World::new(&boxes(0..20), &boxes(7..20)).refused()[0].kind, RefusalKind::Budget);
}

#[test]
fn too_many_changes_in_a_unit_are_refused() {
    let mut world = World::new(&boxes(0..20), &boxes(0..20).replacen("= 1", "= 2", 7));
    assert_snapshot!(world.refusals());
    world.policy.budgets.change_percent = 35;
    world.plan();
}

#[test]
fn a_change_amended_in_pieces_has_one_budget_and_what_is_done_is_not_refused() {
    let amended = |kept: usize, done: usize| {
        let mut world = World::new(&boxes(0..20), &boxes(kept..20));
        for n in 0..done {
            let gone = format!("box/t{n:02}");
            world = world.live(&gone, None);
            world.ours.insert(id(&gone), None);
        }
        world
    };
    amended(6, 4).plan();
    assert_eq!(amended(7, 4).refused()[0].kind, RefusalKind::Budget, "four are gone and three more would go");
    // Base or policy changed after it ran.
    amended(7, 7).plan();
}

#[test]
fn small_units_and_new_resources_are_free_of_percentages() {
    World::new(&boxes(0..9), "").plan();
    World::new(&boxes(0..10), &boxes(0..100)).plan();
}

#[test]
fn a_size_that_the_material_gives_wins_over_counting() {
    let mut world = World::new(&boxes(0..20), &boxes(7..20));
    world.sizes.insert(("toys".into(), Unit::new("box")), 1000);
    world.plan();
    let mut world = World::new(&boxes(0..5), "");
    world.sizes.insert(("toys".into(), Unit::new("box")), 12);
    assert_eq!(world.refused()[0].kind, RefusalKind::Budget);
}

#[test]
fn more_writes_than_a_plan_may_have_are_refused() {
    let mut world = World::new("", &boxes(0..3));
    world.policy.budgets.writes = 2;
    assert_snapshot!(world.refusals());
}

#[test]
fn what_is_protected_is_not_deleted() {
    let mut world = World::new("box/root = 1\nbox/a = 1", "");
    world.policy.protected = vec!["toys/toy/box/a/*".into()];
    assert_snapshot!(world.refusals());
}

#[test]
fn what_is_protected_may_be_updated_and_policy_can_take_protection_back() {
    World::new("box/root = 1", "box/root = 2").plan();
    let mut world = World::new("box/root = 1", "");
    world.policy.protected = vec![format!("!{}", id("box/root")).into()];
    world.plan();
}

#[test]
fn a_pattern_that_is_none_is_named() {
    let mut world = World::new("", "box/a = 1");
    world.policy.protected = vec!["toys/[".into()];
    assert_snapshot!(world.refusals());
}

#[test]
fn every_rule_that_fires_is_in_the_plan_with_its_reason() {
    let rule = |when: Option<&str>, count| ApprovalRule { when: when.map(Into::into), count, by: Vec::new() };
    let mut world = World::new("box/a = 1\nbox/b = 1", "box/b = 2\nbox/c = 1");
    world.policy.approvals = vec![rule(Some("deletes"), 2), rule(Some("drifts"), 9), rule(None, 1)];
    assert_snapshot!(print(&world.plan()));
}

#[test]
fn a_condition_that_cannot_be_judged_refuses_the_plan() {
    let mut world = World::new("", "box/a = 1");
    world.policy.approvals = vec![ApprovalRule { when: Some("moon".into()), count: 1, by: Vec::new() }];
    assert_eq!(world.refusals(), "Schema `moon` is no condition\n");
}

#[test]
fn every_fault_is_said_at_once() {
    let mut world = World::new("box/root = 1\nbox/a = 1", "box/a = 2\nbox/b = bad").live("box/a", Some("9"));
    world.policy.budgets.writes = 0;
    let kinds: Vec<RefusalKind> = world.refused().into_iter().map(|fault| fault.kind).collect();
    assert_eq!(kinds, [RefusalKind::Drift, RefusalKind::Value, RefusalKind::Budget, RefusalKind::Protected]);
}
