//! Material in, plan out: scope, diff, order, steps, safety, rules, lint.

use super::{
    batch::{Batched, Before, batch},
    earlier::{self, Earlier},
    graph::graph,
    health::{self, Healthy},
    item::{Item, ItemEdge, writes},
    lint::lint,
    order::{self, Caches, Said, SaidWhy, UNKNOWN_ABSENCE},
    pattern::Patterns,
    rules, safety, said,
    scope::{InScope, Scoped, in_scope},
    unit::unit_faults,
    waits,
};
use crate::core::{
    diff::{Case, Delta, Reason, three_way},
    drift::Override,
    model::{ABSENCE_LINGERS, FactValue, Kind, Observed, Place, Policy, Reading, Refusal, RefusalKind, ResourceId, Rollout, Span, Str, Sure, Unit, Value, Why},
    plan::{Claim, CompileError, Edge, EdgeReason, Finding, MatchedRule, Material, Needs, Note, Past, Plan, Scope, Sight, Template, Write},
};
use std::collections::{BTreeMap, BTreeSet};

/// Compiles one plan, or says everything that is wrong. Reads nothing but its material.
pub fn compile(material: &Material<'_>) -> Result<Plan, CompileError> {
    let scope = &material.scope;
    let loops = order::said_loops(scope.merged);
    if !loops.is_empty() {
        return Err(CompileError::Refused(loops));
    }
    let InScope { resources, ignored } = in_scope(scope).map_err(CompileError::Refused)?;
    let units: BTreeSet<(Str, Unit)> = resources.iter().map(|of| (of.id.target.clone(), (scope.kinds)(of.id).unit(of.id))).collect();
    let mut faults = unit_faults(scope.merged, &units, scope.kinds);
    let deltas = deltas(material, resources, &mut faults)?;
    faults.extend(safety::judge(scope, &deltas, material.sizes));
    let shares = safety::shares(scope, &deltas, material.sizes);
    let matched = rules::matched(scope.policy, &rules::facts(&deltas, deltas.iter().filter(|delta| writes(delta)).count() as u64, scope.kinds), material.conditions);
    let matched = matched.unwrap_or_else(|more| {
        faults.extend(more);
        Vec::new()
    });
    let health = health::attached(scope.policy, material.health, &deltas).unwrap_or_else(|fault| {
        faults.push(fault);
        Vec::new()
    });
    if !faults.is_empty() {
        return Err(CompileError::Refused(faults));
    }
    let mut notes = notes(material, &deltas);
    notes.extend(ignored.into_iter().map(|id| Note::Ignored { id: id.clone() }));
    let (absent, unread) = absent(material.sight);
    let parts = Parts {
        kinds: scope.kinds,
        policy: scope.policy,
        templates: material.templates,
        rules: matched,
        notes,
        health,
        parent: material.parent,
        together: &|id| scope.sources.together.get(id).cloned(),
        absent: &absent,
        unread: &unread,
        past: material.past,
        place: &|id| scope.merged.get(id).or(scope.base.get(id)).map(|wanted| wanted.place.clone()).unwrap_or_default(),
    };
    let homes = homes(material.sight);
    let mut plan = parts.assemble(deltas, |items| {
        let takes = order::takes(items, scope.base, scope.merged);
        Ok([order::said(items, scope.base, scope.merged)?, takes, said::orders(items, scope.orders)?, lives_in(items, &homes)?].into_iter().flatten().collect())
    })?;
    share(&mut plan, scope, shares);
    Ok(plan)
}

/// Has the first step that deletes in a unit ask for its share of what may be deleted there.
fn share(plan: &mut Plan, scope: &Scope<'_>, mut shares: BTreeMap<(Str, Unit), (u32, u32)>) {
    for step in plan.steps.values_mut() {
        let units: Vec<(Str, Unit)> =
            step.writes().iter().filter(|write| write.to.is_none()).map(|write| (write.id.target.clone(), (scope.kinds)(&write.id).unit(&write.id))).collect();
        for key in units {
            if let Some((n, most)) = shares.remove(&key) {
                let (target, unit) = key;
                step.claims.push(Claim::Share { of: ResourceId::new(target, "deletes", unit.0), n, most: Some(most) });
            }
        }
    }
}

/// How long caches remember that a resource was not there, by resource; and where nothing says how long, why.
fn absent(sight: Sight<'_>) -> (BTreeMap<ResourceId, Span>, BTreeMap<ResourceId, Str>) {
    let (mut absent, mut unread) = (BTreeMap::new(), BTreeMap::new());
    let seen = match sight {
        Sight::Observed(seen) => seen,
        Sight::Offline => &[],
    };
    for seen in seen {
        match seen.facts.get(ABSENCE_LINGERS) {
            Some(FactValue::Int(seconds)) => absent.extend(u64::try_from(*seconds).ok().filter(|seconds| *seconds > 0).map(|seconds| (seen.id.clone(), Span::secs(seconds)))),
            Some(FactValue::Text(why)) => {
                absent.insert(seen.id.clone(), UNKNOWN_ABSENCE);
                unread.insert(seen.id.clone(), why.clone());
            }
            Some(FactValue::Bool(_)) | None => {}
        }
    }
    (absent, unread)
}

/// What is made by this plan before the resources that live in it can be seen, by resource.
fn homes<'a>(sight: Sight<'a>) -> BTreeMap<&'a ResourceId, &'a ResourceId> {
    let later = |seen: &'a Observed| match &seen.reading {
        Reading::Later { until } => Some((&seen.id, until)),
        Reading::Seen { .. } | Reading::Opaque { .. } => None,
    };
    match sight {
        Sight::Observed(seen) => seen.iter().filter_map(later).collect(),
        Sight::Offline => BTreeMap::new(),
    }
}

fn lives_in(items: &[Item<'_>], homes: &BTreeMap<&ResourceId, &ResourceId>) -> Result<Vec<Said>, Vec<Refusal>> {
    let written: BTreeSet<&ResourceId> = items.iter().map(Item::id).collect();
    let (mut said, mut faults) = (Vec::new(), Vec::new());
    for item in items {
        let Some(home) = homes.get(item.id()) else { continue };
        if written.contains(home) {
            said.push(Said { first: (*home).clone(), then: item.id().clone(), place: item.delta.place.clone(), why: SaidWhy::LivesIn });
        } else {
            let what = format!("`{}` lives in `{home}`, which does not exist and which this merge request does not make", item.id());
            faults.push(Refusal::new(RefusalKind::Unknown, what).at(item.delta.place.clone()).advice("ask for it in this merge request, or make it first"));
        }
    }
    if faults.is_empty() { Ok(said) } else { Err(faults) }
}

/// What a plan is assembled from beside its deltas.
pub(super) struct Parts<'a> {
    pub kinds: &'a dyn Fn(&ResourceId) -> &'static dyn Kind,
    pub policy: &'a Policy,
    pub templates: &'a [Template],
    pub rules: Vec<MatchedRule>,
    pub notes: Vec<Note>,
    pub health: Vec<Healthy>,
    pub parent: Option<crate::core::model::Digest>,
    /// The `atomic:` group of a resource.
    pub together: &'a dyn Fn(&ResourceId) -> Option<Str>,
    /// How long it is remembered that a resource was not there, where a driver said so.
    pub absent: &'a BTreeMap<ResourceId, Span>,
    /// Where nothing says how long: why.
    pub unread: &'a BTreeMap<ResourceId, Str>,
    pub past: Past<'a>,
    /// Where the repository speaks of what earlier runs wrote.
    pub place: &'a dyn Fn(&ResourceId) -> Place,
}

impl Parts<'_> {
    /// Orders, batches and lints.
    pub fn assemble(self, deltas: Vec<Delta>, said: impl FnOnce(&[Item<'_>]) -> Result<Vec<Said>, Vec<Refusal>>) -> Result<Plan, CompileError> {
        let lanes = Lanes::new(self.templates).map_err(|fault| CompileError::Refused(vec![fault]))?;
        let rollout = self.policy.rollout;
        let items: Vec<Item<'_>> =
            deltas.iter().filter(|delta| writes(delta)).flat_map(|delta| hops(delta, (self.kinds)(&delta.id), &lanes, rollout, (self.together)(&delta.id))).collect();
        let said = said(&items).map_err(CompileError::Refused)?;
        let wrote: Vec<Delta> = self.past.wrote.iter().map(|earlier| earlier.delta(self.place_of(earlier))).collect();
        let before: Vec<Item<'_>> = wrote.iter().map(|delta| earlier::as_item(delta, (self.kinds)(&delta.id))).collect();
        let (mut edges, found) = order::edges(&before, &items, &said, Caches { rollout, absent: self.absent });
        let late = earlier::waited_for(self.past, &before, &items, rollout, found, &mut edges);
        let graph = graph(&items, &mut edges).map_err(CompileError::Refused)?;
        let before = Before { steps: earlier::steps(self.past, &before, &late), edges: &late };
        let Batched { steps, edges, inside } = batch(&items, &graph, &edges, before, &lanes.templates, self.policy.deadline).map_err(CompileError::Refused)?;
        let mut notes = self.notes;
        notes.extend(graph.given_way.iter().map(|edge| left_out(&items, edge)));
        notes.extend(items.windows(2).filter(|pair| pair[0].id() == pair[1].id()).map(|pair| together_first(&pair[0], &pair[1])));
        notes.extend(guessed(&edges, self.unread, self.kinds));
        drop(items);
        let mut plan = Plan { deltas, steps, edges, inside, rules: self.rules, parent: self.parent, notes, left: Vec::new(), health: self.health };
        plan.notes.extend(waits::advice(&plan, self.kinds));
        plan.notes.sort();
        plan.notes.dedup();
        let findings = lint(&plan, self.kinds);
        if findings.is_empty() { Ok(plan) } else { Err(CompileError::Broken(findings)) }
    }
}

impl Parts<'_> {
    /// Where the repository speaks of an earlier write; where it does not any more in what was read, where it did then.
    fn place_of(&self, earlier: &Earlier) -> Place {
        let now = (self.place)(&earlier.id);
        let then = earlier.other.as_ref().map(|other| other.place.clone());
        then.filter(|_| now == Place::default()).unwrap_or(now)
    }
}

/// Says, once a provider, a wait whose length could not be asked for.
fn guessed(edges: &[Edge], unread: &BTreeMap<ResourceId, Str>, kinds: &dyn Fn(&ResourceId) -> &'static dyn Kind) -> Vec<Note> {
    let mut told: BTreeMap<&ResourceId, (Span, &Place)> = BTreeMap::new();
    for edge in edges {
        if let (EdgeReason::Refers { provider, .. }, Needs::Elapsed(span)) = (&edge.reason, edge.needs) {
            told.entry(provider).or_insert((span, &edge.place));
        }
    }
    let note = |(id, (span, place)): (&ResourceId, (Span, &Place))| {
        let why = unread.get(id)?;
        let text = format!("{place} waits {span} for resolvers to forget that {} was not there, since how long they remember is not known: {why}", kinds(id).title(id));
        Some(Note::Remark { text: text.into() })
    };
    told.into_iter().filter_map(note).collect()
}

/// Says an order that was only guessed and could not be kept.
fn left_out(items: &[Item<'_>], edge: &ItemEdge) -> Note {
    let title = |number: usize| items[number].kind.title(items[number].id());
    let (before, after) = (title(edge.before), title(edge.after));
    Note::Remark { text: format!("{after} may belong after {before} ({}), which goes against another order: it does not wait for it", super::graph::why(&edge.reason)).into() }
}

/// Says that old and new stand together for a while.
fn together_first(first: &Item<'_>, second: &Item<'_>) -> Note {
    let id = first.id();
    let later = second_later(first);
    let text = format!("{} first holds old and new values together, and {later} the new ones alone", second.kind.title(id));
    Note::Remark { text: text.into() }
}

fn second_later(first: &Item<'_>) -> String {
    first.lingers().map_or_else(|| "once that is healthy".to_owned(), |span| format!("{span} later"))
}

/// The writes of a delta: one, or two where old and new shall stand together for a while.
fn hops<'a>(delta: &'a Delta, kind: &'static dyn Kind, lanes: &Lanes, rollout: Rollout, together: Option<Str>) -> Vec<Item<'a>> {
    let hop = |from: Option<&Value>, to: Option<&Value>| {
        let write = Write { id: delta.id.clone(), from: from.cloned(), to: to.cloned(), undo: kind.undo(from, to) };
        Item { delta, write, kind, unit: kind.unit(&delta.id), lane: lanes.of(&delta.id), together: together.clone() }
    };
    let (from, to) = (delta.from.as_ref(), delta.to.as_ref());
    // Going back is urgent, and leads to what worked; and what goes in one message goes once.
    let expands = rollout == Rollout::Expand && delta.reason != Reason::Restores && together.is_none();
    match from.zip(to).filter(|_| expands).and_then(|(from, to)| kind.between(&delta.id, from, to)) {
        Some(both) => vec![hop(from, Some(&both)), hop(Some(&both), to)],
        None => vec![hop(from, to)],
    }
}

/// The templates of a plan, `direct` last, with their patterns ready.
struct Lanes {
    templates: Vec<Template>,
    patterns: Vec<Patterns>,
}

impl Lanes {
    fn new(templates: &[Template]) -> Result<Self, Refusal> {
        let templates: Vec<Template> = templates.iter().cloned().chain([Template::direct()]).collect();
        let pattern = |template: &Template| Patterns::new(&format!("match.resources of template {}", template.name), &template.r#match.resources);
        let patterns = templates.iter().map(pattern).collect::<Result<_, _>>()?;
        // A probe that nobody knows would hold at once.
        if let Some(fault) = templates.iter().filter_map(Template::hold).find_map(|hold| hold.unknown()) {
            return Err(fault);
        }
        Ok(Self { templates, patterns })
    }

    /// The first template that takes the resource; `direct` takes everything.
    fn of(&self, id: &ResourceId) -> usize {
        let takes = |(template, patterns): (&Template, &Patterns)| {
            let targets = template.r#match.targets.is_empty() || template.r#match.targets.contains(&id.target);
            targets && (template.r#match.resources.is_empty() || patterns.matches(id))
        };
        self.templates.iter().zip(&self.patterns).position(takes).unwrap_or(self.templates.len() - 1)
    }
}

/// The three values of one resource, from a driver or from the repository alone.
struct Sides {
    live: Option<Value>,
    base: Option<Value>,
    merged: Option<Value>,
    sure: Sure,
}

fn deltas(material: &Material<'_>, resources: Vec<Scoped<'_>>, faults: &mut Vec<Refusal>) -> Result<Vec<Delta>, CompileError> {
    let seen: BTreeMap<&ResourceId, &Observed> = match material.sight {
        Sight::Observed(seen) => seen.iter().map(|seen| (&seen.id, seen)).collect(),
        Sight::Offline => BTreeMap::new(),
    };
    let sensitive = match Patterns::new("policy.sensitive", &material.scope.policy.sensitive) {
        Ok(patterns) => patterns,
        Err(fault) => return Err(CompileError::Refused(vec![fault])),
    };
    let (mut deltas, mut missing) = (Vec::new(), Vec::new());
    for of in resources {
        let sides = match (material.sight, seen.get(of.id)) {
            (Sight::Offline, _) => offline(&material.scope, &of, material.ahead.get(of.id).map(|(_, applied)| applied)),
            (Sight::Observed(_), Some(seen)) => observed(seen, &of),
            (Sight::Observed(_), None) => {
                missing.push(Finding::NotObserved { id: of.id.clone() });
                continue;
            }
        };
        let delta = sides.map_err(|fault| Refusal { place: fault.place.clone().or_else(|| Some(of.place.clone())), ..fault }).and_then(|sides| {
            three_way(Case {
                id: of.id,
                kind: (material.scope.kinds)(of.id),
                live: sides.live,
                base: sides.base,
                merged: sides.merged,
                place: of.place.clone(),
                ours: material.scope.ours.get(of.id),
                covered: material.overrides.get(material.repo, of.id).map(|known| &known.covers),
                repo: material.repo,
                ahead: material.ahead.get(of.id),
                fate: of.fate.clone(),
                on_drift: material.scope.policy.on_drift,
                sensitive: sensitive.matches(of.id),
                sure: sides.sure,
            })
        });
        match delta {
            Ok(delta) => deltas.push(delta),
            Err(fault) => faults.push(fault),
        }
    }
    if missing.is_empty() { Ok(deltas) } else { Err(CompileError::Broken(missing)) }
}

fn observed(seen: &Observed, of: &Scoped<'_>) -> Result<Sides, Refusal> {
    match &seen.reading {
        Reading::Seen { live, base, merged } => Ok(Sides { live: live.clone(), base: base.clone(), merged: merged.clone()?, sure: Sure::Exact }),
        // A rehearsal that found nothing to change proves that live is what merged asks for.
        Reading::Opaque { changes: Some(false), .. } => Ok(Sides { live: of.merged.cloned(), base: of.base.cloned(), merged: of.merged.cloned(), sure: Sure::Exact }),
        Reading::Opaque { changes: Some(true) | None, report, .. } => {
            Ok(Sides { live: of.base.cloned(), base: of.base.cloned(), merged: of.merged.cloned(), sure: Sure::Opaque(Why(report.as_str().into())) })
        }
        Reading::Later { until } => {
            let why = Why(format!("known after `{until}` is made").into());
            Ok(Sides { live: None, base: None, merged: of.merged.cloned(), sure: Sure::Predicted(why) })
        }
    }
}

/// Takes (effective) base as live.
fn offline(scope: &Scope<'_>, of: &Scoped<'_>, ahead: Option<&Option<Value>>) -> Result<Sides, Refusal> {
    let kind = (scope.kinds)(of.id);
    let canon = |value: Option<&Value>| match value {
        // What is hidden was brought into its form before; a reference is compared as it is written.
        Some(Value::Hidden(_) | Value::Secret(_)) => Ok(value.cloned()),
        Some(value) => kind.canon(of.id, value.clone()).map(Some),
        None => Ok(None),
    };
    // What base asks for may be what the kind refuses today; the change that mends it must not be held up by it.
    let base = canon(of.base).unwrap_or_else(|_| of.base.cloned());
    let live = ahead.cloned().unwrap_or_else(|| base.clone());
    Ok(Sides { live, base, merged: canon(of.merged)?, sure: Sure::Exact })
}

fn notes(material: &Material<'_>, deltas: &[Delta]) -> Vec<Note> {
    let mut notes = material.notes.clone();
    if matches!(material.sight, Sight::Offline) {
        notes.push(Note::NotObserved);
    }
    notes.extend(material.scope.merged.skipped.iter().map(|(reason, count)| Note::Skipped { reason: reason.clone(), count: *count }));
    notes.extend(deltas.iter().filter_map(|delta| match &delta.reason {
        Reason::AheadBy(change) => Some(Note::AheadBy { id: delta.id.clone(), change: change.to_string().into() }),
        Reason::DriftOverwritten => Some(Note::Drift { id: delta.id.clone() }),
        Reason::MergeRequest | Reason::Continues | Reason::AlreadyTrue | Reason::OverrideEnds | Reason::Restores => None,
    }));
    notes.extend(deltas.iter().filter_map(|delta| {
        let Override { id, by, reason, until, .. } = material.overrides.get(material.repo, &delta.id)?;
        Some(Note::Override { id: id.clone(), by: by.clone(), reason: reason.as_str().into(), until: *until, ends: delta.reason == Reason::OverrideEnds })
    }));
    notes
}
