//! The way back (I8): a forecast of it with every plan, and an ordinary plan made from what was written and what is seen.

use super::{
    compile::Parts,
    health,
    order::{Said, SaidWhy},
    pattern::Patterns,
};
use crate::core::{
    diff::{Case, Delta, Fate, Op, Reason, three_way},
    model::{Kind, MrId, Observed, Path, Place, Policy, Reading, Refusal, RefusalKind, RepoId, ResourceId, StepId, Sure, VEIL, Value, Want, lines},
    plan::{
        Act, Claim, CompileError, Edge, EdgeReason, Finding, Healthy, ItemRef, LeftOver, MatchedRule, Needs, Note, Past, Plan, Step, Undo, Write,
        left_over::{as_if_back, behind, waits_for},
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// What one resource was before a change first wrote it, and what the change wrote last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub before: Option<Value>,
    /// What its last write left, or would have left where the outcome is unknown.
    pub after: Option<Value>,
}

/// Everything `restore` reads.
pub struct Restoring<'a> {
    pub written: &'a BTreeMap<ResourceId, Written>,
    /// Where the repository speaks of a resource, or last did.
    pub place: &'a dyn Fn(&ResourceId) -> Place,
    /// The runs' plans, oldest first: what cannot be undone, and `after:` orders, which hold the other way round.
    pub plans: &'a [&'a Plan],
    /// A fresh look at every resource of `written`, as `restore_wants` asks for it.
    pub seen: &'a [Observed],
    pub kinds: &'a dyn Fn(&ResourceId) -> &'static dyn Kind,
    pub policy: &'a Policy,
    /// The approvals of the plan that is taken back: approving it approved this.
    pub rules: Vec<MatchedRule>,
    /// What base asks for by now, in canonical form.
    pub base: &'a dyn Fn(&ResourceId) -> Option<Value>,
    /// Whose change it is.
    pub repo: &'a RepoId,
    /// What other open changes have applied since.
    pub ahead: &'a BTreeMap<ResourceId, (MrId, Option<Value>)>,
    /// The runs' writes one by one.
    pub past: Past<'a>,
}

/// The wants to observe before `restore`: what was written counts as base, what was there before as merged.
pub fn restore_wants(written: &BTreeMap<ResourceId, Written>) -> Vec<Want> {
    let want = |(id, of): (&ResourceId, &Written)| Want { id: id.clone(), base: of.after.clone(), merged: of.before.clone(), ours: None };
    written.iter().map(want).collect()
}

/// Makes the way back of a change: an ordinary plan that touches only what the change wrote and is not back already.
///
/// What cannot simply be put back stays, with what comes after it, and the plan says so; it is refused where nothing at all can go back.
pub fn restore(restoring: Restoring<'_>) -> Result<Plan, CompileError> {
    let sensitive = Patterns::new("policy.sensitive", &restoring.policy.sensitive).map_err(|fault| CompileError::Refused(vec![fault]))?;
    let seen: BTreeMap<&ResourceId, &Observed> = restoring.seen.iter().map(|seen| (&seen.id, seen)).collect();
    let lost = lost(restoring.plans);
    let (mut deltas, mut notes, mut left, mut missing) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut as_if = Vec::new();
    for (id, of) in restoring.written {
        if let Some(lost) = lost.get(id) {
            notes.push(Note::Remark { text: format!("`{id}` stays as it is: {lost}").into() });
            continue;
        }
        let Some(Observed { reading: Reading::Seen { live, .. }, .. }) = seen.get(id) else {
            missing.push(Finding::NotObserved { id: id.clone() });
            continue;
        };
        let case = Case {
            id,
            kind: (restoring.kinds)(id),
            live: live.clone(),
            base: of.after.clone(),
            merged: of.before.clone(),
            place: (restoring.place)(id),
            ours: None,
            covered: None,
            repo: restoring.repo,
            ahead: restoring.ahead.get(id),
            fate: Fate::TakenBack,
            on_drift: restoring.policy.on_drift,
            sensitive: sensitive.matches(id),
            sure: Sure::Exact,
        };
        let whole = as_if_back(id, live.clone(), of.before.clone(), (restoring.place)(id));
        let delta = three_way(case).and_then(|delta| asked_by_now(&restoring, id, of, &delta, sensitive.matches(id)).map_or(Ok(delta), Err));
        match delta {
            Ok(delta) => deltas.push(restoring_delta(delta)),
            Err(why) => {
                as_if.push(whole);
                left.push(LeftOver { id: id.clone(), why });
            }
        }
    }
    if !missing.is_empty() {
        return Err(CompileError::Broken(missing));
    }
    let refused = |left: Vec<LeftOver>| CompileError::Refused(left.into_iter().map(|left| left.why).collect());
    let nothing_goes_back = |deltas: &[Delta]| deltas.iter().all(|delta| delta.op == Op::Keep);
    if !left.is_empty() && nothing_goes_back(&deltas) {
        return Err(refused(left));
    }
    let said = |reason: &EdgeReason| match reason {
        EdgeReason::Said { first, then } => Some(((first.clone(), then.clone()), SaidWhy::Said)),
        EdgeReason::Takes { first, then, what } => Some(((first.clone(), then.clone()), SaidWhy::Takes(what.clone()))),
        EdgeReason::Refers { .. } | EdgeReason::LetsGo { .. } | EdgeReason::Chain { .. } | EdgeReason::Batch { .. } | EdgeReason::Wave { .. } => None,
    };
    let orders: BTreeMap<(ResourceId, ResourceId), (SaidWhy, &Place)> =
        restoring.plans.iter().flat_map(|plan| plan.edges.iter().chain(&plan.inside)).filter_map(|edge| said(&edge.reason).map(|(pair, why)| (pair, (why, &edge.place)))).collect();
    let back = || orders.iter().map(|((first, then), (why, place))| Said { first: then.clone(), then: first.clone(), place: (*place).clone(), why: why.clone() }).collect();
    let parent = restoring.plans.last().map(|plan| plan.digest());
    let rules = if restoring.rules.is_empty() { vec![MatchedRule::otherwise()] } else { restoring.rules };
    let steps = restoring.plans.iter().flat_map(|plan| plan.steps.values());
    let groups: BTreeMap<&ResourceId, &crate::core::model::Str> =
        steps.filter_map(|step| Some((step, step.together.as_ref()?))).flat_map(|(step, name)| step.writes().iter().map(move |write| (&write.id, name))).collect();
    let together = |id: &ResourceId| groups.get(id).map(|name| (*name).clone());
    let (never, unread) = (BTreeMap::new(), BTreeMap::new());
    let parts = |notes| Parts {
        kinds: restoring.kinds,
        policy: restoring.policy,
        templates: &[],
        rules: rules.clone(),
        notes,
        health: Vec::new(),
        parent,
        together: &together,
        absent: &never,
        unread: &unread,
        past: restoring.past,
        place: restoring.place,
    };
    if !left.is_empty() {
        // Only its order counts; where even that cannot be told, nothing is known to be safe to go back.
        let Ok(whole) = parts(Vec::new()).assemble(deltas.iter().cloned().chain(as_if).collect(), |_| Ok(back())) else { return Err(refused(left)) };
        let behind = behind(&whole, &left.iter().map(|left| left.id.clone()).collect(), restoring.kinds, &together);
        let waits = |delta: &Delta| (delta.op != Op::Keep).then(|| behind.get(&delta.id)).flatten().map(|first| waits_for(delta, first, restoring.kinds));
        left.extend(deltas.iter().filter_map(waits));
        deltas.retain(|delta| delta.op == Op::Keep || !behind.contains_key(&delta.id));
        if nothing_goes_back(&deltas) {
            return Err(refused(left));
        }
        notes.extend(left.iter().map(|left| Note::Remark { text: format!("stays for now: {}", left.why).into() }));
    }
    // What the merge request itself called healthy was about what it asks for, and is not asked on the way back.
    let health = health::required(restoring.policy, &deltas).map_err(|fault| CompileError::Refused(vec![fault]))?;
    let plan = parts(notes).assemble(deltas, |_| Ok(back()))?;
    Ok(Plan { left, health, ..plan })
}

/// Base asks by now for what this change wrote, because it was merged some other way: going back would make the branch false.
fn asked_by_now(restoring: &Restoring<'_>, id: &ResourceId, of: &Written, delta: &Delta, sensitive: bool) -> Option<Refusal> {
    let base = (restoring.base)(id);
    if delta.op == Op::Keep || base == of.before || base != of.after {
        return None;
    }
    let kind = (restoring.kinds)(id);
    let show = |value: Option<&Value>| match value {
        None => "nothing".to_owned(),
        Some(hidden @ Value::Hidden(_)) => hidden.to_string(),
        Some(_) if sensitive => VEIL.to_owned(),
        Some(value) => format!("`{}`", lines(kind, id, value).join("`, `")),
    };
    let (title, asks, before) = (kind.title(id), show(base.as_ref()), show(of.before.as_ref()));
    let what =
        format!("not put back: the base branch asks for `{title}` to be {asks} by now, which is what this change wrote; restoring means {before} and would make the branch false");
    let advice = format!("let go of it with `/trueup free REASON`, then open a merge request that asks for {before}");
    Some(Refusal::new(RefusalKind::Drift, what).at(delta.place.clone()).advice(advice))
}

/// What no write brings back, with what is lost.
fn lost<'a>(plans: &[&'a Plan]) -> BTreeMap<&'a ResourceId, &'a str> {
    let why = |write: &'a Write| match &write.undo {
        Undo::To(_) => None,
        Undo::Never { loses } => Some((&write.id, &**loses)),
        Undo::Sealed(_) | Undo::Backup(_) | Undo::Act(_) => Some((&write.id, "its way back is not a write")),
    };
    plans.iter().flat_map(|plan| plan.steps.values()).flat_map(Step::writes).filter_map(why).collect()
}

fn restoring_delta(delta: Delta) -> Delta {
    let op = match delta.op {
        Op::Adopt => Op::Keep,
        other @ (Op::Create | Op::Update | Op::Replace | Op::Delete | Op::Keep | Op::Release | Op::Move { .. }) => other,
    };
    Delta { op, reason: Reason::Restores, ..delta }
}

impl Plan {
    /// The way back as it stands before anything ran: every write turned round, in reverse order.
    pub fn forecast_reverse(&self) -> Plan {
        let all = self.steps.iter().flat_map(|(step, of)| (0..of.items()).map(|item| ItemRef { step: *step, item })).collect();
        self.reverse(&all)
    }

    /// The way back from the items that were sent; what cannot be undone is said in a note.
    pub fn reverse(&self, sent: &BTreeSet<ItemRef>) -> Plan {
        let mut back = Plan { rules: self.rules.clone(), parent: Some(self.digest()), ..Plan::default() };
        let mut at: BTreeMap<ItemRef, ItemRef> = BTreeMap::new();
        let mut ends: BTreeMap<ResourceId, (Option<Value>, Option<Value>)> = BTreeMap::new();
        for (step, of) in self.steps.iter().rev() {
            let id = StepId(back.steps.len() as u32 + 1);
            let mut writes = Vec::new();
            for (item, write) in (0..of.writes().len() as u32).zip(of.writes()).rev() {
                let from_here = ItemRef { step: *step, item };
                if !sent.contains(&from_here) {
                    continue;
                }
                let Some(turned) = turned(write, &mut back.notes) else { continue };
                at.insert(from_here, ItemRef { step: id, item: writes.len() as u32 });
                ends.entry(write.id.clone()).or_insert((turned.from.clone(), None)).1 = turned.to.clone();
                writes.push(turned);
            }
            if !writes.is_empty() {
                let claims = writes.iter().map(|write| Claim::Write(write.id.clone())).collect();
                back.steps.insert(id, Step { id, act: Act::Write(writes), claims, guard: None, template: "reverse".into(), ..of.clone() });
            }
        }
        back.edges = self.edges.iter().filter_map(|edge| flipped(edge, &at)).collect();
        back.inside = self.inside.iter().filter_map(|edge| flipped(edge, &at)).collect();
        back.edges.sort_by(|a, b| (a.before, a.after, &a.reason).cmp(&(b.before, b.after, &b.reason)));
        back.inside.sort_by(|a, b| (a.before, a.after, &a.reason).cmp(&(b.before, b.after, &b.reason)));
        let places: BTreeMap<&ResourceId, &Place> = self.deltas.iter().map(|delta| (&delta.id, &delta.place)).collect();
        back.deltas = ends
            .into_iter()
            .map(|(id, (from, to))| {
                let (op, paths) = match (&from, &to) {
                    (None, Some(_)) => (Op::Create, vec![Path::root()]),
                    (Some(_), None) => (Op::Delete, vec![Path::root()]),
                    (Some(from), Some(to)) => (Op::Update, from.paths_that_differ(to)),
                    (None, None) => (Op::Keep, Vec::new()),
                };
                let place = places.get(&id).map(|place| (*place).clone()).unwrap_or_default();
                Delta { id, op, from, to, paths, sure: Sure::Exact, reason: Reason::Restores, place }
            })
            .collect();
        let back_to = |one: &Healthy| {
            let of: BTreeSet<ResourceId> = back.deltas.iter().map(|delta| &delta.id).filter(|id| one.of.contains(id)).cloned().collect();
            (one.policy && !of.is_empty()).then(|| Healthy { of, ..one.clone() })
        };
        back.health = self.health.iter().filter_map(back_to).collect();
        back.notes.sort();
        back
    }
}

/// A write the other way round; `None`, with a note, when its way back is no write.
fn turned(write: &Write, notes: &mut Vec<Note>) -> Option<Write> {
    let lost = match &write.undo {
        Undo::To(value) => return Some(Write { id: write.id.clone(), from: write.to.clone(), to: value.clone(), undo: Undo::To(write.to.clone()) }),
        Undo::Never { loses } => format!("`{}` cannot be put back: {loses}", write.id),
        Undo::Sealed(_) => format!("`{}` is put back from its sealed content", write.id),
        Undo::Backup(step) => format!("`{}` is put back from the backup of step {step}", write.id),
        Undo::Act(_) => format!("`{}` is put back by an act of its own", write.id),
    };
    notes.push(Note::Remark { text: lost.into() });
    None
}

fn flipped(edge: &Edge, at: &BTreeMap<ItemRef, ItemRef>) -> Option<Edge> {
    let pair = |(a, b): &(u32, u32)| {
        let before = at.get(&ItemRef { step: edge.after, item: *b })?;
        let after = at.get(&ItemRef { step: edge.before, item: *a })?;
        Some((*before, *after))
    };
    let pairs: Vec<(ItemRef, ItemRef)> = edge.items.iter().filter_map(pair).collect();
    let (before, after) = pairs.first()?;
    let (before, after) = (before.step, after.step);
    let mut items: Vec<(u32, u32)> = pairs.iter().map(|(a, b)| (a.item, b.item)).collect();
    items.sort_unstable();
    // How long who is remembered is another question the other way round; a way back that is really planned asks it.
    let needs = match (edge.needs, &edge.reason) {
        (Needs::Elapsed(_), EdgeReason::Refers { .. } | EdgeReason::LetsGo { .. }) => Needs::Proven,
        (needs, _) => needs,
    };
    Some(Edge { before, after, items, needs, reason: turned_reason(&edge.reason), place: edge.place.clone() })
}

/// On the way back a consumer lets go of what it came to point at, and points again at what comes back.
fn turned_reason(reason: &EdgeReason) -> EdgeReason {
    match reason.clone() {
        EdgeReason::Refers { consumer, provider, rule } => EdgeReason::LetsGo { consumer, provider, rule },
        EdgeReason::LetsGo { consumer, provider, rule } => EdgeReason::Refers { consumer, provider, rule },
        EdgeReason::Said { first, then } => EdgeReason::Said { first: then, then: first },
        EdgeReason::Takes { first, then, what } => EdgeReason::Takes { first: then, then: first, what },
        other @ (EdgeReason::Chain { .. } | EdgeReason::Batch { .. } | EdgeReason::Wave { .. }) => other,
    }
}
