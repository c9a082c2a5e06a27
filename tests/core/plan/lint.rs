//! Lint: each finding is found in a plan that was broken on purpose.

use super::toy::{World, id, toys};
use trueup::core::{
    model::{Span, StepId, Value},
    plan::{Act, Edge, EdgeReason, Finding, Needs, OnDeadline, Plan, Test, Undo, Until, lint},
};

/// Swaps one thing, makes another that a third points at from another unit.
fn plan() -> Plan {
    World::new("box/a/x = 1", "box/a/y = 1\nbox/b = 1\nbag/c = >b").plan()
}

fn broken(how: impl FnOnce(&mut Plan)) -> Vec<Finding> {
    let mut plan = plan();
    assert_eq!(lint(&plan, &toys), []);
    how(&mut plan);
    lint(&plan, &toys)
}

fn writes(plan: &mut Plan, step: u32) -> &mut Vec<trueup::core::plan::Write> {
    match &mut plan.steps.get_mut(&StepId(step)).unwrap().act {
        Act::Write(writes) => writes,
        other => panic!("{other:?}"),
    }
}

fn edge(before: u32, after: u32, items: &[(u32, u32)]) -> Edge {
    let reason = EdgeReason::Said { first: id("box/b"), then: id("bag/c") };
    Edge { before: StepId(before), after: StepId(after), items: items.to_vec(), needs: Needs::Proven, reason, place: Default::default() }
}

#[test]
fn a_chain_that_does_not_lead_from_live_to_merged_is_found() {
    let found = broken(|plan| writes(plan, 2)[0].to = Some(Value::str("other")));
    assert_eq!(found, [Finding::BrokenChain { id: id("bag/c") }]);
    let found = broken(|plan| writes(plan, 2)[0].from = Some(Value::str("other")));
    assert_eq!(found, [Finding::BrokenChain { id: id("bag/c") }]);
}

#[test]
fn two_hops_that_nothing_keeps_in_order_are_found() {
    let found = broken(|plan| {
        let mut last = writes(plan, 2)[0].clone();
        writes(plan, 2)[0].to = Some(Value::str("half"));
        last.from = Some(Value::str("half"));
        writes(plan, 2).push(last);
    });
    assert_eq!(found, [Finding::LooseChain { id: id("bag/c") }]);
}

#[test]
fn a_delta_that_nothing_writes_and_a_write_without_a_delta_are_found() {
    let found = broken(|plan| drop(writes(plan, 1).pop()));
    assert!(found.contains(&Finding::NotWritten { id: id("box/b") }), "{found:?}");
    let found = broken(|plan| plan.deltas.retain(|delta| delta.id != id("bag/c")));
    assert_eq!(found, [Finding::NoReason { step: StepId(2), id: id("bag/c") }]);
    let found = broken(|plan| plan.deltas.push(plan.deltas[0].clone()));
    assert_eq!(found, [Finding::TwoDeltas { id: id("bag/c") }]);
}

#[test]
fn steps_that_wait_for_each_other_are_found() {
    let found = broken(|plan| plan.edges.push(edge(2, 1, &[(0, 0)])));
    assert_eq!(found, [Finding::Loop { steps: vec![StepId(1), StepId(2)] }]);
    let found = broken(|plan| plan.edges.push(edge(1, 1, &[(0, 1)])));
    assert_eq!(found, [Finding::Loop { steps: vec![StepId(1)] }]);
}

#[test]
fn edges_to_what_is_not_there_are_found() {
    for (before, after, items) in [(1, 9, &[(0, 0)][..]), (1, 2, &[(0, 7)]), (1, 2, &[])] {
        let found = broken(|plan| plan.edges.push(edge(before, after, items)));
        assert!(found.contains(&Finding::DanglingEdge { before: StepId(before), after: StepId(after) }), "{found:?}");
    }
}

#[test]
fn an_order_that_its_step_does_not_keep_is_found() {
    let found = broken(|plan| plan.inside.push(edge(1, 1, &[(2, 1)])));
    assert_eq!(found, [Finding::OutOfOrder { step: StepId(1) }]);
}

#[test]
fn unclaimed_misplaced_and_misnumbered_writes_are_found() {
    let found = broken(|plan| plan.steps.get_mut(&StepId(2)).unwrap().claims.clear());
    assert_eq!(found, [Finding::Unclaimed { step: StepId(2), id: id("bag/c") }]);
    let found = broken(|plan| plan.steps.get_mut(&StepId(2)).unwrap().target = "other".into());
    assert_eq!(found, [Finding::WrongUnit { step: StepId(2), id: id("bag/c") }]);
    let found = broken(|plan| plan.steps.get_mut(&StepId(2)).unwrap().id = StepId(5));
    assert_eq!(found, [Finding::Misnumbered { step: StepId(2) }]);
}

#[test]
fn a_swap_in_two_steps_is_found() {
    let found = broken(|plan| {
        let mut half = plan.steps[&StepId(1)].clone();
        let create = writes(plan, 1).remove(1);
        half.id = StepId(3);
        half.act = Act::Write(vec![create]);
        plan.steps.insert(StepId(3), half);
        plan.edges.clear();
    });
    assert_eq!(found, [Finding::TornSwap { key: "box/a".into() }]);
}

#[test]
fn more_than_a_unit_takes_is_found() {
    let mut plan = World::new("", "small:box/a = 1\nsmall:box/b = 1\nsmall:box/c = 1\nsmall:box/d = 1").plan();
    let rest = writes(&mut plan, 2).pop().unwrap();
    let claims = plan.steps.remove(&StepId(2)).unwrap().claims;
    writes(&mut plan, 1).push(rest);
    plan.steps.get_mut(&StepId(1)).unwrap().claims.extend(claims);
    assert_eq!(lint(&plan, &toys), [Finding::TooLarge { step: StepId(1), ops: 4, limit: 3 }]);
}

#[test]
fn steps_that_do_nothing_and_backups_of_nothing_are_found() {
    let found = broken(|plan| {
        let until = Until {
            fact: "up".into(),
            of: Vec::new(),
            test: Test::AtLeast(1),
            samples: 1,
            every: Span::secs(1),
            deadline: Span::secs(1),
            on_deadline: OnDeadline::Stop,
            probe: None,
        };
        let wait = trueup::core::plan::Step { id: StepId(3), act: Act::Wait(until), claims: Vec::new(), ..plan.steps[&StepId(1)].clone() };
        plan.steps.insert(StepId(3), wait);
        writes(plan, 2)[0].undo = Undo::Backup(StepId(77));
    });
    assert_eq!(found, [Finding::NoBackup { step: StepId(2) }, Finding::NoItems { step: StepId(3) }]);
}

#[test]
fn a_plan_that_nobody_must_approve_is_found() {
    assert_eq!(broken(|plan| plan.rules.clear()), [Finding::NoRules]);
}
