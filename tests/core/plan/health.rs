//! Which probes cover what, and what that does to the digest and the way back.

use super::toy::{World, id};
use trueup::core::{
    model::{HealthRule, Place},
    plan::{Beside, Plan, kept},
};

/// A rule that asks for one page.
fn rule(r#match: &[&str], url: &str) -> HealthRule {
    let http = serde_json::from_value(serde_json::json!({ "url": url })).unwrap();
    HealthRule { r#match: r#match.iter().map(|pattern| (*pattern).into()).collect(), http: Some(http), ..HealthRule::default() }
}

fn world() -> World {
    World::new("box/a = 1\nbox/b = 1\nbox/c = 1", "box/a = 2\nbox/b = 2")
}

/// What covers what, a line each.
fn covered(plan: &Plan) -> Vec<String> {
    let line = |one: &trueup::core::plan::Healthy| {
        let of: Vec<String> = one.of.iter().map(|id| id.name.to_string()).collect();
        format!("{}{}: {}", if one.policy { "policy " } else { "" }, one.probe, of.join(" "))
    };
    plan.health.iter().map(line).collect()
}

fn beside(rule: &HealthRule, ids: &[&str]) -> Beside {
    let ids: Vec<_> = ids.iter().map(|short| id(short)).collect();
    rule.beside(&Place::new("trueup.yaml", 7, 5), ids.iter()).unwrap().unwrap()
}

#[test]
fn a_merge_request_adds_probes_to_those_of_policy_and_takes_none_away() {
    let mut world = world();
    world.policy.health = vec![rule(&["toys/toy/box/a/*"], "http://one/"), rule(&["*/c/*"], "http://two/"), rule(&["*/nothing/*"], "http://three/")];
    world.health = vec![beside(&rule(&[], "http://four/"), &["box/b", "box/c", "box/z"]), beside(&rule(&["*/b/*"], "http://one/"), &["box/a", "box/b"])];
    let is = covered(&world.plan());
    // What is deleted is touched as well; what nobody touches is not asked about.
    let want = [
        "GET http://four/ answers 200: box/b/x box/c/x",
        "GET http://one/ answers 200: box/b/x",
        "policy GET http://one/ answers 200: box/a/x",
        "policy GET http://two/ answers 200: box/c/x",
    ];
    assert_eq!(is, want);
}

#[test]
fn a_probe_changed_changes_only_the_leaves_it_covers() {
    let (mut before, mut after) = (world(), world());
    before.policy.health = vec![rule(&["*/a/*"], "http://one/"), rule(&["*/b/*"], "http://two/")];
    after.policy.health = vec![rule(&["*/a/*"], "http://one/"), rule(&["*/b/*"], "http://two/changed")];
    let (before, after) = (before.plan(), after.plan());
    let kept = kept(&before.leaves(), &after.leaves());
    assert_eq!(kept.changed.iter().map(|key| &*key.0).collect::<Vec<_>>(), ["write toys/toy/box/b/x"]);
    assert_eq!((kept.same.len(), kept.new.len(), kept.gone.len()), (2, 0, 0));
    assert_ne!(before.digest(), after.digest());
}

#[test]
fn a_probe_that_covers_nothing_of_the_plan_changes_no_digest() {
    let mut other = world();
    other.policy.health = vec![rule(&["*/zzz/*"], "http://one/")];
    assert_eq!(world().plan().digest(), other.plan().digest());
}

#[test]
fn the_way_back_is_held_to_the_probes_of_policy_alone() {
    let mut world = world();
    world.policy.health = vec![rule(&["*/a/*"], "http://policy/")];
    world.health = vec![beside(&rule(&[], "http://own/"), &["box/a", "box/b"])];
    let plan = world.plan();
    assert_eq!(plan.health.len(), 2);
    assert_eq!(covered(&plan.forecast_reverse()), ["policy GET http://policy/ answers 200: box/a/x"]);
}

#[test]
fn a_pattern_of_a_probe_that_is_none_is_refused() {
    let mut world = world();
    world.policy.health = vec![rule(&["toys/["], "http://one/")];
    assert!(world.refused()[0].what.contains("policy.health[0].match"));
}
