//! Judges finished plans by code that shares nothing with the planner.

use crate::core::{
    diff::{Delta, Op},
    model::{Kind, ResourceId, StepId, Unit, Value},
    plan::{Act, Claim, Edge, EdgeReason, ItemRef, Plan, Step, Undo, Write},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Something that no plan may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The material lacks a reading of a resource in scope.
    NotObserved { id: ResourceId },
    /// Two deltas speak of one resource.
    TwoDeltas { id: ResourceId },
    /// A delta asks for a write and no step sends it.
    NotWritten { id: ResourceId },
    /// A write without a delta that asks for it.
    NoReason { step: StepId, id: ResourceId },
    /// The hops of a resource do not lead from what was observed to what is asked for.
    BrokenChain { id: ResourceId },
    /// Two hops of a resource that no edge keeps in order.
    LooseChain { id: ResourceId },
    /// A step under another number than its own.
    Misnumbered { step: StepId },
    /// A step that does nothing.
    NoItems { step: StepId },
    /// An edge that names what the plan does not have.
    DanglingEdge { before: StepId, after: StepId },
    /// An order inside a step that the step does not keep.
    OutOfOrder { step: StepId },
    /// What an earlier run wrote, waiting for something of this one.
    OverAndWaits { step: StepId },
    /// Steps that wait for each other.
    Loop { steps: Vec<StepId> },
    /// A write that its step does not claim.
    Unclaimed { step: StepId, id: ResourceId },
    /// More in one step than its unit takes.
    TooLarge { step: StepId, ops: usize, limit: usize },
    /// A write in a step of another target or unit.
    WrongUnit { step: StepId, id: ResourceId },
    /// Resources that cannot be live together, swapped in two steps.
    TornSwap { key: String },
    /// A verb that must be closed, and is not.
    LeftOpen { step: StepId },
    /// A way back that leads to no step of the plan.
    NoBackup { step: StepId },
    /// No rule says who approves.
    NoRules,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotObserved { id } => write!(f, "`{id}` is in scope and was not observed"),
            Self::TwoDeltas { id } => write!(f, "`{id}` has two deltas"),
            Self::NotWritten { id } => write!(f, "`{id}` is to change and no step writes it"),
            Self::NoReason { step, id } => write!(f, "step {step} writes `{id}` without a delta"),
            Self::BrokenChain { id } => write!(f, "the writes of `{id}` do not lead from what is live to what is asked for"),
            Self::LooseChain { id } => write!(f, "nothing keeps the writes of `{id}` in order"),
            Self::Misnumbered { step } => write!(f, "step {step} stands under another number"),
            Self::NoItems { step } => write!(f, "step {step} does nothing"),
            Self::DanglingEdge { before, after } => write!(f, "the edge from step {before} to step {after} names what is not there"),
            Self::OutOfOrder { step } => write!(f, "step {step} does not keep its own order"),
            Self::OverAndWaits { step } => write!(f, "step {step} was done by an earlier run and waits for this one"),
            Self::Loop { steps } => write!(f, "steps wait for each other: {}", steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            Self::Unclaimed { step, id } => write!(f, "step {step} writes `{id}` and does not claim it"),
            Self::TooLarge { step, ops, limit } => write!(f, "step {step} has {ops} writes, and its unit takes {limit}"),
            Self::WrongUnit { step, id } => write!(f, "step {step} writes `{id}`, which is of another target or unit"),
            Self::TornSwap { key } => write!(f, "resources that share `{key}` are swapped in two steps"),
            Self::LeftOpen { step } => write!(f, "what step {step} opens, no step closes"),
            Self::NoBackup { step } => write!(f, "the way back of step {step} leads to no step"),
            Self::NoRules => f.write_str("no rule says who approves"),
        }
    }
}

/// Everything wrong with a finished plan; nothing, for every plan that `compile` makes.
pub fn lint(plan: &Plan, kinds: &dyn Fn(&ResourceId) -> &'static dyn Kind) -> Vec<Finding> {
    let mut found = Vec::new();
    let deltas = deltas(plan, &mut found);
    chains(plan, &deltas, &mut found);
    for (id, step) in &plan.steps {
        shape(plan, *id, step, kinds, &mut found);
    }
    swaps(plan, kinds, &mut found);
    edges(plan, &mut found);
    loops(plan, &mut found);
    if plan.rules.is_empty() {
        found.push(Finding::NoRules);
    }
    found
}

fn deltas<'a>(plan: &'a Plan, found: &mut Vec<Finding>) -> BTreeMap<&'a ResourceId, &'a Delta> {
    let mut deltas = BTreeMap::new();
    for delta in &plan.deltas {
        if deltas.insert(&delta.id, delta).is_some() {
            found.push(Finding::TwoDeltas { id: delta.id.clone() });
        }
    }
    deltas
}

fn chains(plan: &Plan, deltas: &BTreeMap<&ResourceId, &Delta>, found: &mut Vec<Finding>) {
    let mut hops: BTreeMap<&ResourceId, Vec<(ItemRef, &Write)>> = BTreeMap::new();
    for (id, step) in &plan.steps {
        for (item, write) in (0..).zip(step.writes()) {
            hops.entry(&write.id).or_default().push((ItemRef { step: *id, item }, write));
        }
    }
    let links: BTreeSet<(ItemRef, ItemRef)> = plan.edges.iter().chain(&plan.inside).filter(|edge| matches!(edge.reason, EdgeReason::Chain { .. })).flat_map(pairs).collect();
    for (id, hops) in &hops {
        let Some(delta) = deltas.get(id) else {
            found.push(Finding::NoReason { step: hops[0].0.step, id: (*id).clone() });
            continue;
        };
        let ends: Vec<Option<&Value>> = hops.iter().map(|(_, write)| write.to.as_ref()).collect();
        let starts: Vec<Option<&Value>> = hops.iter().map(|(_, write)| write.from.as_ref()).collect();
        let whole = starts[0] == delta.from.as_ref() && ends.last() == Some(&delta.to.as_ref()) && ends.iter().zip(starts.iter().skip(1)).all(|(end, start)| end == start);
        if !whole {
            found.push(Finding::BrokenChain { id: (*id).clone() });
        }
        for pair in hops.windows(2) {
            let (before, after) = (pair[0].0, pair[1].0);
            if !links.contains(&(before, after)) {
                found.push(Finding::LooseChain { id: (*id).clone() });
            }
        }
    }
    for delta in &plan.deltas {
        let asks = match delta.op {
            Op::Create | Op::Update | Op::Replace | Op::Delete => true,
            Op::Keep | Op::Adopt | Op::Release => false,
            Op::Move { .. } => delta.from != delta.to,
        };
        match (asks, hops.contains_key(&delta.id)) {
            (true, false) => found.push(Finding::NotWritten { id: delta.id.clone() }),
            (false, true) => found.push(Finding::NoReason { step: hops[&delta.id][0].0.step, id: delta.id.clone() }),
            (true, true) | (false, false) => {}
        }
    }
}

fn pairs(edge: &Edge) -> impl Iterator<Item = (ItemRef, ItemRef)> {
    edge.items.iter().map(|(a, b)| (ItemRef { step: edge.before, item: *a }, ItemRef { step: edge.after, item: *b }))
}

fn shape(plan: &Plan, id: StepId, step: &Step, kinds: &dyn Fn(&ResourceId) -> &'static dyn Kind, found: &mut Vec<Finding>) {
    if step.id != id {
        found.push(Finding::Misnumbered { step: id });
    }
    let claims: BTreeSet<&Claim> = step.claims.iter().collect();
    match &step.act {
        Act::Write(writes) => {
            let Some(first) = writes.first() else {
                found.push(Finding::NoItems { step: id });
                return;
            };
            let limit = kinds(&first.id).limits().ops;
            if writes.len() > limit {
                found.push(Finding::TooLarge { step: id, ops: writes.len(), limit });
            }
            for write in writes {
                if !claims.contains(&Claim::Write(write.id.clone())) {
                    found.push(Finding::Unclaimed { step: id, id: write.id.clone() });
                }
                if write.id.target != step.target || kinds(&write.id).unit(&write.id) != step.unit {
                    found.push(Finding::WrongUnit { step: id, id: write.id.clone() });
                }
                undo(plan, id, &write.undo, found);
            }
        }
        Act::Verb { verb, on, undo: back, .. } => {
            let closed_by = on.iter().flat_map(|id| kinds(id).verbs()).find(|spec| *spec.name == **verb).and_then(|spec| spec.closed_by);
            let closes = |other: &Step| matches!(&other.act, Act::Verb { verb, closes: Some(of), .. } if *of == id && closed_by == Some(&**verb));
            if closed_by.is_some() && !plan.steps.values().any(closes) {
                found.push(Finding::LeftOpen { step: id });
            }
            undo(plan, id, back, found);
        }
        Act::Run { undo: back, .. } => undo(plan, id, back, found),
        Act::Wait(until) | Act::Check(until) if until.of.is_empty() || until.samples == 0 => found.push(Finding::NoItems { step: id }),
        Act::Earlier(wrote) if wrote.is_empty() => found.push(Finding::NoItems { step: id }),
        Act::Wait(_) | Act::Check(_) | Act::Approve { .. } | Act::Pause | Act::Earlier(_) => {}
    }
}

fn undo(plan: &Plan, step: StepId, undo: &Undo, found: &mut Vec<Finding>) {
    match undo {
        Undo::Backup(at) if !plan.steps.contains_key(at) || *at == step => found.push(Finding::NoBackup { step }),
        Undo::To(_) | Undo::Sealed(_) | Undo::Backup(_) | Undo::Act(_) | Undo::Never { .. } => {}
    }
}

/// Where one resource goes and another comes under a key they share, all of it stands in one step.
fn swaps(plan: &Plan, kinds: &dyn Fn(&ResourceId) -> &'static dyn Kind, found: &mut Vec<Finding>) {
    #[derive(Default)]
    struct Swap {
        goes: BTreeSet<StepId>,
        comes: BTreeSet<StepId>,
    }
    let mut by_key: BTreeMap<(&str, Unit, String), Swap> = BTreeMap::new();
    for (step, write) in plan.steps.values().flat_map(|step| step.writes().iter().map(move |write| (step, write))) {
        if write.from.is_some() == write.to.is_some() {
            continue;
        }
        for key in kinds(&write.id).excludes(&write.id) {
            let swap = by_key.entry((&step.target, step.unit.clone(), key.to_string())).or_default();
            if write.to.is_none() {
                swap.goes.insert(step.id)
            } else {
                swap.comes.insert(step.id)
            };
        }
    }
    for ((_, _, key), swap) in by_key {
        if !swap.goes.is_empty() && !swap.comes.is_empty() && swap.goes.union(&swap.comes).count() > 1 {
            found.push(Finding::TornSwap { key });
        }
    }
}

fn edges(plan: &Plan, found: &mut Vec<Finding>) {
    let has = |step: StepId, item: u32| plan.steps.get(&step).is_some_and(|step| item < step.items());
    for edge in plan.edges.iter().chain(&plan.inside) {
        let there = !edge.items.is_empty() && edge.items.iter().all(|(a, b)| has(edge.before, *a) && has(edge.after, *b));
        if !there {
            found.push(Finding::DanglingEdge { before: edge.before, after: edge.after });
        }
    }
    let over = |step: StepId| plan.steps.get(&step).is_some_and(|step| matches!(step.act, Act::Earlier(_)));
    for edge in plan.edges.iter().filter(|edge| over(edge.after)) {
        found.push(Finding::OverAndWaits { step: edge.after });
    }
    for edge in &plan.edges {
        if edge.before == edge.after {
            found.push(Finding::Loop { steps: vec![edge.before] });
        }
    }
    for edge in &plan.inside {
        if edge.before != edge.after || edge.items.iter().any(|(a, b)| a >= b) {
            found.push(Finding::OutOfOrder { step: edge.before });
        }
    }
}

/// Takes away steps that wait for nothing until none is left; what is left over waits for itself.
fn loops(plan: &Plan, found: &mut Vec<Finding>) {
    let mut after: BTreeMap<StepId, Vec<StepId>> = BTreeMap::new();
    let mut waits: BTreeMap<StepId, usize> = plan.steps.keys().map(|id| (*id, 0)).collect();
    for edge in plan.edges.iter().filter(|edge| edge.before != edge.after) {
        after.entry(edge.before).or_default().push(edge.after);
        *waits.entry(edge.after).or_default() += 1;
    }
    let mut free: Vec<StepId> = waits.iter().filter(|(_, n)| **n == 0).map(|(id, _)| *id).collect();
    while let Some(step) = free.pop() {
        waits.remove(&step);
        for next in after.remove(&step).unwrap_or_default() {
            if let Some(n) = waits.get_mut(&next) {
                *n -= 1;
                if *n == 0 {
                    free.push(next);
                }
            }
        }
    }
    if !waits.is_empty() {
        found.push(Finding::Loop { steps: waits.into_keys().collect() });
    }
}
