//! What a way back cannot put back by itself, and what waits for it: the rest goes back all the same (I13).

use crate::core::{
    diff::{Delta, Op, Reason},
    model::{Kind, Refusal, RefusalKind, ResourceId, Str, Sure, Value},
    plan::{EdgeReason, Plan},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One resource that a way back leaves as it is, until somebody decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOver {
    pub id: ResourceId,
    pub why: Refusal,
}

/// The delta that would put a resource back whatever is live: it is never sent, only its order is asked.
pub(super) fn as_if_back(id: &ResourceId, live: Option<Value>, before: Option<Value>, place: crate::core::model::Place) -> Delta {
    let op = match (&live, &before) {
        (None, _) => Op::Create,
        (Some(_), None) => Op::Delete,
        (Some(_), Some(_)) => Op::Update,
    };
    Delta { id: id.clone(), op, from: live, to: before, paths: Vec::new(), sure: Sure::Exact, reason: Reason::Restores, place }
}

/// The resources of a whole way back that come after one of `left`, each with the one it waits for.
pub(super) fn behind(
    whole: &Plan,
    left: &BTreeSet<ResourceId>,
    kinds: &dyn Fn(&ResourceId) -> &'static dyn Kind,
    group: &dyn Fn(&ResourceId) -> Option<Str>,
) -> BTreeMap<ResourceId, ResourceId> {
    let mut after: BTreeMap<&ResourceId, Vec<&ResourceId>> = BTreeMap::new();
    let written = |step, item: u32| whole.steps.get(step).and_then(|step| step.writes().get(item as usize)).map(|write| &write.id);
    for edge in whole.edges.iter().chain(&whole.inside).filter(|edge| is_of_the_data(&edge.reason)) {
        for (from, to) in &edge.items {
            if let (Some(before), Some(then)) = (written(&edge.before, *from), written(&edge.after, *to)) {
                after.entry(before).or_default().push(then);
            }
        }
    }
    // What cannot be live together goes and comes in one message, or not at all.
    let mut together: BTreeMap<_, Vec<&Delta>> = BTreeMap::new();
    for delta in whole.deltas.iter().filter(|delta| delta.from.is_none() != delta.to.is_none()) {
        let kind = kinds(&delta.id);
        for key in kind.excludes(&delta.id) {
            together.entry((&delta.id.target, kind.unit(&delta.id), key)).or_default().push(delta);
        }
    }
    for swap in together.values().filter(|swap| swap.iter().any(|delta| delta.to.is_none()) && swap.iter().any(|delta| delta.from.is_none())) {
        for one in swap {
            after.entry(&one.id).or_default().extend(swap.iter().map(|other| &other.id).filter(|other| **other != one.id));
        }
    }
    let mut groups: BTreeMap<Str, Vec<&ResourceId>> = BTreeMap::new();
    for delta in &whole.deltas {
        if let Some(name) = group(&delta.id) {
            groups.entry(name).or_default().push(&delta.id);
        }
    }
    // A group goes back whole or not at all: each of it is linked to its first.
    for of in groups.values() {
        let Some((hub, others)) = of.split_first() else { continue };
        after.entry(hub).or_default().extend(others.iter().copied());
        others.iter().for_each(|other| after.entry(other).or_default().push(hub));
    }
    let mut behind = BTreeMap::new();
    let mut next: Vec<(&ResourceId, &ResourceId)> = left.iter().flat_map(|id| after.get(id).into_iter().flatten().map(move |then| (id, *then))).collect();
    while let Some((first, then)) = next.pop() {
        if left.contains(then) || behind.contains_key(then) {
            continue;
        }
        behind.insert(then.clone(), first.clone());
        next.extend(after.get(then).into_iter().flatten().map(|later| (first, *later)));
    }
    behind
}

/// Whether an order comes from what resources say of each other, and not from how they are sent.
fn is_of_the_data(reason: &EdgeReason) -> bool {
    match reason {
        EdgeReason::Refers { .. } | EdgeReason::LetsGo { .. } | EdgeReason::Said { .. } | EdgeReason::Takes { .. } => true,
        EdgeReason::Chain { .. } | EdgeReason::Batch { .. } | EdgeReason::Wave { .. } => false,
    }
}

/// Why a resource that could go back stays.
pub(super) fn waits_for(delta: &Delta, first: &ResourceId, kinds: &dyn Fn(&ResourceId) -> &'static dyn Kind) -> LeftOver {
    let title = |id: &ResourceId| kinds(id).title(id);
    let what = format!("`{}` stays with `{}`, which cannot simply be put back and comes before it", title(&delta.id), title(first));
    let why = Refusal::new(RefusalKind::Drift, what).at(delta.place.clone()).advice("it goes back with the next `/trueup restore` once that one is decided");
    LeftOver { id: delta.id.clone(), why }
}
