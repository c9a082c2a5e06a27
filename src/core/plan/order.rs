//! Order from references found in the data: providers before consumers, consumers let go first, and `after:` where data cannot say it.

use super::item::{Item, ItemEdge};
use crate::core::{
    diff::Reason,
    model::{Desired, Mention, Place, Refusal, RefusalKind, ResourceId, Rollout, Span, Str, Value},
    plan::{EdgeReason, Needs},
};
use std::collections::{BTreeMap, BTreeSet};

/// `then` waits until `first` is proven, for what stands at `place`.
pub(super) struct Said {
    pub first: ResourceId,
    pub then: ResourceId,
    pub place: Place,
    pub why: SaidWhy,
}

/// Why one resource waits for another where their values do not tell.
#[derive(Clone)]
pub(super) enum SaidWhy {
    Said,
    LivesIn,
    /// One is written as this reference to the other.
    Takes(Str),
}

/// Who provides a key before the plan and after it.
#[derive(Default)]
struct Providers {
    gains: Vec<usize>,
    keeps: Vec<usize>,
    loses: Vec<usize>,
}

/// What is known of those who remember what stood there before.
#[derive(Clone, Copy)]
pub(super) struct Caches<'a> {
    pub rollout: Rollout,
    /// How long it is remembered that a resource was not there, where a driver said so.
    pub absent: &'a BTreeMap<ResourceId, Span>,
}

/// How long it is taken to be remembered that something was not there, where nothing says how long: no longer does a resolver keep it unless somebody told it to
/// (BIND's `max-ncache-ttl`; RFC 2308, 5 calls one to three hours sensible).
pub(super) const UNKNOWN_ABSENCE: Span = Span::mins(180);

/// All edges between items, in a stable order, and those that lead from what earlier runs wrote to items (by their numbers in `past` and in `items`).
///
/// The hops of one resource stand next to each other.
pub(super) fn edges(past: &[Item<'_>], items: &[Item<'_>], said: &[Said], caches: Caches<'_>) -> (Vec<ItemEdge>, Vec<ItemEdge>) {
    let all: Vec<&Item<'_>> = past.iter().chain(items).collect();
    let providers = providers(&all, past.len());
    let (mut edges, mut late) = (Vec::new(), Vec::new());
    for (number, item) in all.iter().enumerate() {
        let mut found = Vec::new();
        references(number, item, &all, &providers, caches, &mut found);
        // What is over waits for nothing any more.
        let Some(number) = number.checked_sub(past.len()) else {
            late.extend(found.into_iter().filter_map(|edge| Some(ItemEdge { after: edge.after.checked_sub(past.len())?, ..edge })).filter(|edge| edge.before < past.len()));
            continue;
        };
        for edge in found.into_iter().filter(|edge| edge.after >= past.len()) {
            let after = edge.after - past.len();
            match edge.before.checked_sub(past.len()) {
                Some(before) => edges.push(ItemEdge { before, after, ..edge }),
                None => late.push(ItemEdge { after, ..edge }),
            }
        }
        if let Some(before) = number.checked_sub(1).filter(|before| items[*before].id() == item.id()) {
            let needs = items[before].lingers().map_or(Needs::Healthy, Needs::Elapsed);
            let reason = EdgeReason::Chain { id: item.id().clone() };
            edges.push(ItemEdge { before, after: number, needs, reason, place: item.delta.place.clone(), guess: false });
        }
    }
    // The last hop of what comes first, the first hop of what waits for it.
    let last: BTreeMap<&ResourceId, usize> = items.iter().enumerate().map(|(number, item)| (item.id(), number)).collect();
    let first_of: BTreeMap<&ResourceId, usize> = items.iter().enumerate().rev().map(|(number, item)| (item.id(), number)).collect();
    for Said { first, then, place, why } in said {
        if let (Some(&before), Some(&after)) = (last.get(first), first_of.get(then)) {
            let reason = match why {
                SaidWhy::LivesIn => EdgeReason::Refers { consumer: then.clone(), provider: first.clone(), rule: "it lives in what is made first".into() },
                SaidWhy::Said => EdgeReason::Said { first: first.clone(), then: then.clone() },
                SaidWhy::Takes(what) => EdgeReason::Takes { first: first.clone(), then: then.clone(), what: what.clone() },
            };
            edges.push(ItemEdge { before, after, needs: Needs::Proven, reason, place: place.clone(), guess: false });
        }
    }
    (edges, late)
}

/// Who provides what; the first `past` items are over, so they count only for what still stands when all is done.
fn providers(items: &[&Item<'_>], past: usize) -> BTreeMap<Str, Providers> {
    let mut providers: BTreeMap<Str, Providers> = BTreeMap::new();
    let keys = |item: &Item<'_>, value: Option<&Value>| -> BTreeSet<Str> { value.map(|value| item.kind.provides(item.id(), value)).unwrap_or_default().into_iter().collect() };
    let last: BTreeMap<&ResourceId, &Item<'_>> = if past == 0 { BTreeMap::new() } else { items.iter().map(|item| (item.id(), *item)).collect() };
    for (number, item) in items.iter().enumerate() {
        let (from, to) = (keys(item, item.from()), keys(item, item.to()));
        let stands = last.get(item.id()).filter(|_| number < past).map(|last| keys(last, last.to()));
        for key in from.union(&to).filter(|key| stands.as_ref().is_none_or(|stands| stands.contains(*key) && to.contains(*key))) {
            let of = providers.entry(key.clone()).or_default();
            match (from.contains(key), to.contains(key)) {
                (false, _) => of.gains.push(number),
                (true, true) => of.keeps.push(number),
                (true, false) => of.loses.push(number),
            }
        }
    }
    providers
}

/// The edges of one consumer. A consumer that pointed there before waits only for what is newly provided; one that newly points there waits for every change of it.
fn references(number: usize, item: &Item<'_>, items: &[&Item<'_>], providers: &BTreeMap<Str, Providers>, caches: Caches<'_>, edges: &mut Vec<ItemEdge>) {
    let mentions = |value: Option<&Value>| -> BTreeMap<Str, (Str, bool)> {
        let all: Vec<Mention> = value.map(|value| item.kind.mentions(item.id(), value)).unwrap_or_default();
        all.into_iter().map(|Mention { key, rule, guess }| (key, (rule, guess))).collect()
    };
    let (from, to) = (mentions(item.from()), mentions(item.to()));
    for (key, (rule, guess)) in &to {
        let Some(of) = providers.get(key) else { continue };
        let changed: &[usize] = if from.contains_key(key) { &[] } else { &of.keeps };
        for provider in nearest(item, items, number, of.gains.iter().chain(changed)) {
            let reason = EdgeReason::Refers { consumer: item.id().clone(), provider: items[provider].id().clone(), rule: rule.clone() };
            let edge = edge(items, provider, number, reason, item.delta.place.clone());
            // What worked until now moves only to what works.
            let moves = item.from().is_some() && !from.contains_key(key) && of.gains.contains(&provider);
            let needs = if moves { moved_to(&edge, item, items[provider], caches) } else { edge.needs };
            edges.push(ItemEdge { needs, guess: *guess, ..edge });
        }
    }
    for (key, (rule, guess)) in from.iter().filter(|(key, _)| !to.contains_key(*key)) {
        let Some(of) = providers.get(key) else { continue };
        for provider in nearest(item, items, number, of.loses.iter()) {
            let reason = EdgeReason::LetsGo { consumer: item.id().clone(), provider: items[provider].id().clone(), rule: rule.clone() };
            let edge = edge(items, number, provider, reason, item.delta.place.clone());
            // Who ends with it has nobody left to serve; and a name that still leads somewhere is not missed.
            let missed = caches.rollout != Rollout::AtOnce && item.to().is_some() && of.gains.is_empty() && of.keeps.is_empty();
            let needs = item.lingers().filter(|_| missed).map_or(edge.needs, Needs::Elapsed);
            edges.push(ItemEdge { needs, guess: *guess, ..edge });
        }
    }
}

/// How far a provider that is new must be before what worked elsewhere moves to it.
fn moved_to(edge: &ItemEdge, item: &Item<'_>, provider: &Item<'_>, caches: Caches<'_>) -> Needs {
    match caches.rollout {
        Rollout::AtOnce => edge.needs,
        // Going back is urgent: for some the name is missing a while longer, instead of for all.
        Rollout::Expand if item.delta.reason != Reason::Restores && provider.from().is_none() && caches.absent.contains_key(provider.id()) => {
            Needs::Elapsed(caches.absent[provider.id()])
        }
        Rollout::Wait | Rollout::Expand if edge.needs == Needs::Applied => Needs::Applied,
        Rollout::Wait | Rollout::Expand => Needs::Healthy,
    }
}

/// The providers of the consumer's own target; those of other targets only where it has none: two views of one zone do not wait for each other.
fn nearest<'n>(item: &Item<'_>, items: &[&Item<'_>], number: usize, found: impl Iterator<Item = &'n usize>) -> Vec<usize> {
    let (own, other): (Vec<usize>, Vec<usize>) = found.copied().filter(|found| *found != number).partition(|found| items[*found].target() == item.target());
    if own.is_empty() { other } else { own }
}

/// Inside one unit that keeps order, sent first is enough; across units the first is proven before the second is sent.
fn edge(items: &[&Item<'_>], before: usize, after: usize, reason: EdgeReason, place: Place) -> ItemEdge {
    let together = items[before].shares_unit(items[after]) && items[before].kind.limits().ordered;
    ItemEdge { before, after, needs: if together { Needs::Applied } else { Needs::Proven }, reason, place, guess: false }
}

/// What `after:` says of the resources that a plan writes: as said for those that stay, the other way round for those that go.
pub(super) fn said(items: &[Item<'_>], base: &Desired, merged: &Desired) -> Result<Vec<Said>, Vec<Refusal>> {
    let (mut said, mut faults) = (Vec::new(), Vec::new());
    for item in items {
        match (merged.get(item.id()), base.get(item.id())) {
            (Some(wanted), _) => {
                for first in &wanted.after {
                    if merged.get(first).is_none() && base.get(first).is_some() {
                        let what = format!("`{}` comes after `{first}`, which this merge request removes", item.id());
                        faults.push(Refusal::new(RefusalKind::Unknown, what).at(wanted.place.clone()).advice("take it out of `after:`, or keep it"));
                    }
                    said.push(Said { first: first.clone(), then: item.id().clone(), place: wanted.place.clone(), why: SaidWhy::Said });
                }
            }
            (None, Some(was)) => {
                let gone = was.after.iter().filter(|first| merged.get(first).is_none());
                said.extend(gone.map(|first| Said { first: item.id().clone(), then: first.clone(), place: was.place.clone(), why: SaidWhy::Said }));
            }
            (None, None) => {}
        }
    }
    if faults.is_empty() { Ok(said) } else { Err(faults) }
}

/// What written references say: what is referred to first, where it is there afterwards; and before it goes, all that referred to it.
pub(super) fn takes(items: &[Item<'_>], base: &Desired, merged: &Desired) -> Vec<Said> {
    let mut said = Vec::new();
    for id in items.iter().map(Item::id) {
        for refers in merged.late.get(id).iter().flat_map(|late| late.refers()) {
            said.push(Said { first: refers.id.clone(), then: id.clone(), place: refers.place.clone(), why: SaidWhy::Takes(refers.to_string().into()) });
        }
        let gone = base.late.get(id).into_iter().flat_map(|late| late.refers()).filter(|refers| merged.get(&refers.id).is_none());
        said.extend(gone.map(|refers| Said { first: id.clone(), then: refers.id.clone(), place: refers.place.clone(), why: SaidWhy::Takes(refers.to_string().into()) }));
    }
    said
}

/// Loops of `after:` in what the merged tree asks for, whether or not this plan writes them: merging one would block every later change.
pub(super) fn said_loops(merged: &Desired) -> Vec<Refusal> {
    let waiting: Vec<(&ResourceId, &crate::core::model::Wanted)> = merged.resources.iter().filter(|(_, wanted)| !wanted.after.is_empty()).collect();
    let number: BTreeMap<&ResourceId, usize> = waiting.iter().enumerate().map(|(number, (id, _))| (*id, number)).collect();
    let next: Vec<Vec<usize>> = waiting.iter().map(|(_, wanted)| wanted.after.iter().filter_map(|first| number.get(first).copied()).collect()).collect();
    let mut faults = Vec::new();
    for part in super::graph::strong_parts(&next) {
        let around = super::graph::shortest_loop(&next, &part);
        let ids: Vec<String> = around.iter().chain(around.first()).map(|at| format!("`{}`", waiting[*at].0)).collect();
        let mut fault = Refusal::new(RefusalKind::Cycle, format!("an order that waits for itself: {} (`after:`)", ids.join(" waits for ")))
            .at(waiting[around[0]].1.place.clone())
            .advice("remove one of these `after:`");
        if let Some(second) = around.get(1) {
            fault = fault.also(waiting[*second].1.place.clone());
        }
        faults.push(fault);
    }
    faults
}
