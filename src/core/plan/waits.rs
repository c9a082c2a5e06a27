//! How long a plan waits for what caches remember, and what would make it shorter.

use crate::core::{
    model::{Kind, ResourceId, Span, StepId},
    plan::{Edge, EdgeReason, Needs, Note, Plan},
};
use std::collections::{BTreeMap, BTreeSet};

/// From here on a plan says how it could be shorter: so long nobody watches a rollout.
const LONG: Span = Span::mins(30);

/// What people lower a TTL to before they move something: a minute is as short as most resolvers respect.
pub const LOW: Span = Span::secs(60);

impl Plan {
    /// How long it waits at least, because time must pass between steps.
    pub fn waits(&self) -> Span {
        longest(self, |_, span| span)
    }
}

/// The longest way through the plan, counting nothing but waits.
fn longest(plan: &Plan, of: impl Fn(&Edge, Span) -> Span) -> Span {
    let mut into: BTreeMap<StepId, Vec<&Edge>> = BTreeMap::new();
    for edge in &plan.edges {
        into.entry(edge.after).or_default().push(edge);
    }
    let mut ends: BTreeMap<StepId, Span> = BTreeMap::new();
    // Every edge leads to a higher number.
    for step in plan.steps.keys() {
        let way = |edge: &&Edge| {
            let own = match edge.needs {
                // How much is left of it is another question at every moment.
                Needs::Elapsed(_) if plan.since(edge).is_some() => Span(0),
                Needs::Elapsed(span) => of(edge, span),
                Needs::Applied | Needs::Proven | Needs::Healthy => Span(0),
            };
            Span(ends.get(&edge.before).copied().unwrap_or_default().0.saturating_add(own.0))
        };
        let end = into.get(step).into_iter().flatten().map(way).max().unwrap_or_default();
        ends.insert(*step, end);
    }
    ends.into_values().max().unwrap_or_default()
}

/// Says how to wait less, where a plan waits long.
pub(super) fn advice(plan: &Plan, kinds: &dyn Fn(&ResourceId) -> &'static dyn Kind) -> Option<Note> {
    let all = plan.waits();
    if all < LONG {
        return None;
    }
    let span = |edge: &Edge| match edge.needs {
        Needs::Elapsed(_) if plan.since(edge).is_some() => None,
        Needs::Elapsed(span) => Some(span),
        Needs::Applied | Needs::Proven | Needs::Healthy => None,
    };
    let lowers = |edge: &Edge| match &edge.reason {
        EdgeReason::LetsGo { consumer: id, .. } | EdgeReason::Chain { id } => span(edge).filter(|span| *span > LOW).map(|_| id.clone()),
        EdgeReason::Refers { .. } | EdgeReason::Said { .. } | EdgeReason::Takes { .. } | EdgeReason::Batch { .. } | EdgeReason::Wave { .. } => None,
    };
    let makes = |edge: &Edge| match &edge.reason {
        EdgeReason::Refers { provider, .. } => span(edge).map(|_| provider.clone()),
        EdgeReason::LetsGo { .. } | EdgeReason::Chain { .. } | EdgeReason::Said { .. } | EdgeReason::Takes { .. } | EdgeReason::Batch { .. } | EdgeReason::Wave { .. } => None,
    };
    let lower: BTreeSet<ResourceId> = plan.edges.iter().filter_map(lowers).collect();
    let make: BTreeSet<ResourceId> = plan.edges.iter().filter_map(makes).collect();
    let ahead = plan.edges.iter().filter(|edge| lowers(edge).or_else(|| makes(edge)).is_some()).filter_map(span).max().unwrap_or_default();
    let then = longest(plan, |edge, span| match (lowers(edge), makes(edge)) {
        (_, Some(_)) => Span(0),
        (Some(_), None) => LOW,
        (None, None) => span,
    });
    let ttl = |id: &ResourceId| {
        let from = plan.deltas.iter().find(|delta| delta.id == *id).and_then(|delta| delta.from.as_ref());
        from.and_then(|from| kinds(id).lingers(id, from)).unwrap_or_default().0 / 1000
    };
    let lower = lower.into_iter().map(|id| (id.clone(), ttl(&id))).collect();
    Some(Note::Waits { all, lower, make: make.into_iter().collect(), ahead, then })
}
