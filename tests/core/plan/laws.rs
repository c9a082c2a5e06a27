//! Laws of planning, over random worlds.

use super::toy::{World, toys};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeMap;
use trueup::core::{
    model::{ApprovalRule, StepId},
    plan::{Between, Match, Plan, Template, Waves, Write, kept, lint},
};

/// One thing: its target and unit, what it points at and comes after (only earlier things, so that no loop is asked for), what its text seems to
/// point at (anything, which may be a loop), and its fate.
type Thing = (u8, Vec<u8>, Vec<u8>, Vec<u8>, u8);

fn things() -> impl Strategy<Value = (Vec<Thing>, u8)> {
    (vec((0u8..9, vec(any::<u8>(), 0..3), vec(any::<u8>(), 0..2), vec(any::<u8>(), 0..2), 0u8..4), 1..40), 0u8..8)
}

/// The lines of base and of merged. Fate 0: made, 1: changed, 2: removed, 3: swapped for another form.
fn world(things: &[Thing], waves: u8) -> World {
    let name = |n: usize| {
        let place = things[n].0;
        format!("{}:u{}/t{n}", ["toys", "loose", "small"][usize::from(place % 3)], place / 3)
    };
    let (mut base, mut merged) = (String::new(), String::new());
    for (n, (_, points, after, seems, fate)) in things.iter().enumerate() {
        let earlier = |list: &[u8]| -> Vec<usize> { if n == 0 { Vec::new() } else { list.iter().map(|at| usize::from(*at) % n).collect() } };
        // What stays may come only after what stays.
        let after: Vec<String> = earlier(after).into_iter().filter(|at| *fate == 2 || things[*at].4 < 2).map(&name).collect();
        let after = if after.is_empty() { String::new() } else { format!(" after {}", after.join(", ")) };
        let seems = seems.iter().map(|at| format!(" ?t{}", usize::from(*at) % things.len()));
        let arrows: String = earlier(points).into_iter().map(|at| format!(" >t{at}")).chain(seems).collect();
        match fate {
            0 => merged += &format!("{}{after} = new{arrows}\n", name(n)),
            1 => {
                base += &format!("{}{after} = old\n", name(n));
                merged += &format!("{}{after} = new{arrows}\n", name(n));
            }
            2 => base += &format!("{}{after} = old{arrows}\n", name(n)),
            _ => {
                base += &format!("{}/one = old\n", name(n));
                merged += &format!("{}/two = new\n", name(n));
            }
        }
    }
    let mut world = World::new(&base, &merged);
    world.policy.budgets.from_size = 1000;
    if waves > 0 {
        let between = Between::Approve(ApprovalRule { when: None, count: 1, by: Vec::new() });
        let waves = Waves { size: u32::from(waves), between };
        let r#match = Match { targets: vec!["small".into(), "toys".into()], resources: Vec::new() };
        world.templates = vec![Template { name: "waves".into(), about: "".into(), r#match, waves: Some(waves) }];
    }
    world
}

fn sent(plan: &Plan) -> BTreeMap<String, Write> {
    plan.steps.values().flat_map(|step| step.writes()).map(|write| (write.id.to_string(), write.clone())).collect()
}

/// Whether steps are numbered so that every edge leads upwards; then there can be no cycle.
fn upwards(plan: &Plan) -> bool {
    plan.edges.iter().all(|edge| edge.before < edge.after)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn batching_never_makes_a_cycle_and_lint_accepts_every_compiled_plan((things, waves) in things()) {
        let plan = world(&things, waves).plan();
        prop_assert!(upwards(&plan), "{plan:?}");
        prop_assert_eq!(lint(&plan, &toys), vec![]);
        prop_assert_eq!(plan.steps.keys().copied().collect::<Vec<_>>(), (1..=plan.steps.len() as u32).map(StepId).collect::<Vec<_>>());
    }

    #[test]
    fn the_reverse_of_the_reverse_writes_what_the_plan_wrote((things, waves) in things()) {
        let plan = world(&things, waves).plan();
        let back = plan.forecast_reverse();
        prop_assert!(upwards(&back));
        prop_assert_eq!(lint(&back, &toys), vec![]);
        prop_assert_eq!(sent(&back.forecast_reverse()), sent(&plan));
    }

    #[test]
    fn the_order_of_what_is_handed_in_changes_nothing((things, waves) in things(), seed in any::<u64>()) {
        let world = world(&things, waves);
        let mut seen = world.observe().unwrap();
        let plan = world.compile_seen(&seen).unwrap();
        // A shuffle that the seed decides.
        for at in (1..seen.len()).rev() {
            seen.swap(at, (seed.rotate_left(at as u32 % 64) % (at as u64 + 1)) as usize);
        }
        let again = world.compile_seen(&seen).unwrap();
        prop_assert_eq!(again.digest(), plan.digest());
        prop_assert_eq!(again, plan);
    }

    #[test]
    fn reordering_steps_items_and_edges_of_a_plan_keeps_its_digest((things, _) in things()) {
        let plan = world(&things, 0).plan();
        let mut other = plan.clone();
        other.deltas.reverse();
        other.edges.reverse();
        other.inside.reverse();
        other.edges.iter_mut().for_each(|edge| edge.items.reverse());
        prop_assert_eq!(other.digest(), plan.digest());
    }

    #[test]
    fn one_write_changed_changes_only_its_leaf((things, waves) in things(), pick in any::<prop::sample::Index>()) {
        let mut world = world(&things, waves);
        let before = world.plan();
        let asked: Vec<_> = world.merged.resources.keys().cloned().collect();
        prop_assume!(!asked.is_empty());
        let id = pick.get(&asked);
        let wanted = world.merged.resources.get_mut(id).unwrap();
        wanted.value = trueup::core::model::Value::str(format!("{} and more", wanted.value.as_str().unwrap()));
        let after = world.plan();
        let kept = kept(&before.leaves(), &after.leaves());
        prop_assert_eq!(kept.changed.iter().map(ToString::to_string).collect::<Vec<_>>(), vec![format!("write {id}")]);
        prop_assert!(kept.new.is_empty() && kept.gone.is_empty());
        prop_assert_ne!(before.digest(), after.digest());
    }
}
