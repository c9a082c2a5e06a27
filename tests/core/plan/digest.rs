//! The digest (I2): what is in it, what is not, and what is left of approvals.

use super::toy::{World, id};
use trueup::core::{
    model::{ApprovalRule, FileId, StepId},
    plan::{LeafKey, Note, Plan, kept},
};

fn key(text: &str) -> LeafKey {
    LeafKey(text.into())
}

#[test]
fn lines_notes_and_parents_do_not_change_the_digest() {
    let plan = World::new("box/a = 1\nbox/b = 1", "box/a = 2\nbox/b = 2").plan();
    let mut other = World::new("box/b = 1\n\nbox/a = 1", "\n\n\nbox/b = 2\nbox/a = 2");
    other.notes = vec![Note::Remark { text: "hello".into() }];
    let mut other = other.plan();
    other.parent = Some(plan.digest());
    assert_eq!(plan.digest(), other.digest());
    assert_ne!(plan, other);
}

#[test]
fn batching_does_not_change_the_digest() {
    let merged = "T:box/a = >c\nT:box/b = >a\nT:box/c = 1\nT:box/d = 1\nT:box/e = >b >d";
    let in_target = |target: &str| World::new("", &merged.replace('T', target)).plan();
    let (one, cut) = (in_target("toys"), in_target("small"));
    assert_eq!((one.steps.len(), cut.steps.len()), (1, 2));
    // The same plan for both targets, but for the target's name in each id.
    let rename = |plan: &Plan| -> Plan { serde_json::from_str(&serde_json::to_string(plan).unwrap().replace("\"small", "\"toys")).unwrap() };
    assert_eq!(rename(&cut).digest(), one.digest());
    assert_ne!(cut.digest(), one.digest());
}

#[test]
fn one_write_changed_changes_only_its_leaf() {
    let before = World::new("box/a = 1\nbox/b = 1", "box/a = 2\nbox/b = 2\nbox/c = 2").plan();
    let after = World::new("box/a = 1\nbox/b = 1", "box/a = 2\nbox/b = 3\nbox/c = 2").plan();
    let kept = kept(&before.leaves(), &after.leaves());
    assert_eq!(kept.changed.into_iter().collect::<Vec<_>>(), [key("write toys/toy/box/b/x")]);
    assert_eq!((kept.same.len(), kept.new.len(), kept.gone.len()), (2, 0, 0));
    assert_ne!(before.digest(), after.digest());
}

#[test]
fn the_value_before_is_approved_as_well() {
    let plan = |base: &str| World::new(base, "box/a = 9").plan();
    assert_eq!(kept(&plan("box/a = 1").leaves(), &plan("box/a = 2").leaves()).changed.len(), 1);
}

#[test]
fn what_is_added_was_not_approved_and_what_is_done_is_gone() {
    let mut world = World::new("", "box/a = 1\nbox/b = 1");
    let approved = world.plan().leaves();
    world = World { ours: [(id("box/a"), world.merged.get(&id("box/a")).map(|wanted| wanted.value.fingerprint()))].into(), ..World::new("", "box/a = 1\nbox/b = 1") };
    let world = world.live("box/a", Some("1"));
    let amended = kept(&approved, &world.plan().leaves());
    assert!(amended.covers_all(), "{amended:?}");
    assert_eq!(amended.gone.into_iter().collect::<Vec<_>>(), [key("write toys/toy/box/a/x")]);
    let more = World::new("", "box/a = 1\nbox/b = 1\nbox/c = 1").plan();
    assert_eq!(kept(&approved, &more.leaves()).new.into_iter().collect::<Vec<_>>(), [key("write toys/toy/box/c/x")]);
}

#[test]
fn taking_ownership_and_giving_it_up_is_approved_although_nothing_is_written() {
    let mut world = World::new("box/r = 1", "box/a = 1").live("box/a", Some("1"));
    world.released.insert(id("box/r"));
    let plan = world.plan();
    assert!(plan.is_empty() && plan.writes_nothing());
    assert_eq!(plan.leaves().into_keys().collect::<Vec<_>>(), [key("adopt toys/toy/box/a/x"), key("release toys/toy/box/r/x")]);
    assert_ne!(plan.digest(), Plan::default().digest());
}

#[test]
fn an_order_between_the_same_writes_is_part_of_the_digest() {
    let plan = |text: &str| World::new("", text).plan();
    let (free, tied) = (plan("box/a = 1\nbag/b = 1"), plan("box/a after bag/b = 1\nbag/b = 1"));
    assert_eq!(free.leaves(), tied.leaves());
    assert_ne!(free.digest(), tied.digest());
}

#[test]
fn an_order_that_was_approved_and_is_pushed_away_is_approved_anew() {
    let plan = |text: &str| World::new("", text).plan();
    let loose = |now: &Plan, approved: &Plan| now.loosened(approved).len();
    let (free, tied) = (plan("box/a = 1\nbag/b = 1"), plan("box/a after bag/b = 1\nbag/b = 1"));
    assert_eq!((loose(&free, &tied), loose(&tied, &free), loose(&tied, &tied)), (1, 0, 0), "more order than was approved is no loss");
    let leaf = free.leaves()[&key("write toys/toy/box/a/x")];
    assert_eq!(free.loosened(&tied).into_iter().collect::<Vec<_>>(), [leaf], "what waited is approved anew, what it waited for is not");
    // What is done, or not asked for any more, holds nothing up.
    assert_eq!(loose(&plan("box/a = 1"), &tied), 0);
    // The other way round is another order.
    assert_eq!(loose(&plan("box/a = 1\nbag/b after box/a = 1"), &tied), 1);
}

#[test]
fn the_rules_that_fired_are_part_of_the_digest_by_content() {
    let plan = |count: u32| {
        let mut world = World::new("", "box/a = 1");
        world.policy.approvals = vec![ApprovalRule { when: Some("creates".into()), count, by: Vec::new() }];
        world.plan()
    };
    assert_ne!(plan(1).digest(), plan(2).digest());
    let mut reworded = plan(1);
    reworded.rules[0].because = "said otherwise".into();
    assert_eq!(plan(1).digest(), reworded.digest());
}

#[test]
fn a_step_has_the_leaves_of_its_items_and_a_missing_one_has_none() {
    let plan = World::new("", "box/a = 1\nbag/b = 1").plan();
    let (bag, boxes) = (plan.step_leaves(StepId(1)), plan.step_leaves(StepId(2)));
    assert_eq!(bag.clone().into_iter().chain(boxes).collect::<trueup::core::plan::LeafSet>(), plan.leaves());
    assert_ne!(plan.step_digest(StepId(1)), plan.step_digest(StepId(2)));
    assert_eq!((bag.len(), plan.step_digest(StepId(3))), (1, None));
}

#[test]
fn a_file_that_no_unit_reads_is_approved_by_its_content() {
    let with = |path: &str, becomes: Option<&str>| {
        let mut world = World::new("", "box/a = 1");
        world.notes = vec![Note::Unmapped { path: path.into(), becomes: becomes.map(FileId::new) }];
        world.plan()
    };
    let (none, first, second, gone) = (World::new("", "box/a = 1").plan(), with("ci/deploy.sh", Some("1")), with("ci/deploy.sh", Some("2")), with("ci/deploy.sh", None));
    let changed = kept(&first.leaves(), &second.leaves());
    assert_eq!((changed.changed.into_iter().collect::<Vec<_>>(), changed.same.len()), (vec![key("file ci/deploy.sh")], 1));
    assert!(!kept(&none.leaves(), &first.leaves()).covers_all() && !kept(&first.leaves(), &gone.leaves()).covers_all());
    assert!(kept(&first.leaves(), &with("ci/deploy.sh", Some("1")).leaves()).covers_all());
}
