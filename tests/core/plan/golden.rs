//! Golden plans: what comes of small merge requests, as text.

use super::toy::{World, id, print, toys};
use insta::assert_snapshot;
use trueup::core::{
    model::{ApprovalRule, OnDrift, Reading, Value},
    plan::Note,
};

#[test]
fn one_add_is_one_write() {
    assert_snapshot!(print(&World::new("", "box/a = red").plan()));
}

#[test]
fn a_change_names_both_sides_and_its_line() {
    assert_snapshot!(print(&World::new("box/a = red\nbox/b = same", "box/a = blue\nbox/b = same").plan()));
}

#[test]
fn a_line_taken_out_deletes_and_points_at_the_line_that_was() {
    assert_snapshot!(print(&World::new("box/b = same\nbox/a = red", "box/b = same").plan()));
}

#[test]
fn forms_that_exclude_each_other_are_swapped_in_one_step_with_the_delete_first() {
    let world = World::new("box/a/zz = >b\nbox/c = one", "box/a/aa = 192\nbox/c = two");
    assert_snapshot!(print(&world.plan()));
}

#[test]
fn swaps_are_not_cut_at_the_limit() {
    let world = World::new("small:box/a/x = 1\nsmall:box/b/x = 1\nsmall:box/c/x = 1", "small:box/a/y = 1\nsmall:box/b/y = 1\nsmall:box/c/y = 1");
    assert_snapshot!(print(&world.plan()));
}

#[test]
fn a_provider_is_written_before_its_consumers_and_proven_first_in_another_unit() {
    let world = World::new("", "box/a = >z\nbox/z = 192\nbag/c = >z");
    assert_snapshot!(print(&world.plan()));
}

#[test]
fn a_consumer_lets_go_before_its_provider_is_deleted() {
    let world = World::new("bag/c = >z\nbox/a = >z\nbox/z = 192\nbox/y = 1", "bag/c = >y\nbox/y = 1");
    assert_snapshot!(print(&world.plan()));
}

#[test]
fn two_views_of_one_name_do_not_wait_for_each_other() {
    let world = World::new("", "box/z = 1\nbox/a = >z\nother:bag/z = 1\nother:bag/a = >z");
    assert_snapshot!(print(&world.plan()));
}

#[test]
fn after_orders_what_data_cannot_say() {
    let world = World::new("bag/q after bag/p = 1\nbag/p = 1", "box/b after box/a, bag/z = 1\nbox/a = 1\nbag/z = 1");
    assert_snapshot!(print(&world.plan()));
}

#[test]
fn a_loop_of_after_prints_itself_with_both_places() {
    let world = World::new("", "box/a after box/c = 1\nbox/b after box/a = 1\nbox/c after box/b = 1");
    assert_snapshot!(world.refusals());
}

#[test]
fn a_loop_of_after_is_refused_even_where_nothing_is_written() {
    let world = World::new("box/a = 1\nbox/b = 1", "box/a after box/b = 1\nbox/b after box/a = 1");
    assert_snapshot!(world.refusals());
}

#[test]
fn a_loop_between_units_prints_the_reason_of_each_link() {
    let world = World::new("", "box/a = >b\nbag/b = >c\nbox/c after box/a = 1");
    assert_snapshot!(world.refusals());
}

#[test]
fn an_order_that_text_only_seems_to_ask_for_gives_way_and_is_told() {
    assert_snapshot!(print(&World::new("", "box/a = >b\nbag/b = >c\nbox/c = ?a").plan()));
    let loose = World::new("", "loose:box/a = ?b\nloose:box/b = ?a").plan();
    assert!(loose.edges.is_empty() && loose.notes.len() == 2, "{loose:?}");
}

#[test]
fn things_that_point_at_each_other_in_one_atomic_unit_go_in_one_message() {
    assert_snapshot!(print(&World::new("", "box/a = >b\nbox/b = >a\nbag/c = >a").plan()));
}

#[test]
fn things_that_point_at_each_other_where_nothing_is_atomic_are_a_loop() {
    assert_snapshot!(World::new("", "loose:box/a = >b\nloose:box/b = >a").refusals());
}

#[test]
fn after_something_that_is_removed_is_refused() {
    assert_snapshot!(World::new("box/a = 1", "box/b after box/a = 1").refusals());
}

#[test]
fn after_between_the_halves_of_a_swap_is_refused() {
    assert_snapshot!(World::new("box/a/x = 1", "box/a/y after box/a/z = 1\nbox/a/z = 1").refusals());
}

#[test]
fn drift_inside_the_merge_request_is_refused_with_all_three_values() {
    let drifted = World::new("box/a = red\nbox/b = red", "box/a = blue\nbox/b = blue\nbox/c = new").live("box/a", Some("green")).live("box/b", None).live("box/c", Some("theirs"));
    assert_snapshot!(drifted.refusals());
}

#[test]
fn drift_is_overwritten_where_policy_says_so_and_marked() {
    let mut world = World::new("box/a = red", "box/a = blue").live("box/a", Some("green"));
    world.policy.on_drift = OnDrift::Overwrite;
    world.policy.approvals = vec![ApprovalRule { when: Some("drifts".into()), count: 2, by: vec!["sre".into()] }];
    assert_snapshot!(print(&world.plan()));
}

#[test]
fn sensitive_values_are_not_in_the_refusal() {
    let mut world = World::new("box/a = old-secret", "box/a = new-secret").live("box/a", Some("live-secret"));
    world.policy.sensitive = vec!["toys/toy/box/*".into()];
    let said = world.refusals();
    assert!(!said.contains("-secret"), "{said}");
    assert_snapshot!(said);
}

#[test]
fn without_observing_base_stands_for_live_and_the_plan_says_so() {
    let mut world = World::new("box/a = red", "box/a = blue").live("box/a", Some("green"));
    world.offline = true;
    assert_snapshot!(print(&world.plan()));
}

#[test]
fn what_a_kind_refuses_is_refused_with_its_place_seen_or_not() {
    let mut world = World::new("box/a = red", "\nbox/a = bad");
    let seen = world.refusals();
    world.offline = true;
    assert_eq!(seen, world.refusals());
    assert_snapshot!(seen);
}

#[test]
fn a_unit_that_does_not_hold_together_is_refused_although_the_fault_is_elsewhere_in_it() {
    assert_snapshot!(World::new("box/a = 1\nbox/t = torn", "box/a = 2\nbox/t = torn").refusals());
    World::new("box/a = 1\nbag/t = torn", "box/a = 2\nbag/t = torn").plan();
}

#[test]
fn what_lives_in_something_that_this_plan_makes_waits_for_it() {
    let world = World::new("", "bag/home = 1\nbox/a = 1");
    let mut seen = world.observe().unwrap();
    seen.iter_mut().find(|seen| seen.id == id("box/a")).unwrap().reading = Reading::Later { until: id("bag/home") };
    assert_snapshot!(print(&world.compile_seen(&seen).unwrap()));
    let world = World::new("", "box/a = 1");
    let mut seen = world.observe().unwrap();
    seen[0].reading = Reading::Later { until: id("bag/home") };
    assert_snapshot!(world.compile_seen(&seen).unwrap_err().to_string());
}

#[test]
fn notes_are_carried_sorted_and_once() {
    let mut world = World::new("", "box/a = 1\nbox/i = 1");
    world.policy.ignore = vec!["toys/toy/box/i/*".into()];
    world.merged.skipped.insert("ALIAS".into(), 3);
    let unmapped = Note::Unmapped { path: "README.md".into(), becomes: None };
    world.notes = vec![Note::WeakPrecondition { target: "toys".into(), what: "TTL".into() }, unmapped.clone(), unmapped, Note::Skipped { reason: "ALIAS".into(), count: 3 }];
    assert_snapshot!(print(&world.plan()));
}

#[test]
fn a_large_unit_is_cut_at_its_limits_by_count_and_by_bytes() {
    let merged: String = (0..7).map(|n| format!("small:box/t{n} = 1\n")).collect();
    assert_eq!(World::new("", &merged).plan().steps.values().map(|step| step.items()).collect::<Vec<_>>(), [3, 3, 1]);
    let big: String = (0..4).map(|n| format!("box/t{n} = {}\n", "x".repeat(300_000))).collect();
    assert_eq!(World::new("", &big).plan().steps.values().map(|step| step.items()).collect::<Vec<_>>(), [3, 1]);
}

#[test]
fn a_group_that_no_message_holds_is_refused() {
    assert_snapshot!(World::new("small:box/a/a = 1\nsmall:box/a/b = 1\nsmall:box/a/c = 1", "small:box/a/d = 1").refusals());
}

#[test]
fn ten_thousand_changes_that_point_at_each_other_compile_to_one_unit_in_few_steps() {
    let line = |n: usize| if n.is_multiple_of(2) { format!("box/t{n:05} = 1\n") } else { format!("box/t{n:05} = >t{:05}\n", n - 1) };
    let plan = World::new("", &(0..10_000).map(line).collect::<String>()).plan();
    assert_eq!((plan.deltas.len(), plan.steps.len()), (10_000, 100));
    assert!(trueup::core::plan::lint(&plan, &toys).is_empty());
    assert_eq!(plan.deltas[0].to, Some(Value::str("1")));
}
