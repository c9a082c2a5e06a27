//! What desired state names only to leave alone: octoDNS' `ignored`, `included` and `excluded`, from its files to the plan.

use crate::formats::files::{Memory, scope};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use trueup::{
    core::{
        diff::{Delta, Op},
        model::{Desired, Fingerprint, Grant, Kind, Policy, ResourceId, Unit, Value},
        plan::{CompileError, Material, Plan, Scope, Sight, Sources, compile, wants},
    },
    formats::{Format, octodns::OctoDns},
    kinds::dns::DNS,
};

const TARGETS: [&str; 2] = ["inside", "outside"];

/// How a record stands in a file; the index is its state in a row of these tests.
const STATES: [&str; 6] = ["", "", "octodns: {ignored: true}, ", "octodns: {excluded: [inside]}, ", "octodns: {included: [outside]}, ", "octodns: {included: [elsewhere]}, "];

fn read(rows: &[usize]) -> Desired {
    let line = |(n, state): (usize, &usize)| match state {
        0 => String::new(),
        state => format!("host{n}: {{type: A, {}value: 192.0.2.{state}}}\n", STATES[*state]),
    };
    let text: String = rows.iter().enumerate().map(line).collect();
    OctoDns::PLAIN.read(&Unit::new("example.com."), &Memory::new(&[("example.com.yaml", &text)]), &scope(&TARGETS)).unwrap()
}

fn host(target: &str, n: usize) -> ResourceId {
    ResourceId::new(target, "rrset", format!("example.com./host{n}/A"))
}

fn plan(base: &Desired, merged: &Desired, live: &BTreeMap<ResourceId, Value>, ours: &BTreeMap<ResourceId, Option<Fingerprint>>, policy: &Policy) -> Result<Plan, CompileError> {
    let (none, moved) = (BTreeSet::new(), BTreeMap::new());
    let grants = TARGETS.map(|target| Grant { target: target.into(), units: Vec::new(), sensitive: Vec::new(), shared: false });
    let kinds = |_: &ResourceId| -> &'static dyn Kind { &DNS };
    let scope = Scope {
        base,
        merged,
        sources: Sources { released: &none, fresh: &none, moved: &moved, together: &BTreeMap::new() },
        orders: &[],
        ours,
        kinds: &kinds,
        policy,
        grants: &grants,
    };
    let seen: Vec<_> = wants(&scope)?.into_iter().map(|want| super::toy::seen(want.id.clone(), live.get(&want.id).cloned(), want.base, Ok(want.merged))).collect();
    compile(&Material {
        scope,
        sight: Sight::Observed(&seen),
        repo: &trueup::core::model::RepoId::new("infra"),
        ahead: &BTreeMap::new(),
        overrides: &Default::default(),
        sizes: &BTreeMap::new(),
        conditions: &super::toy::Some0,
        templates: &[],
        notes: Vec::new(),
        health: &[],
        parent: None,
        past: Default::default(),
    })
}

fn ops(plan: &Plan) -> Vec<(String, Op)> {
    plan.deltas.iter().map(|delta: &Delta| (delta.id.to_string(), delta.op.clone())).collect()
}

#[test]
fn a_record_that_becomes_ignored_or_is_no_longer_for_a_target_is_released_there_and_deleted_nowhere() {
    for (state, released) in [(2, vec!["inside", "outside"]), (3, vec!["inside"]), (4, vec!["inside"]), (5, vec!["inside", "outside"])] {
        let (base, merged) = (read(&[1]), read(&[state]));
        // Live was changed by hand since: that is no drift of what nobody governs.
        let by_hand =
            base.resources.iter().map(|(id, wanted)| (id.clone(), if released.contains(&&*id.target) { DNS.canon(id, hand()).unwrap() } else { wanted.value.clone() })).collect();
        let plan = plan(&base, &merged, &by_hand, &BTreeMap::new(), &Policy::default()).unwrap();
        let given_up: Vec<_> = ops(&plan).into_iter().filter(|(_, op)| *op == Op::Release).map(|(id, _)| id).collect();
        assert_eq!(given_up, released.iter().map(|target| host(target, 0).to_string()).collect::<Vec<_>>(), "{}", STATES[state]);
        assert!(plan.gives_up() && !ops(&plan).iter().any(|(_, op)| *op == Op::Delete), "{:?}", ops(&plan));
    }
}

#[test]
fn an_ignored_record_that_goes_from_the_file_leaves_what_is_live() {
    let (base, merged) = (read(&[2]), read(&[0]));
    let live = BTreeMap::from([(host("inside", 0), hand())]);
    assert!(plan(&base, &merged, &live, &BTreeMap::new(), &Policy::default()).unwrap().deltas.is_empty());
}

fn hand() -> Value {
    Value::map([("ttl", Value::Int(60)), ("values", Value::List(vec![Value::str("192.0.2.200")]))])
}

proptest! {
    /// Whatever base, live and this change's own writes are: what the merged tree names as left alone is neither written nor deleted.
    #[test]
    fn nothing_that_desired_state_names_as_ignored_is_ever_deleted(rows in proptest::collection::vec((0usize..6, 0usize..6, 0usize..3, 0usize..3), 1..8)) {
        let (base, merged) = (read(&rows.iter().map(|row| row.0).collect::<Vec<_>>()), read(&rows.iter().map(|row| row.1).collect::<Vec<_>>()));
        let (mut live, mut ours) = (BTreeMap::new(), BTreeMap::new());
        for (n, row) in rows.iter().enumerate() {
            for id in TARGETS.map(|target| host(target, n)) {
                match row.2 {
                    0 => {}
                    1 => drop(live.insert(id.clone(), hand())),
                    _ => live.extend(base.get(&id).map(|wanted| (id.clone(), wanted.value.clone()))),
                }
                match row.3 {
                    0 => {}
                    1 => drop(ours.insert(id.clone(), live.get(&id).map(Value::fingerprint))),
                    _ => drop(ours.insert(id.clone(), None)),
                }
            }
        }
        let mut policy = Policy { on_drift: trueup::core::model::OnDrift::Overwrite, ..Policy::default() };
        policy.budgets.from_size = 1000;
        let plan = plan(&base, &merged, &live, &ours, &policy).unwrap();
        for write in plan.steps.values().flat_map(|step| step.writes()) {
            prop_assert!(!merged.left.contains_key(&write.id), "{} is written", write.id);
        }
        for delta in plan.deltas.iter().filter(|delta| merged.left.contains_key(&delta.id)) {
            prop_assert_eq!(&delta.op, &Op::Release);
        }
    }
}
