//! What merge requests took from where others still look: caches keep what a record said longer than its merge request lasts.

use super::earlier::{Earlier, Other};
use crate::core::{
    model::{Kind, MrId, Place, ResourceId, Span, StepId, Str, Time, Value},
    plan::{Act, Plan, Write},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Writes of one merge request that caches outlive, and until when they may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    pub until: Time,
    pub wrote: Vec<Earlier>,
}

/// So many stand in one row of the store: some hundred kilobytes at most.
const IN_ONE: usize = 100;

/// How long readers may be led to what a resource pointed at; `None`: it points there still, or nowhere, or nobody remembers.
fn led_there(kind: &dyn Kind, id: &ResourceId, from: Option<&Value>, to: Option<&Value>) -> Option<Span> {
    let from = from?;
    let span = kind.lingers(id, from)?;
    let keys = |value: Option<&Value>| -> BTreeSet<Str> { value.map(|value| kind.mentions(id, value)).unwrap_or_default().into_iter().map(|mention| mention.key).collect() };
    (!keys(Some(from)).is_subset(&keys(to))).then_some(span)
}

impl Remembered {
    /// What those items of a step that were proven at `at` leave behind in caches.
    pub fn of(plan: &Plan, (step, proven): (StepId, &BTreeSet<u32>), by: &MrId, at: Time, kinds: &dyn Fn(&ResourceId) -> &'static dyn Kind) -> Vec<Self> {
        let Some(Act::Write(writes)) = plan.steps.get(&step).map(|step| &step.act) else { return Vec::new() };
        let writes = (0..).zip(writes).filter(|(item, _)| proven.contains(item)).map(|(_, write)| write);
        let spans = writes.filter_map(|write| Some((write, led_there(kinds(&write.id), &write.id, write.from.as_ref(), write.to.as_ref())?)));
        let spans: Vec<(&Write, Span)> = spans.collect();
        if spans.is_empty() {
            return Vec::new();
        }
        let places: BTreeMap<&ResourceId, &Place> = plan.deltas.iter().map(|delta| (&delta.id, &delta.place)).collect();
        let left = spans.into_iter().map(|(Write { id, from, to, undo: _ }, span)| {
            let other = Some(Other { by: by.clone(), place: places.get(id).map(|place| (*place).clone()).unwrap_or_default() });
            (at + span, Earlier { id: id.clone(), from: from.clone(), to: to.clone(), at, healthy: true, other })
        });
        let left: Vec<(Time, Earlier)> = left.collect();
        let row =
            |some: &[(Time, Earlier)]| Self { until: some.iter().map(|(until, _)| *until).max().unwrap_or(at), wrote: some.iter().map(|(_, earlier)| earlier.clone()).collect() };
        left.chunks(IN_ONE).map(row).collect()
    }
}

/// What a change wrote itself and what others left behind that nobody has forgotten by now, oldest first.
pub fn past(own: Vec<Earlier>, others: Vec<Remembered>, mr: &MrId, now: Time) -> Vec<Earlier> {
    let others = others.into_iter().filter(|row| row.until > now).flat_map(|row| row.wrote);
    let mut all: Vec<Earlier> = others.filter(|earlier| earlier.other.as_ref().is_some_and(|other| other.by != *mr)).collect();
    all.extend(own);
    all.sort_by_key(|earlier| earlier.at);
    all
}
