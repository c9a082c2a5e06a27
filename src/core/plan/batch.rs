//! Batching is transport: items become steps by the level rule, cut at the limits of the unit.
//!
//! level(d) = max over predecessors p of level(p), plus one unless p is in the same unit, the edge needs only *applied* and the
//! unit keeps order inside; a step is (unit, level). Sharing steps first-fit makes cyclic step graphs; this rule cannot: an edge
//! leads to a higher level, or stays in its unit and level, where items are cut in topological order.

use super::{
    graph::Graph,
    item::{Barrier, Item, ItemEdge},
};
use crate::core::{
    model::{Limits, Place, Refusal, RefusalKind, Span, StepId, Str, Unit, Value},
    plan::{Act, Between, Claim, Edge, EdgeReason, ItemRef, Needs, Proof, Step, Template, Write},
};
use std::collections::{BTreeMap, BTreeSet};

/// The steps and edges of a plan.
pub(super) struct Batched {
    pub steps: BTreeMap<StepId, Step>,
    pub edges: Vec<Edge>,
    pub inside: Vec<Edge>,
}

/// What earlier runs wrote and others still wait for: its steps, where each write is in them, and who waits.
pub(super) struct Before<'a> {
    pub steps: (BTreeMap<StepId, Step>, BTreeMap<usize, ItemRef>),
    pub edges: &'a [ItemEdge],
}

/// Where a group stands: its level and, in a lane with waves, its wave from 1.
struct Stand {
    level: u32,
    wave: u32,
}

/// The order in which a reader meets steps: by level, then target, unit, lane and atomic group.
type Slot<'a> = (u32, &'a str, String, usize, &'a str);

/// Puts grouped items into steps.
pub(super) fn batch(items: &[Item<'_>], graph: &Graph, edges: &[ItemEdge], before: Before<'_>, templates: &[Template], deadline: Span) -> Result<Batched, Vec<Refusal>> {
    let (stands, barriers) = levels(items, graph, edges, before.edges, templates);
    let mut slots: BTreeMap<Slot<'_>, Vec<usize>> = BTreeMap::new();
    for (group, stand) in stands.iter().enumerate() {
        let first = &items[graph.groups[group][0]];
        slots.entry((stand.level, &first.delta.id.target, first.unit.to_string(), first.lane, first.together.as_deref().unwrap_or_default())).or_default().push(group);
    }
    let mut closing: BTreeMap<Slot<'_>, &Barrier> = BTreeMap::new();
    for (level, barrier) in &barriers {
        let unit = format!("wave {}", barrier.wave);
        slots.insert((*level, "", unit.clone(), barrier.lane, ""), Vec::new());
        closing.insert((*level, "", unit, barrier.lane, ""), barrier);
    }
    let (steps, earlier) = before.steps;
    let mut made = Made { steps, earlier, at: vec![ItemRef { step: StepId(0), item: 0 }; items.len()], walls: BTreeMap::new() };
    let mut faults = Vec::new();
    for (slot, groups) in slots {
        if let Some(barrier) = closing.get(&slot) {
            made.wall(barrier, &templates[barrier.lane], deadline);
            continue;
        }
        for cut in cuts(items, graph, &groups, &mut faults) {
            made.write(items, &cut, &templates[slot.3], deadline);
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let (edges, inside) = made.edges(items, graph, &stands, (edges, before.edges), templates);
    Ok(Batched { steps: made.steps, edges, inside })
}

/// Levels and waves in one pass over the groups, which stand in topological order; so a later wave never precedes an earlier one.
fn levels(items: &[Item<'_>], graph: &Graph, edges: &[ItemEdge], late: &[ItemEdge], templates: &[Template]) -> (Vec<Stand>, Vec<(u32, Barrier)>) {
    let mut before: Vec<Vec<(usize, bool)>> = vec![Vec::new(); graph.groups.len()];
    for edge in edges {
        let (a, b) = (&items[edge.before], &items[edge.after]);
        let same_step =
            edge.needs == Needs::Applied && a.shares_unit(b) && a.kind.limits().ordered && first_lane(items, graph, edge.before) == first_lane(items, graph, edge.after);
        before[graph.group_of[edge.after]].push((graph.group_of[edge.before], same_step));
    }
    // What waits for an earlier run holds up nothing that does not.
    let late: BTreeSet<usize> = late.iter().map(|edge| graph.group_of[edge.after]).collect();
    let mut waves: BTreeMap<usize, Fill> = BTreeMap::new();
    let (mut stands, mut barriers): (Vec<Stand>, Vec<(u32, Barrier)>) = (Vec::with_capacity(graph.groups.len()), Vec::new());
    for (group, members) in graph.groups.iter().enumerate() {
        let mut level = before[group].iter().map(|(of, same)| stands[*of].level + u32::from(!same)).max().unwrap_or(0).max(u32::from(late.contains(&group)));
        let mut wave = 0;
        let lane = items[members[0]].lane;
        if let Some(template) = &templates[lane].waves {
            let fill = waves.entry(lane).or_insert_with(|| Fill { wave: 1, writes: 0, floor: 0, top: 0, of: Vec::new() });
            if fill.writes > 0 && fill.writes + members.len() > template.size.max(1) as usize {
                barriers.push((fill.top + 1, Barrier { lane, wave: fill.wave, act: between(&template.between, items, &fill.of) }));
                *fill = Fill { wave: fill.wave + 1, writes: 0, floor: fill.top + 2, top: fill.top + 2, of: Vec::new() };
            }
            level = level.max(fill.floor);
            fill.top = fill.top.max(level);
            fill.writes += members.len();
            fill.of.extend(members);
            wave = fill.wave;
        }
        stands.push(Stand { level, wave });
    }
    (stands, barriers)
}

/// The wave being filled.
struct Fill {
    wave: u32,
    writes: usize,
    /// The lowest level it may use: above the wave before it.
    floor: u32,
    top: u32,
    of: Vec<usize>,
}

fn between(between: &Between, items: &[Item<'_>], wave: &[usize]) -> Act {
    let of = || wave.iter().map(|n| items[*n].id().clone()).collect();
    match between {
        Between::Approve(rule) => Act::Approve { by: rule.clone() },
        Between::Pause => Act::Pause,
        Between::Wait(hold) => Act::Wait(hold.until(of())),
        Between::Check(hold) => Act::Check(hold.until(of())),
    }
}

/// A group goes as a whole under the template of its first item.
fn first_lane(items: &[Item<'_>], graph: &Graph, item: usize) -> usize {
    items[graph.groups[graph.group_of[item]][0]].lane
}

/// Cuts one slot's groups at the limits of its unit; a group is never cut.
fn cuts(items: &[Item<'_>], graph: &Graph, groups: &[usize], faults: &mut Vec<Refusal>) -> Vec<Vec<usize>> {
    let (mut cuts, mut open, mut bytes): (Vec<Vec<usize>>, Vec<usize>, usize) = (Vec::new(), Vec::new(), 0);
    for group in groups {
        let members = &graph.groups[*group];
        let Limits { ops, bytes: most, .. } = items[members[0]].kind.limits();
        let weight: usize = members.iter().map(|n| weigh(&items[*n].write)).sum();
        if members.len() > ops.max(1) || (members.len() > 1 && weight > most) {
            const NAMED: usize = 3;
            let mut titles: Vec<String> = members.iter().take(NAMED).map(|n| format!("`{}`", items[*n].id())).collect();
            titles.extend((members.len() > NAMED).then(|| format!("and {} more", members.len() - NAMED)));
            let takes = if members.len() > ops.max(1) { format!("{ops} writes") } else { format!("{most} bytes") };
            let what = format!("{} must be written in one message, and the target takes {takes} at once", titles.join(", "));
            faults.push(Refusal::new(RefusalKind::Target, what).at(items[members[0]].delta.place.clone()).advice("change them in two merge requests"));
        }
        if !open.is_empty() && (open.len() + members.len() > ops || bytes + weight > most) {
            cuts.push(std::mem::take(&mut open));
            bytes = 0;
        }
        open.extend(members);
        bytes += weight;
    }
    if !open.is_empty() {
        cuts.push(open);
    }
    cuts
}

/// An upper estimate of a write on the wire: text is rarely shorter than its wire form, and what is sent beside each value is counted.
fn weigh(write: &Write) -> usize {
    /// A name, a type and lengths beside each value.
    const BESIDE: usize = 24;
    /// A reference is a key, a password or a certificate with its chain; a driver that sends less at once cuts by what it really has.
    const SECRET: usize = 4096;
    fn value(of: &Value) -> usize {
        match of {
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Unknown(_) => 8,
            Value::Num(number) => number.0.len(),
            Value::Str(text) => text.len() + BESIDE,
            Value::List(items) => items.iter().map(value).sum(),
            Value::Map(map) => map.iter().map(|(key, below)| key.len() + value(below)).sum(),
            Value::Blob { len, .. } => usize::try_from(*len).unwrap_or(usize::MAX / 4),
            Value::Secret(secret) => secret.uri.len() + SECRET,
            Value::Hidden(hidden) => hidden.sealed.as_ref().map_or(SECRET, |sealed| sealed.len()),
        }
    }
    write.id.name.len() + BESIDE + write.from.iter().chain(&write.to).map(value).sum::<usize>()
}

/// Steps as they are made, and where each item went.
struct Made {
    steps: BTreeMap<StepId, Step>,
    /// Where what earlier runs wrote is.
    earlier: BTreeMap<usize, ItemRef>,
    at: Vec<ItemRef>,
    /// The step between two waves, by lane and the wave it closes.
    walls: BTreeMap<(usize, u32), StepId>,
}

impl Made {
    fn next(&self) -> StepId {
        StepId(self.steps.len() as u32 + 1)
    }

    fn write(&mut self, items: &[Item<'_>], cut: &[usize], template: &Template, deadline: Span) {
        let id = self.next();
        for (position, number) in cut.iter().enumerate() {
            self.at[*number] = ItemRef { step: id, item: position as u32 };
        }
        let writes: Vec<Write> = cut.iter().map(|n| items[*n].write.clone()).collect();
        let first = &items[cut[0]];
        let step = Step {
            id,
            target: first.target().clone(),
            unit: first.unit.clone(),
            claims: writes.iter().map(|write| Claim::Write(write.id.clone())).collect(),
            act: Act::Write(writes),
            guard: None,
            proof: Proof::Settled,
            deadline,
            template: template.name.clone(),
            together: first.together.clone(),
        };
        self.steps.insert(id, step);
    }

    fn wall(&mut self, barrier: &Barrier, template: &Template, deadline: Span) {
        let id = self.next();
        self.walls.insert((barrier.lane, barrier.wave), id);
        let deadline = match &barrier.act {
            Act::Wait(until) | Act::Check(until) => until.deadline,
            Act::Write(_) | Act::Verb { .. } | Act::Run { .. } | Act::Approve { .. } | Act::Pause | Act::Earlier(_) => deadline,
        };
        let (unit, act) = (Unit::new(format!("wave {}", barrier.wave)), barrier.act.clone());
        let step = Step { id, target: "".into(), unit, act, guard: None, proof: Proof::Settled, claims: Vec::new(), deadline, template: template.name.clone(), together: None };
        self.steps.insert(id, step);
    }

    /// Edges between steps and edges inside one, merged where all but the items is equal, in the order of steps.
    fn edges(&self, items: &[Item<'_>], graph: &Graph, stands: &[Stand], (edges, late): (&[ItemEdge], &[ItemEdge]), templates: &[Template]) -> (Vec<Edge>, Vec<Edge>) {
        type Key = (StepId, StepId, EdgeReason, Needs);
        let mut merged: BTreeMap<Key, (Vec<(u32, u32)>, Place)> = BTreeMap::new();
        let mut add = |before: ItemRef, after: ItemRef, needs: Needs, reason: EdgeReason, place: &Place| {
            merged.entry((before.step, after.step, reason, needs)).or_insert_with(|| (Vec::new(), place.clone())).0.push((before.item, after.item));
        };
        for edge in edges {
            add(self.at[edge.before], self.at[edge.after], edge.needs, edge.reason.clone(), &edge.place);
        }
        for (edge, before) in late.iter().filter_map(|edge| Some((edge, self.earlier.get(&edge.before)?))) {
            add(*before, self.at[edge.after], edge.needs, edge.reason.clone(), &edge.place);
        }
        for (group, stand) in stands.iter().enumerate().filter(|(_, stand)| stand.wave > 0) {
            for number in &graph.groups[group] {
                let (item, lane) = (&items[*number], first_lane(items, graph, *number));
                let reason = |wave| EdgeReason::Wave { template: Str::clone(&templates[lane].name), wave };
                let wall = |wave| self.walls.get(&(lane, wave)).map(|step| ItemRef { step: *step, item: 0 });
                if let Some(closes) = wall(stand.wave) {
                    add(self.at[*number], closes, Needs::Proven, reason(stand.wave), &item.delta.place);
                }
                if let Some(opens) = wall(stand.wave - 1) {
                    add(opens, self.at[*number], Needs::Proven, reason(stand.wave - 1), &item.delta.place);
                }
            }
        }
        let all = merged.into_iter().map(|((before, after, reason, needs), (mut items, place))| {
            items.sort_unstable();
            items.dedup();
            Edge { before, after, items, needs, reason, place }
        });
        all.partition(|edge| edge.before != edge.after)
    }
}
