//! Atomic groups: one message or none.

use super::toy::{World, id, print};
use insta::assert_snapshot;
use trueup::core::model::{Late, Piece, Place, Refers};

fn grouped(base: &str, merged: &str, group: &[&str]) -> World {
    let mut world = World::new(base, merged);
    world.together = group.iter().map(|short| (id(short), "box/*".into())).collect();
    world
}

#[test]
fn a_group_is_one_step_of_its_own() {
    let plan = grouped("box/b = 1", "box/a = 1\nbox/b = 2\nbox/c = 1\nbox/d = 1", &["box/a", "box/b", "box/c"]).plan();
    assert_snapshot!(print(&plan));
    let groups: Vec<_> = plan.steps.values().map(|step| (step.together.as_deref(), step.writes().len())).collect();
    assert_eq!(groups, [(None, 1), (Some("box/*"), 3)]);
    let back = plan.forecast_reverse();
    assert_eq!(back.steps.values().filter(|step| step.together.is_some()).map(|step| step.writes().len()).collect::<Vec<_>>(), [3], "all or none on the way back too");
}

#[test]
fn what_refers_inside_a_group_needs_no_order() {
    let plan = grouped("", "box/a = >b\nbox/b = >a\nbag/d = >a", &["box/a", "box/b"]).plan();
    assert_eq!(plan.steps.len(), 2, "{}", print(&plan));
    let said = grouped("", "box/a after box/b = 1\nbox/b = 1", &["box/a", "box/b"]).refusals();
    assert!(said.contains("both can only be written in one message"), "{said}");
}

#[test]
fn what_is_written_as_a_reference_inside_a_group_needs_no_order() {
    let mut world = grouped("", "box/a = 1\nbox/b = 1", &["box/a", "box/b"]);
    let refers = Refers { id: id("box/a"), field: "".into(), place: Place::new("toys.yaml", 2, 9) };
    world.merged.late.insert(id("box/b"), Late { pieces: vec![Piece::Refers(refers)] });
    assert_eq!(world.plan().steps.len(), 1);
}

#[test]
fn a_group_that_no_message_holds_is_refused_with_its_place() {
    let merged = "small:box/a = 1\nsmall:box/b = 1\nsmall:box/c = 1\nsmall:box/d = 1";
    let all = ["small:box/a", "small:box/b", "small:box/c", "small:box/d"];
    let long = format!("box/a = {0}\nbox/b = {0}", "x".repeat(600_000));
    let told = [
        grouped("", merged, &all).refusals(),
        grouped(
            "",
            &merged.replace("small", "loose"),
            &all.map(|short| short).iter().map(|short| short.replace("small", "loose")).collect::<Vec<_>>().iter().map(String::as_str).collect::<Vec<_>>(),
        )
        .refusals(),
        grouped("", &long, &["box/a", "box/b"]).refusals(),
    ];
    assert_snapshot!(told.concat());
    let one = grouped("", "loose:box/a = 1", &["loose:box/a"]).plan();
    assert_eq!(one.steps.len(), 1, "a group of one asks nothing of a target");
}

#[test]
fn all_or_none_is_part_of_what_is_approved() {
    let (base, merged) = ("", "box/a = 1\nbox/b = 1");
    let (alone, together) = (World::new(base, merged).plan(), grouped(base, merged, &["box/a", "box/b"]).plan());
    assert_ne!(alone.digest(), together.digest());
    assert!(alone.leaves().keys().eq(together.leaves().keys()));
}
