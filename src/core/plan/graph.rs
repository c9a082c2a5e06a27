//! The order graph over groups of items: what must be one message, loops, and one stable topological order.

use super::item::{Item, ItemEdge};
use crate::core::{
    model::{Refusal, RefusalKind, Str},
    plan::{EdgeReason, Needs},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque},
};

/// Items that go in one message, in the order they are sent in it.
pub(super) type Group = Vec<usize>;

/// Groups in a stable topological order, and the group of each item.
pub(super) struct Graph {
    pub groups: Vec<Group>,
    pub group_of: Vec<usize>,
    /// Guessed orders that would have waited for themselves.
    pub given_way: Vec<ItemEdge>,
}

/// Groups the items, refuses loops, and drops the edges that one atomic message makes needless.
pub(super) fn graph(items: &[Item<'_>], edges: &mut Vec<ItemEdge>) -> Result<Graph, Vec<Refusal>> {
    let mut sets = Sets::new(items.len());
    exclusions(items, &mut sets);
    groups(items, &mut sets)?;
    let mut given_way = Vec::new();
    loop {
        let (part_of, members) = sets.parts();
        let next = successors(&part_of, members.len(), edges);
        let mut faults = Vec::new();
        let loops = strong_parts(&next);
        for part in &loops {
            let inside: Vec<usize> = part.iter().flat_map(|set| members[*set].iter().copied()).collect();
            if one_message(items, &inside, edges, &part_of, part) {
                inside.windows(2).for_each(|pair| sets.join(pair[0], pair[1]));
                continue;
            }
            let guesses = give_way(edges, &part_of, part);
            if guesses.is_empty() && !soften(items, edges, |edge| part.contains(&part_of[edge.before]) && part.contains(&part_of[edge.after])) {
                faults.push(cycle(items, edges, &part_of, &next, part));
            }
            given_way.extend(guesses);
        }
        soften(items, edges, |edge| part_of[edge.before] == part_of[edge.after]);
        faults.extend(split_orders(items, edges, &part_of));
        if !faults.is_empty() {
            return Err(faults);
        }
        if loops.is_empty() {
            edges.retain(|edge| part_of[edge.before] != part_of[edge.after]);
            return Ok(Graph { given_way, ..sorted(items, &members, &next) });
        }
    }
}

/// Joins what cannot be live together: where one goes and another comes under one key, both are one message (a CNAME ↔ A swap).
fn exclusions(items: &[Item<'_>], sets: &mut Sets) {
    let mut by_key: BTreeMap<(&Str, &str, Str), Vec<usize>> = BTreeMap::new();
    for (number, item) in items.iter().enumerate().filter(|(_, item)| item.from().is_none() || item.to().is_none()) {
        for key in item.kind.excludes(item.id()) {
            by_key.entry((item.target(), item.unit.as_str(), key)).or_default().push(number);
        }
    }
    for numbers in by_key.values() {
        let swap = numbers.iter().any(|n| items[*n].to().is_none()) && numbers.iter().any(|n| items[*n].from().is_none());
        if swap {
            numbers.windows(2).for_each(|pair| sets.join(pair[0], pair[1]));
        }
    }
}

/// Joins what somebody said is written together or not at all.
fn groups(items: &[Item<'_>], sets: &mut Sets) -> Result<(), Vec<Refusal>> {
    let mut by_name: BTreeMap<(&Str, &Str), Vec<usize>> = BTreeMap::new();
    for (number, item) in items.iter().enumerate() {
        if let Some(name) = &item.together {
            by_name.entry((item.target(), name)).or_default().push(number);
        }
    }
    let mut faults = Vec::new();
    for ((target, name), numbers) in by_name {
        let first = &items[numbers[0]];
        if numbers.len() > 1 && !first.kind.limits().atomic {
            let what = format!("the keys of the atomic group `{name}` are written one by one by `{target}`, which knows no transactions");
            faults.push(Refusal::new(RefusalKind::Target, what).at(first.delta.place.clone()).advice("take the group out of `atomic:`, or change one of its keys at a time"));
        }
        numbers.windows(2).for_each(|pair| sets.join(pair[0], pair[1]));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Whether a loop needs no order: all of it is one atomic message, and only data refers around, nobody said an order.
fn one_message(items: &[Item<'_>], inside: &[usize], edges: &[ItemEdge], part_of: &[usize], part: &[usize]) -> bool {
    let first = &items[inside[0]];
    let limits = first.kind.limits();
    let together = limits.atomic && inside.len() <= limits.ops && inside.iter().all(|n| items[*n].shares_unit(first) && items[*n].lane == first.lane);
    let sets: BTreeSet<usize> = part.iter().copied().collect();
    let around = |edge: &&ItemEdge| sets.contains(&part_of[edge.before]) && sets.contains(&part_of[edge.after]);
    together && edges.iter().filter(around).all(|edge| edge.needs == Needs::Applied)
}

/// Takes the guessed orders out of a loop: what text only seems to say holds nothing up.
fn give_way(edges: &mut Vec<ItemEdge>, part_of: &[usize], part: &[usize]) -> Vec<ItemEdge> {
    let sets: BTreeSet<usize> = part.iter().copied().collect();
    edges.extract_if(.., |edge| edge.guess && sets.contains(&part_of[edge.before]) && sets.contains(&part_of[edge.after])).collect()
}

/// What must be one message cannot also wait for caches in between; true when something did.
fn soften(items: &[Item<'_>], edges: &mut [ItemEdge], inside: impl Fn(&ItemEdge) -> bool) -> bool {
    let mut some = false;
    for edge in edges.iter_mut().filter(|edge| matches!(edge.needs, Needs::Elapsed(_)) && inside(edge)) {
        let points = matches!(edge.reason, EdgeReason::Refers { .. } | EdgeReason::LetsGo { .. });
        if points && items[edge.before].shares_unit(&items[edge.after]) && items[edge.before].kind.limits().ordered {
            edge.needs = Needs::Applied;
            some = true;
        }
    }
    some
}

/// Orders that somebody said between writes that must be one message.
fn split_orders(items: &[Item<'_>], edges: &[ItemEdge], part_of: &[usize]) -> Vec<Refusal> {
    // What refers inside one atomic message is live at once with what it refers to.
    let settled = |edge: &ItemEdge| {
        let refers = matches!(edge.reason, EdgeReason::Refers { .. } | EdgeReason::LetsGo { .. } | EdgeReason::Takes { .. });
        edge.needs == Needs::Applied || (refers && items[edge.after].together.is_some() && items[edge.after].kind.limits().atomic)
    };
    let inside = edges.iter().filter(|edge| part_of[edge.before] == part_of[edge.after] && !settled(edge));
    let fault = |edge: &ItemEdge| {
        let what = format!("`{}` waits for `{}` ({}), and both can only be written in one message", items[edge.after].id(), items[edge.before].id(), why(&edge.reason));
        Refusal::new(RefusalKind::Cycle, what).at(edge.place.clone()).also(items[edge.before].delta.place.clone()).advice("take this order out")
    };
    inside.map(fault).collect()
}

fn successors(part_of: &[usize], parts: usize, edges: &[ItemEdge]) -> Vec<Vec<usize>> {
    let mut next = vec![Vec::new(); parts];
    for edge in edges {
        let (before, after) = (part_of[edge.before], part_of[edge.after]);
        if before != after {
            next[before].push(after);
        }
    }
    next.iter_mut().for_each(|after| {
        after.sort_unstable();
        after.dedup();
    });
    next
}

/// Says a loop with the reason of each link and the places of the first two.
fn cycle(items: &[Item<'_>], edges: &[ItemEdge], part_of: &[usize], next: &[Vec<usize>], part: &[usize]) -> Refusal {
    let around = shortest_loop(next, part);
    let links: Vec<&ItemEdge> = (0..around.len())
        .filter_map(|at| {
            let (before, after) = (around[at], around[(at + 1) % around.len()]);
            edges.iter().find(|edge| part_of[edge.before] == before && part_of[edge.after] == after)
        })
        .collect();
    // Read backwards: each link says who waits for whom.
    let said: Vec<String> = links.iter().rev().map(|edge| format!("`{}` waits for `{}` ({})", items[edge.after].id(), items[edge.before].id(), why(&edge.reason))).collect();
    let mut places = links.iter().rev().map(|edge| edge.place.clone());
    let mut fault = Refusal::new(RefusalKind::Cycle, format!("an order that waits for itself: {}", said.join(", ")))
        .advice("take one of them out of this merge request, or remove an `after:` or `order:`");
    fault.place = places.next();
    fault.also = places.find(|place| Some(place) != fault.place.as_ref());
    fault
}

pub(super) fn why(reason: &EdgeReason) -> String {
    match reason {
        EdgeReason::Refers { rule, .. } => rule.to_string(),
        EdgeReason::LetsGo { rule, .. } => format!("lets go first: {rule}"),
        EdgeReason::Said { .. } => "as `after:` or `order:` says".to_owned(),
        EdgeReason::Takes { what, .. } => format!("as `{what}` says"),
        EdgeReason::Chain { .. } => "two writes of one resource".to_owned(),
        EdgeReason::Batch { .. } => "the target takes only so much at once".to_owned(),
        EdgeReason::Wave { template, .. } => format!("waves of template `{template}`"),
    }
}

/// Kahn's order with the smallest ready group first, so that equal input gives an equal order.
fn sorted(items: &[Item<'_>], members: &[Group], next: &[Vec<usize>]) -> Graph {
    let mut waits = vec![0usize; members.len()];
    next.iter().flatten().for_each(|after| waits[*after] += 1);
    let mut ready: BinaryHeap<Reverse<(usize, usize)>> = waits.iter().enumerate().filter(|(_, n)| **n == 0).map(|(set, _)| Reverse((members[set][0], set))).collect();
    let (mut groups, mut group_of) = (Vec::with_capacity(members.len()), vec![0; items.len()]);
    while let Some(Reverse((_, set))) = ready.pop() {
        let mut group = members[set].clone();
        // In one message what goes is sent before what comes, so that no moment has both.
        group.sort_by_key(|n| (items[*n].to().is_some(), *n));
        group.iter().for_each(|n| group_of[*n] = groups.len());
        groups.push(group);
        for after in &next[set] {
            waits[*after] -= 1;
            if waits[*after] == 0 {
                ready.push(Reverse((members[*after][0], *after)));
            }
        }
    }
    Graph { groups, group_of, given_way: Vec::new() }
}

/// The strongly connected parts with more than one node or an edge to itself (Tarjan's algorithm, without recursion).
pub(super) fn strong_parts(next: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const NEW: usize = usize::MAX;
    let (mut index, mut low, mut on_stack) = (vec![NEW; next.len()], vec![0; next.len()], vec![false; next.len()]);
    let (mut stack, mut parts, mut count) = (Vec::new(), Vec::new(), 0);
    for root in 0..next.len() {
        let mut calls = if index[root] == NEW { vec![(root, 0)] } else { Vec::new() };
        while let Some((node, at)) = calls.pop() {
            if at == 0 {
                index[node] = count;
                low[node] = count;
                count += 1;
                stack.push(node);
                on_stack[node] = true;
            } else {
                low[node] = low[node].min(low[next[node][at - 1]]);
            }
            let mut at = at;
            let mut child = None;
            while at < next[node].len() {
                let to = next[node][at];
                at += 1;
                if index[to] == NEW {
                    child = Some(to);
                    break;
                }
                if on_stack[to] {
                    low[node] = low[node].min(index[to]);
                }
            }
            if let Some(to) = child {
                calls.push((node, at));
                calls.push((to, 0));
                continue;
            }
            if low[node] == index[node] {
                let from = stack.iter().rposition(|on| *on == node).unwrap_or(0);
                let mut part = stack.split_off(from);
                part.iter().for_each(|on| on_stack[*on] = false);
                if part.len() > 1 || next[node].contains(&node) {
                    part.sort_unstable();
                    parts.push(part);
                }
            }
        }
    }
    parts.sort();
    parts
}

/// A shortest loop through the smallest node of a strongly connected part.
pub(super) fn shortest_loop(next: &[Vec<usize>], part: &[usize]) -> Vec<usize> {
    let inside: BTreeSet<usize> = part.iter().copied().collect();
    let start = part[0];
    let mut came_from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for to in next[node].iter().filter(|to| inside.contains(to)) {
            if *to == start {
                let mut back = vec![node];
                while let Some(before) = back.last().filter(|last| **last != start).and_then(|last| came_from.get(last)) {
                    back.push(*before);
                }
                back.reverse();
                return back;
            }
            if !came_from.contains_key(to) {
                came_from.insert(*to, node);
                queue.push_back(*to);
            }
        }
    }
    vec![start]
}

/// Disjoint sets with path halving.
struct Sets(Vec<usize>);

impl Sets {
    fn new(n: usize) -> Self {
        Self((0..n).collect())
    }

    fn root(&mut self, mut n: usize) -> usize {
        while self.0[n] != n {
            self.0[n] = self.0[self.0[n]];
            n = self.0[n];
        }
        n
    }

    /// The smaller number stays the root, so that roots do not depend on the order of joins.
    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }

    /// The set of each item, and the members of each set, both numbered by smallest member.
    fn parts(&mut self) -> (Vec<usize>, Vec<Group>) {
        let (mut number, mut members): (BTreeMap<usize, usize>, Vec<Group>) = (BTreeMap::new(), Vec::new());
        let mut part_of = Vec::with_capacity(self.0.len());
        for n in 0..self.0.len() {
            let root = self.root(n);
            let part = *number.entry(root).or_insert_with(|| {
                members.push(Group::new());
                members.len() - 1
            });
            members[part].push(n);
            part_of.push(part);
        }
        (part_of, members)
    }
}
