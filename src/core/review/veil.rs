//! The journal as others may read it: what policy calls sensitive is not in it (I6).

use crate::core::{
    diff::Delta,
    model::{Health, Observed, ResourceId, StepId, Str, VEIL, Value},
    plan::{Act, Patterns, Plan, Undo, Write},
    run::{Event, Item, PlanResult, Sample, Verdict},
};
use std::{collections::BTreeSet, sync::Arc};

/// The resources whose values nobody is shown.
pub struct Veil(Option<Patterns>);

impl Veil {
    /// The veil of a policy's `sensitive:`; patterns that cannot be read hide everything.
    pub fn new(patterns: &[Str]) -> Self {
        if patterns.is_empty() {
            return Self(None);
        }
        Self(Patterns::new("policy.sensitive", patterns).or_else(|_| Patterns::new("policy.sensitive", &["*".into()])).ok())
    }

    /// Whether it hides nothing at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub fn hides(&self, id: &ResourceId) -> bool {
        self.0.as_ref().is_some_and(|patterns| patterns.matches(id))
    }

    /// A value in a sentence.
    pub fn shown(&self, id: &ResourceId, value: Option<&Value>) -> String {
        match value {
            None => "absent".to_owned(),
            Some(hidden @ Value::Hidden(_)) => hidden.to_string(),
            Some(_) if self.hides(id) => VEIL.to_owned(),
            Some(value) => value.to_string(),
        }
    }

    /// What a system says of a resource's health; it may quote what it holds.
    pub fn said(&self, id: &ResourceId, why: &str) -> String {
        if self.hides(id) { format!("not as it is asked for, {VEIL}") } else { why.to_owned() }
    }

    /// The same for a whole look.
    pub fn over(&self, seen: &mut Observed) {
        match &mut seen.health {
            Health::InProgress(why) | Health::Failed(why) | Health::Unknown(why) => *why = self.said(&seen.id, why).into(),
            Health::NotAsked | Health::Current => {}
        }
    }

    /// Macs are not shown either: whoever may write a record could try out guesses with them.
    fn value(&self, id: &ResourceId, value: &mut Option<Value>) {
        match value {
            Some(Value::Hidden(hidden)) => *value = Some(hidden.secret.clone().map_or_else(|| Value::str(VEIL), Value::Secret)),
            Some(_) if self.hides(id) => *value = Some(Value::str(VEIL)),
            Some(_) | None => {}
        }
    }

    fn plan(&self, plan: &mut Arc<Plan>) {
        // A copy of a large plan is made only where something is hidden.
        let hidden = |delta: &Delta| delta.from.iter().chain(&delta.to).any(|value| value.hidden().is_some());
        if self.0.is_none() && !plan.deltas.iter().any(hidden) {
            return;
        }
        let plan = Arc::make_mut(plan);
        for delta in &mut plan.deltas {
            self.value(&delta.id, &mut delta.from);
            self.value(&delta.id, &mut delta.to);
        }
        for step in plan.steps.values_mut() {
            self.act(&mut step.act);
        }
    }

    fn act(&self, act: &mut Act) {
        match act {
            Act::Write(writes) => writes.iter_mut().for_each(|write| self.write(write)),
            Act::Verb { on, args, undo, .. } => {
                if on.iter().any(|id| self.hides(id)) {
                    *args = Value::str(VEIL);
                }
                if let Some(id) = on.iter().find(|id| self.hides(id)).cloned() {
                    self.undo(&id, undo);
                }
            }
            Act::Earlier(wrote) => wrote.iter_mut().for_each(|earlier| {
                self.value(&earlier.id, &mut earlier.from);
                self.value(&earlier.id, &mut earlier.to);
            }),
            Act::Run { .. } | Act::Wait(_) | Act::Check(_) | Act::Approve { .. } | Act::Pause => {}
        }
    }

    fn write(&self, write: &mut Write) {
        self.value(&write.id, &mut write.from);
        self.value(&write.id, &mut write.to);
        self.undo(&write.id, &mut write.undo);
    }

    fn undo(&self, id: &ResourceId, undo: &mut Undo) {
        match undo {
            Undo::To(value) => self.value(id, value),
            Undo::Act(act) => self.act(act),
            Undo::Sealed(_) | Undo::Backup(_) | Undo::Never { .. } => {}
        }
    }
}

/// The events as a reader may have them. What any plan's policy called sensitive is hidden in all of them, earlier ones too.
pub fn veiled(mut events: Vec<Event>) -> Vec<Event> {
    let policies = events.iter().filter_map(|event| {
        let Event::Planned { answer, .. } = event else { return None };
        if let PlanResult::Plan { policy, .. } = &answer.result { Some(policy) } else { None }
    });
    let patterns: BTreeSet<Str> = policies.flat_map(|policy| policy.sensitive.iter().cloned()).collect();
    // A pattern that takes back what another policy hid must not show it: only those that hide count.
    let patterns: Vec<Str> = patterns.into_iter().filter(|pattern| !pattern.starts_with('!')).collect();
    let veil = Veil::new(&patterns);
    let mut plan: Option<Arc<Plan>> = None;
    for event in &mut events {
        if let Event::Planned { answer, .. } = event {
            if let PlanResult::Plan { plan: made, .. } = &mut answer.result {
                veil.plan(made);
                plan = Some(made.clone());
            }
            answer.way_back.iter_mut().for_each(|back| veil.plan(back));
        } else if let Event::Acted { step, outcome, .. } = event {
            for (item, found) in outcome.items.iter_mut().enumerate() {
                let hidden = hidden(&veil, plan.as_deref(), *step, item);
                match found {
                    Item::Moved(Some(value)) if hidden || value.hidden().is_some() => *value = Value::str(VEIL),
                    Item::Failed { why, .. } if hidden => *why = VEIL.to_owned(),
                    Item::Moved(_) | Item::Failed { .. } | Item::Done | Item::Already | Item::Refused(_) | Item::NotTried | Item::Unknown => {}
                }
            }
        } else if let Event::ProofRead { step, items, .. } = event {
            for (item, verdict) in items {
                match verdict {
                    Verdict::Moved { found: said } | Verdict::NotYet { why: said } | Verdict::Failed { why: said } => {
                        if hidden(&veil, plan.as_deref(), *step, *item as usize) {
                            *said = VEIL.to_owned();
                        }
                    }
                    Verdict::Proven | Verdict::NotHappened => {}
                }
            }
        } else if let Event::Sampled { sample: Sample::Unhealthy(which), .. } = event {
            which.iter_mut().for_each(|(id, why)| *why = veil.said(id, why));
        }
    }
    events
}

/// The resources whose values a journal keeps plain, of those that are sensitive by now: it was written before they were, or by a version that hid nothing.
pub fn kept_plain(events: &[Event], sensitive: &dyn Fn(&ResourceId) -> bool) -> BTreeSet<ResourceId> {
    let plain = |value: &Option<Value>| match value {
        Some(Value::Hidden(_) | Value::Secret(_) | Value::Unknown(_)) | None => false,
        Some(Value::Null | Value::Bool(_) | Value::Int(_) | Value::Num(_) | Value::Str(_) | Value::List(_) | Value::Map(_) | Value::Blob { .. }) => true,
    };
    let mut found = BTreeSet::new();
    let mut look = |plan: &Plan| {
        let deltas = plan.deltas.iter().filter(|delta| plain(&delta.from) || plain(&delta.to)).map(|delta| &delta.id);
        let writes = plan.steps.values().flat_map(|step| step.writes()).filter(|write| plain(&write.from) || plain(&write.to)).map(|write| &write.id);
        found.extend(deltas.chain(writes).filter(|id| sensitive(id)).cloned());
    };
    for event in events {
        if let Event::Planned { answer, .. } = event {
            if let PlanResult::Plan { plan, .. } = &answer.result {
                look(plan);
            }
            answer.way_back.iter().for_each(|back| look(back));
        }
    }
    found
}

/// Whether an item's resource is hidden; one that no plan names is.
fn hidden(veil: &Veil, plan: Option<&Plan>, step: StepId, item: usize) -> bool {
    if veil.is_empty() {
        return false;
    }
    let write = plan.and_then(|plan| plan.steps.get(&step)).and_then(|step| step.writes().get(item));
    write.is_none_or(|write| veil.hides(&write.id))
}
