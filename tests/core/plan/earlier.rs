//! Plans of changes whose earlier runs wrote something that others remember, or whose health nobody saw yet.

use super::systems::{read, systems};
use insta::assert_snapshot;
use proptest::{collection::vec, prelude::*};
use trueup::core::{
    model::{ABSENCE_LINGERS, FactValue, Fingerprint, Rollout, Span, StepId, Time, Value},
    plan::{Act, Earlier, Needs, Plan, kept},
};

use super::toy::World;

const OLD: [&str; 3] = ["old A 300 192.0.2.1", "www CNAME 600 old.example.com.", "etcd:/app/url = http://old.example.com/"];
const NEW: [&str; 3] = ["new A 300 192.0.2.2", "www CNAME 600 new.example.com.", "etcd:/app/url = http://new.example.com/"];

pub fn rolled(base: &[&str], merged: &[&str], rollout: Rollout) -> World {
    let mut world = systems(base, merged);
    world.policy.rollout = rollout;
    world
}

/// The first `steps` of a plan ran; the world is as they left it, a minute after the last of them.
fn after(mut world: World, plan: &Plan, steps: u32) -> World {
    for (id, step) in plan.steps.iter().filter(|(id, _)| **id <= StepId(steps)) {
        for write in step.writes() {
            world.live.insert(write.id.clone(), write.to.clone());
            world.ours.insert(write.id.clone(), write.to.as_ref().map(Value::fingerprint));
            let at = Time(i64::from(id.0) * 60_000);
            world.past.push(Earlier { id: write.id.clone(), from: write.from.clone(), to: write.to.clone(), at, healthy: false, other: None });
        }
    }
    world.now = Time(i64::from(steps + 1) * 60_000);
    world
}

fn absences(world: &World, seconds: i64) -> Plan {
    let mut seen = world.observe().unwrap();
    seen.iter_mut().for_each(|seen| drop(seen.facts.insert(ABSENCE_LINGERS.into(), FactValue::Int(seconds))));
    world.compile_seen(&seen).unwrap()
}

pub fn elapsed(plan: &Plan) -> Vec<(Option<Time>, Span)> {
    plan.edges.iter().filter_map(|edge| if let Needs::Elapsed(span) = edge.needs { Some((plan.since(edge), span)) } else { None }).collect()
}

#[test]
fn what_was_let_go_of_in_an_earlier_run_goes_once_its_caches_forget() {
    let world = rolled(&OLD, &NEW, Rollout::Wait);
    let plan = world.plan();
    let goes = plan.steps.values().find(|step| step.writes().iter().any(|write| write.to.is_none())).unwrap().id.0;
    let world = after(rolled(&OLD, &NEW, Rollout::Wait), &plan, goes - 1);
    let amended = world.plan();
    assert_snapshot!(read(&amended));
    assert_eq!(amended.waits(), Span(0), "what is left of it depends on when it is asked");
}

#[test]
fn what_nobody_remembers_any_more_is_not_waited_for() {
    let plan = rolled(&OLD, &NEW, Rollout::Wait).plan();
    let goes = plan.steps.values().find(|step| step.writes().iter().any(|write| write.to.is_none())).unwrap().id.0;
    let mut world = after(rolled(&OLD, &NEW, Rollout::Wait), &plan, goes - 1);
    world.now = Time(i64::from(goes) * 60_000) + Span::mins(10);
    assert_eq!(elapsed(&world.plan()), []);
    assert!(!world.plan().steps.values().any(|step| matches!(step.act, Act::Earlier(_))));
}

#[test]
fn what_is_new_is_healthy_and_known_everywhere_before_an_amended_plan_moves_to_it() {
    let base = ["old A 300 192.0.2.1", "www CNAME 600 old.example.com."];
    let merged = ["old A 300 192.0.2.1", "new A 300 192.0.2.2", "www CNAME 600 new.example.com.", "etcd:/next = http://new.example.com/"];
    let first = absences(&rolled(&base, &merged, Rollout::Expand), 1800);
    let mut world = after(rolled(&base, &merged, Rollout::Expand), &first, 1);
    assert_snapshot!(read(&absences(&world, 1800)));
    // Without a word about absence it is healthy first, unless it was seen so.
    let needs = |world: &World| world.plan().edges.iter().map(|edge| edge.needs).collect::<Vec<_>>();
    world.policy.rollout = Rollout::Wait;
    world.merged = super::systems::asks(&["old A 300 192.0.2.1", "new A 300 192.0.2.2", "www CNAME 600 old.example.com.", "dir:next = http://new.example.com/"]);
    world.base = super::systems::asks(&["old A 300 192.0.2.1", "www CNAME 600 old.example.com.", "dir:next = http://old.example.com/"]);
    assert_eq!(needs(&world), [Needs::Healthy]);
    world.past[0].healthy = true;
    assert_eq!(needs(&world), []);
}

#[test]
fn the_health_of_a_fix_is_waited_for_and_not_of_what_it_fixes() {
    let base = ["dir:next = http://old.example.com/"];
    let merged = ["new A 300 192.0.2.2", "dir:next = http://new.example.com/"];
    let first = rolled(&base, &merged, Rollout::Wait).plan();
    let mut world = after(rolled(&base, &merged, Rollout::Wait), &first, 1);
    world.merged = super::systems::asks(&["new A 300 192.0.2.9", "dir:next = http://new.example.com/"]);
    let plan = world.plan();
    assert_eq!(plan.edges.iter().map(|edge| (edge.before, edge.needs)).collect::<Vec<_>>(), [(StepId(1), Needs::Healthy)]);
    assert!(plan.steps.values().all(|step| !step.writes().is_empty()));
}

#[test]
fn the_second_half_of_an_expansion_waits_for_the_rest_and_keeps_its_approval() {
    let (base, merged) = (["app A 300 192.0.2.1"], ["app A 300 192.0.2.9"]);
    let first = rolled(&base, &merged, Rollout::Expand).plan();
    let world = after(rolled(&base, &merged, Rollout::Expand), &first, 1);
    let second = world.plan();
    assert_eq!(elapsed(&second), [(Some(Time(60_000)), Span::mins(5))]);
    assert_snapshot!(read(&second));
    let approvals = kept(&first.leaves(), &second.leaves());
    assert!(approvals.covers_all(), "{approvals:?}");
    // Another address than the one approved is asked about.
    let mut other = after(rolled(&base, &merged, Rollout::Expand), &first, 1);
    other.merged = super::systems::asks(&["app A 300 192.0.2.7"]);
    assert!(!kept(&first.leaves(), &other.plan().leaves()).covers_all());
}

#[test]
fn an_expansion_that_is_led_elsewhere_adds_at_once_and_takes_away_after_the_longest_wait() {
    let (base, merged) = (["app A 3600 192.0.2.1"], ["app A 60 192.0.2.9"]);
    let first = rolled(&base, &merged, Rollout::Expand).plan();
    let mut world = after(rolled(&base, &merged, Rollout::Expand), &first, 1);
    world.merged = super::systems::asks(&["app A 60 192.0.2.7"]);
    let plan = world.plan();
    assert_eq!(elapsed(&plan), [(Some(Time(60_000)), Span::mins(60)), (None, Span::mins(1))]);
    let adds = plan.steps.values().find(|step| !step.writes().is_empty()).unwrap();
    assert!(plan.edges.iter().all(|edge| edge.after != adds.id), "adding waits for nobody");
}

#[test]
fn a_name_that_earlier_runs_made_and_this_one_removes_is_missed_by_who_was_led_to_it() {
    // The first run led www to new; the push goes back to old, the third plan removes new while caches still lead there.
    let www = rolled(&["old A 300 192.0.2.1", "www CNAME 600 new.example.com."], &["old A 300 192.0.2.1", "www CNAME 600 old.example.com."], Rollout::Wait).plan();
    let mut world = rolled(&["old A 300 192.0.2.1", "www CNAME 600 old.example.com."], &["old A 300 192.0.2.1", "www CNAME 600 old.example.com."], Rollout::Wait);
    let made = super::systems::asks(&["new A 300 192.0.2.2"]);
    let (new, value) = made.resources.iter().map(|(id, wanted)| (id.clone(), wanted.value.clone())).next().unwrap();
    world.past.push(Earlier { id: new.clone(), from: None, to: Some(value.clone()), at: Time(1000), healthy: true, other: None });
    let moved = &www.steps.values().next().unwrap().writes()[0];
    world.past.push(Earlier { id: moved.id.clone(), from: moved.from.clone(), to: moved.to.clone(), at: Time(2000), healthy: false, other: None });
    world.live.insert(new.clone(), Some(value.clone()));
    world.ours = [(new.clone(), Some(value.fingerprint())), (moved.id.clone(), moved.to.as_ref().map(Value::fingerprint))].into();
    let plan = world.plan();
    assert_eq!(elapsed(&plan), [(Some(Time(2000)), Span::mins(10))]);
}

#[test]
fn an_order_before_the_first_half_of_an_expansion_that_is_pushed_away_is_approved_anew() {
    let (base, merged) = (["app A 300 192.0.2.1", "etcd:/a = 1"], ["app A 300 192.0.2.9", "etcd:/a = 2"]);
    let mut world = rolled(&base, &merged, Rollout::Expand);
    let side = |text: &str| trueup::core::plan::Side::Resources(text.into());
    world.orders = vec![trueup::core::plan::Order { first: side("etcd/key/*"), then: side("inside/**"), place: Default::default() }];
    let (approved, now) = (world.plan(), rolled(&base, &merged, Rollout::Expand).plan());
    let loosened = now.loosened(&approved);
    assert!(loosened.len() == 1 && now.leaves().values().any(|leaf| loosened.contains(leaf)), "{loosened:?}");
    // What is done has no order left.
    let first = rolled(&base, &merged, Rollout::Expand).plan();
    let ran = first.steps.values().filter(|step| step.writes().iter().any(|write| write.id.kind.as_ref() == "rrset")).map(|step| step.id.0).min().unwrap();
    let amended = after(rolled(&base, &merged, Rollout::Expand), &first, ran).plan();
    assert_eq!(amended.loosened(&first).len(), 0);
}

#[test]
fn times_are_in_no_digest() {
    let plan = rolled(&OLD, &NEW, Rollout::Wait).plan();
    let goes = plan.steps.values().find(|step| step.writes().iter().any(|write| write.to.is_none())).unwrap().id.0;
    let world = after(rolled(&OLD, &NEW, Rollout::Wait), &plan, goes - 1);
    let mut later = after(rolled(&OLD, &NEW, Rollout::Wait), &plan, goes - 1);
    later.past.iter_mut().for_each(|earlier| earlier.at = earlier.at + Span::secs(1));
    let (one, other) = (world.plan(), later.plan());
    assert_eq!(one.digest(), other.digest());
    assert_ne!(one, other);
    assert!(kept(&plan.leaves(), &one.leaves()).covers_all(), "what was approved goes on");
    let none = Fingerprint::of("", &[]);
    assert!(one.leaves().values().all(|leaf| leaf.0 != none.0));
}

/// A few hosts and aliases: what each is on base and in the merged tree, as numbers; 0 is not there.
pub fn lines(hosts: &[(u8, u8)], aliases: &[(u8, u8)], merged: bool) -> Vec<String> {
    let side = |(base, then): &(u8, u8)| if merged { *then } else { *base };
    let host = |(n, of): (usize, &(u8, u8))| (side(of) > 0).then(|| format!("h{n} A {} 192.0.2.{}", if merged { 120 } else { 60 * (n + 1) }, side(of)));
    let alias = |(n, of): (usize, &(u8, u8))| (side(of) > 0).then(|| format!("a{n} CNAME {} h{}.example.com.", if merged { 120 } else { 60 * (n + 2) }, side(of) - 1));
    hosts.iter().enumerate().filter_map(host).chain(aliases.iter().enumerate().filter_map(alias)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Wherever a run is interrupted, the plan made anew waits as long, and for the same health, as the one that was interrupted.
    #[test]
    fn a_plan_made_anew_in_the_middle_of_a_run_takes_nothing_off_any_wait(
        hosts in vec((0u8..3, 0u8..3), 4..5), aliases in vec((0u8..5, 0u8..5), 4..5), expand in any::<bool>(),
    ) {
        let (base, merged) = (lines(&hosts, &aliases, false), lines(&hosts, &aliases, true));
        let (base, merged): (Vec<&str>, Vec<&str>) = (base.iter().map(String::as_str).collect(), merged.iter().map(String::as_str).collect());
        let rollout = if expand { Rollout::Expand } else { Rollout::Wait };
        let sides = || rolled(&base, &merged, rollout);
        let first = absences(&sides(), 900);
        for ran in 1..first.steps.len() as u32 {
            let mut world = after(sides(), &first, ran);
            world.now = Time(i64::from(ran) * 1000);
            world.past.iter_mut().for_each(|earlier| earlier.at = Time(earlier.at.0 / 60));
            let again = absences(&world, 900);
            let id = |plan: &Plan, step: StepId, item: u32| plan.steps[&step].writes()[item as usize].id.clone();
            for edge in first.edges.iter().filter(|edge| edge.before <= StepId(ran) && edge.after > StepId(ran)) {
                for (before, then) in &edge.items {
                    let (wrote, waits) = (id(&first, edge.before, *before), id(&first, edge.after, *then));
                    let into = |other: &&trueup::core::plan::Edge| {
                        matches!(&again.steps[&other.before].act, Act::Earlier(_))
                            && other.items.iter().any(|(_, item)| id(&again, other.after, *item) == waits)
                    };
                    let over = |needs: Needs, from: Time| if let Needs::Elapsed(span) = needs { from + span } else { Time(0) };
                    let until = over(edge.needs, Time(i64::from(edge.before.0) * 1000));
                    let kept = again.edges.iter().filter(into).any(|other| match edge.needs {
                        Needs::Elapsed(_) => over(other.needs, again.since(other).unwrap()) >= until,
                        Needs::Healthy => other.needs == Needs::Healthy,
                        Needs::Applied | Needs::Proven => true,
                    });
                    let asks = matches!(edge.needs, Needs::Elapsed(_) | Needs::Healthy);
                    prop_assert!(!asks || kept, "after {ran} steps `{waits}` does not wait for `{wrote}` any more:\n{}\n{}", read(&first), read(&again));
                }
            }
        }
    }
}
