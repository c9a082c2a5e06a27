//! What was written before a plan, by earlier runs of its change or by merge requests before it, as far as it must wait for who remembers, or for health.

use super::item::{Item, ItemEdge};
use crate::core::{
    diff::{Delta, Op, Reason},
    model::{Kind, MrId, Path, Place, ResourceId, Rollout, Span, StepId, Str, Sure, Time, Unit, Value},
    plan::{Act, Edge, EdgeReason, ItemRef, Needs, Plan, Proof, Step, Undo, Write},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The template that steps of earlier runs name: nothing is sent for them.
const TEMPLATE: &str = "earlier";

/// One write that was made before: by an earlier run of this change, or by another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    pub id: ResourceId,
    pub from: Option<Value>,
    pub to: Option<Value>,
    /// When it was proven: from here on nobody newly learns what was there before. Undigested.
    pub at: Time,
    /// It was healthy for as long as others had to see it.
    pub healthy: bool,
    /// Who wrote it, where that was another change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<Other>,
}

/// Another change, and where its merge request asked for what it wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    pub by: MrId,
    pub place: Place,
}

/// All that earlier runs of a change wrote, and what others still remember of changes before it, oldest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Past<'a> {
    pub wrote: &'a [Earlier],
    /// When the plan is made: what nobody remembers by then is not waited for.
    pub now: Time,
}

impl Earlier {
    /// The same as a delta: nothing is planned for it, only its order is asked.
    pub(super) fn delta(&self, place: Place) -> Delta {
        let op = match (&self.from, &self.to) {
            (None, _) => Op::Create,
            (Some(_), None) => Op::Delete,
            (Some(_), Some(_)) => Op::Update,
        };
        let (from, to) = (self.from.clone(), self.to.clone());
        Delta { id: self.id.clone(), op, from, to, paths: Vec::<Path>::new(), sure: Sure::Exact, reason: Reason::Continues, place }
    }
}

/// A delta of an earlier run as an item among those of the plan.
pub(super) fn as_item<'a>(delta: &'a Delta, kind: &'static dyn Kind) -> Item<'a> {
    let write = Write { id: delta.id.clone(), from: delta.from.clone(), to: delta.to.clone(), undo: Undo::To(delta.from.clone()) };
    Item { delta, write, kind, unit: kind.unit(&delta.id), lane: 0, together: None }
}

/// The edges from earlier writes that hold something back: time that has not passed, health that was not seen. `before` counts in `past`, `after` in `items`.
pub(super) fn waited_for(past: Past<'_>, before: &[Item<'_>], items: &[Item<'_>], rollout: Rollout, found: Vec<ItemEdge>, edges: &mut [ItemEdge]) -> Vec<ItemEdge> {
    let last: BTreeMap<&ResourceId, usize> = before.iter().enumerate().map(|(number, item)| (item.id(), number)).collect();
    let again: BTreeMap<&ResourceId, usize> = items.iter().enumerate().map(|(number, item)| (item.id(), number)).collect();
    let mut kept = Vec::new();
    for edge in found.into_iter().chain(contracts(before, items, rollout)) {
        match edge.needs {
            Needs::Applied | Needs::Proven => {}
            Needs::Elapsed(span) => kept.extend((past.wrote[edge.before].at + span > past.now).then_some(edge)),
            // Health is asked of what stands there now, and not of what a fix replaces.
            Needs::Healthy => match (again.get(before[edge.before].id()), last.get(before[edge.before].id())) {
                (Some(fix), _) if *fix != edge.after => {
                    let same = |other: &&mut ItemEdge| other.before == *fix && other.after == edge.after && other.needs == Needs::Proven;
                    edges.iter_mut().filter(same).for_each(|other| other.needs = Needs::Healthy);
                }
                (_, Some(last)) if !past.wrote[*last].healthy => kept.push(ItemEdge { before: *last, ..edge }),
                (_, _) => {}
            },
        }
    }
    kept
}

/// The second half of an expansion that an earlier run began: what leaves readers of the old value nothing they know waits until no cache holds that alone.
fn contracts(before: &[Item<'_>], items: &[Item<'_>], rollout: Rollout) -> Vec<ItemEdge> {
    let mut edges = Vec::new();
    if rollout != Rollout::Expand {
        return edges;
    }
    let mut earlier: BTreeMap<&ResourceId, Vec<usize>> = BTreeMap::new();
    before.iter().enumerate().for_each(|(number, item)| earlier.entry(item.id()).or_default().push(number));
    for (number, item) in items.iter().enumerate().filter(|(_, item)| item.delta.reason != Reason::Restores) {
        let (Some(from), Some(to)) = (item.from(), item.to()) else { continue };
        for hop in earlier.get(item.id()).into_iter().flatten() {
            let Some(old) = before[*hop].from() else { continue };
            let apart = |value: &Value| item.kind.between(item.id(), old, value).is_some();
            if apart(to) && !apart(from) {
                let needs = before[*hop].lingers().map_or(Needs::Healthy, Needs::Elapsed);
                let (reason, place) = (EdgeReason::Chain { id: item.id().clone() }, item.delta.place.clone());
                edges.push(ItemEdge { before: *hop, after: number, needs, reason, place, guess: false });
            }
        }
    }
    edges
}

/// The steps that stand for earlier writes, one a unit, in front of all others; and where each of these writes is in them.
pub(super) fn steps(past: Past<'_>, before: &[Item<'_>], edges: &[ItemEdge]) -> (BTreeMap<StepId, Step>, BTreeMap<usize, ItemRef>) {
    let mut units: BTreeMap<(&Str, &Unit), Vec<usize>> = BTreeMap::new();
    for number in edges.iter().map(|edge| edge.before).collect::<BTreeSet<_>>() {
        units.entry((before[number].target(), &before[number].unit)).or_default().push(number);
    }
    let (mut steps, mut at) = (BTreeMap::new(), BTreeMap::new());
    for ((target, unit), numbers) in units {
        let id = StepId(steps.len() as u32 + 1);
        at.extend(numbers.iter().enumerate().map(|(item, number)| (*number, ItemRef { step: id, item: item as u32 })));
        let act = Act::Earlier(numbers.iter().map(|number| past.wrote[*number].clone()).collect());
        let (target, unit) = (target.clone(), unit.clone());
        let step = Step { id, target, unit, act, guard: None, proof: Proof::Settled, claims: Vec::new(), deadline: Span(0), template: TEMPLATE.into(), together: None };
        steps.insert(id, step);
    }
    (steps, at)
}

impl Plan {
    /// When what an edge waits for was written, where an earlier run wrote it.
    pub fn since(&self, edge: &Edge) -> Option<Time> {
        let Act::Earlier(wrote) = &self.steps.get(&edge.before)?.act else { return None };
        let named = edge.items.iter().filter_map(|(item, _)| wrote.get(*item as usize));
        named.map(|earlier| earlier.at).max().or_else(|| wrote.iter().map(|earlier| earlier.at).max())
    }
}
