//! The three-way diff: one rule a test.

use super::toy::{World, id, seen};
use trueup::core::{
    diff::{Op, Reason},
    model::{Grant, MrId, RefusalKind, RepoId, Value},
    plan::{CompileError, Finding, Note, wants},
};

fn other() -> MrId {
    MrId { repo: RepoId::new("infra"), number: 7 }
}

fn ours(value: &str) -> Option<trueup::core::model::Fingerprint> {
    Some(Value::str(value).fingerprint())
}

fn only(world: &World) -> (Op, Reason, usize) {
    let plan = world.plan();
    assert_eq!(plan.deltas.len(), 1, "{plan:?}");
    (plan.deltas[0].op.clone(), plan.deltas[0].reason.clone(), plan.steps.len())
}

#[test]
fn live_that_is_already_merged_is_kept() {
    assert_eq!(only(&World::new("box/a = 1", "box/a = 2").live("box/a", Some("2"))), (Op::Keep, Reason::AlreadyTrue, 0));
    assert_eq!(only(&World::new("box/a = 1", "").live("box/a", None)), (Op::Keep, Reason::AlreadyTrue, 0));
}

#[test]
fn live_that_is_already_merged_and_that_base_did_not_ask_for_is_adopted() {
    assert_eq!(only(&World::new("", "box/a = 1").live("box/a", Some("1"))), (Op::Adopt, Reason::AlreadyTrue, 0));
}

#[test]
fn a_new_source_adopts_what_is_live_and_equal_and_writes_what_is_absent() {
    let mut world = World::new("box/a = 1", "box/a = 1");
    world.fresh.insert(id("box/a"));
    assert_eq!(only(&world), (Op::Adopt, Reason::AlreadyTrue, 0));
    let world = World { fresh: world.fresh, ..World::new("", "box/a = 1") };
    assert_eq!(only(&world), (Op::Create, Reason::MergeRequest, 1));
}

#[test]
fn what_this_change_wrote_is_kept_not_adopted() {
    let mut world = World::new("", "box/a = 1").live("box/a", Some("1"));
    world.ours.insert(id("box/a"), ours("1"));
    assert_eq!(only(&world), (Op::Keep, Reason::Continues, 0));
}

#[test]
fn a_push_goes_on_from_what_this_change_wrote() {
    let mut world = World::new("box/a = 1", "box/a = 3").live("box/a", Some("2"));
    world.ours.insert(id("box/a"), ours("2"));
    let plan = world.plan();
    assert_eq!((&plan.deltas[0].op, &plan.deltas[0].reason), (&Op::Update, &Reason::Continues));
    assert_eq!(plan.steps.values().next().unwrap().writes()[0].from, Some(Value::str("2")));
}

#[test]
fn what_this_change_wrote_and_no_longer_asks_for_is_taken_back() {
    let mut world = World::new("box/b = 1", "box/b = 1").live("box/a", Some("2")).live("box/b", None);
    world.ours.insert(id("box/a"), ours("2"));
    world.ours.insert(id("box/b"), None);
    let plan = world.plan();
    let ops: Vec<(&Op, &Reason)> = plan.deltas.iter().map(|delta| (&delta.op, &delta.reason)).collect();
    assert_eq!(ops, [(&Op::Delete, &Reason::Continues), (&Op::Create, &Reason::Continues)]);
}

#[test]
fn what_another_open_change_applied_is_the_base() {
    let mut world = World::new("box/a = 1", "box/a = 3").live("box/a", Some("2"));
    world.ahead.insert(id("box/a"), (other(), Some(Value::str("2"))));
    assert_eq!(only(&world), (Op::Update, Reason::AheadBy(other()), 1));
    assert_eq!(world.plan().notes, [Note::AheadBy { id: id("box/a"), change: "infra!7".into() }]);
    let world = world.live("box/a", Some("1"));
    assert_eq!(world.refused()[0].kind, RefusalKind::Drift);
    assert!(world.refusals().contains("the open change infra!7 wrote `\"2\"`"), "{}", world.refusals());
}

#[test]
fn what_another_open_change_made_equal_is_kept_and_named() {
    let mut world = World::new("", "box/a = 2").live("box/a", Some("2"));
    world.ahead.insert(id("box/a"), (other(), Some(Value::str("2"))));
    assert_eq!(only(&world), (Op::Keep, Reason::AheadBy(other()), 0));
    // What it asks for is approved, and stays so when the other one is merged.
    let leaves = world.plan().leaves();
    assert_eq!(leaves.len(), 1);
    let merged = World::new("box/a = 1", "box/a = 2").live("box/a", Some("2"));
    assert_eq!(leaves, merged.plan().leaves());
}

#[test]
fn what_another_repository_wrote_is_drift_and_never_the_base() {
    let mut world = World::new("", "box/a = 3").live("box/a", Some("2"));
    let theirs = MrId { repo: RepoId::new("other"), number: 1 };
    world.ahead.insert(id("box/a"), (theirs.clone(), Some(Value::str("2"))));
    assert_eq!(world.refused()[0].kind, RefusalKind::Drift);
    assert!(world.refusals().contains("was written by other!1, an open change of another repository"), "{}", world.refusals());
    // Equal content waits for them all the same.
    let world = World { ahead: world.ahead, ..World::new("", "box/a = 2") }.live("box/a", Some("2"));
    assert_eq!(only(&world), (Op::Keep, Reason::AheadBy(theirs), 0));
}

#[test]
fn a_source_taken_out_releases_and_deletes_nothing() {
    let mut world = World::new("box/a = 1", "").live("box/a", Some("drifted"));
    world.released.insert(id("box/a"));
    assert_eq!(only(&world), (Op::Release, Reason::MergeRequest, 0));
}

#[test]
fn a_source_taken_out_is_released_even_outside_the_grants() {
    let mut world = World::new("box/a = 1", "");
    world.released.insert(id("box/a"));
    world.grants.clear();
    assert_eq!(only(&world).0, Op::Release);
}

#[test]
fn a_move_is_the_same_live_object_under_a_new_name() {
    let mut world = World::new("box/a = 1", "bag/b = 1");
    world.moved.insert(id("bag/b"), id("box/a"));
    assert_eq!(only(&world), (Op::Move { was: id("box/a") }, Reason::AlreadyTrue, 0));
    let world = World { moved: world.moved, ..World::new("box/a = 1", "bag/b = 2") };
    assert_eq!(only(&world), (Op::Move { was: id("box/a") }, Reason::MergeRequest, 1));
    let world = world.live("bag/b", None);
    assert_eq!(world.refused()[0].kind, RefusalKind::Drift);
}

#[test]
fn a_move_that_names_what_is_not_there_or_still_there_is_refused() {
    let mut world = World::new("", "bag/b = 1");
    world.moved.insert(id("bag/b"), id("box/a"));
    assert_eq!(world.refused()[0].kind, RefusalKind::Unknown);
    let world = World { moved: world.moved, ..World::new("box/a = 1", "bag/b = 1\nbox/a = 1") };
    assert_eq!(world.refused()[0].kind, RefusalKind::Overlap);
    let world = World { moved: world.moved, ..World::new("box/a = 1", "") };
    assert_eq!(world.refused()[0].kind, RefusalKind::Unknown);
}

#[test]
fn fields_that_neither_side_names_are_not_compared() {
    let world = World::new("box/a = 1", "box/a = 2");
    let map = |pairs: &[(&str, i64)]| Some(Value::map(pairs.iter().map(|(key, n)| (*key, Value::Int(*n)))));
    let seen = seen(id("box/a"), map(&[("mine", 1), ("theirs", 9)]), map(&[("mine", 1)]), Ok(map(&[("mine", 2)])));
    let plan = world.compile_seen(&[seen]).unwrap();
    assert_eq!((plan.deltas[0].from.clone(), plan.deltas[0].paths[0].to_string()), (map(&[("mine", 1)]), "mine".to_owned()));
}

#[test]
fn only_what_the_merge_request_changes_is_looked_at() {
    let world = World::new("box/a = 1\nbox/b = 1\nbox/c = 1", "box/a = 1\nbox/b = 2\nbox/d = 1");
    let asked: Vec<String> = wants(&world.scope()).unwrap().into_iter().map(|want| want.id.name.to_string()).collect();
    assert_eq!(asked, ["box/b/x", "box/c/x", "box/d/x"]);
    // A neighbour that drifted is none of this merge request's business.
    assert_eq!(world.live("box/a", Some("drifted")).plan().deltas.len(), 3);
}

#[test]
fn what_lies_outside_the_grants_is_refused_before_anything_is_read() {
    let mut world = World::new("", "box/a = 1\nbox/b = 1\nbag/c = 1");
    world.grants = vec![Grant { target: "toys".into(), units: vec!["bag".into()], sensitive: Vec::new(), shared: false }];
    let Err(CompileError::Refused(faults)) = wants(&world.scope()) else { panic!("wants were handed out") };
    assert_eq!(
        faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "toys.yaml:1:1: `box` on target `toys` is not granted to this repository (2 resources); take it out of this merge request, or ask the operators to grant it in the server's configuration"
        ]
    );
    assert_eq!(world.compile().unwrap_err(), CompileError::Refused(faults));
}

#[test]
fn nothing_to_do_is_never_said_without_looking() {
    let error = World::new("box/a = 1", "box/a = 2").compile_seen(&[]).unwrap_err();
    assert_eq!(error, CompileError::Broken(vec![Finding::NotObserved { id: id("box/a") }]));
}
