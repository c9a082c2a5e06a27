//! Unmanaged neighbours: what is live beside the names a plan touches though nobody asks for it; listed, never deleted (I11).

use super::{
    safe::Look,
    survey::Survey,
    targets::{Targets, observe_all},
};
use crate::core::{
    model::{Desired, MrId, Observed, Place, Reading, Refusal, RefusalKind, ResourceId, Value, Want, Wanted},
    plan::{Note, Patterns},
};
use std::collections::{BTreeMap, BTreeSet};

/// Beyond so many touched resources nobody reads a list of neighbours, and looking would cost what planning costs.
const TOUCHED_AT_MOST: usize = 500;

/// So many are asked one by one in rows, so that a few names in a large zone never cost a transfer of it; beyond that the driver chooses.
const ASKED_AT_MOST: usize = 400;

/// One row: what the drivers ask one by one.
const ROW: usize = 100;

/// What was found beside a plan's names.
#[derive(Default)]
pub(super) struct Beside {
    pub notes: Vec<Note>,
    /// What the plan makes and cannot be live together with a neighbour.
    pub faults: Vec<Refusal>,
}

/// Looks beside what is asked for. A target that does not show its neighbours holds nothing up: the plan says so.
pub(super) async fn neighbours(targets: &Targets, look: Look<'_>, asked: &[Want], found: &Survey, ahead: &BTreeMap<ResourceId, (MrId, Option<Value>)>) -> Beside {
    if asked.len() > TOUCHED_AT_MOST {
        let text = format!("more than {TOUCHED_AT_MOST} resources are touched: what is live beside them was not looked at");
        return Beside { notes: vec![Note::Remark { text: text.into() }], faults: Vec::new() };
    }
    let wants = wants(targets, asked, found, ahead);
    let row = if wants.len() <= ASKED_AT_MOST { ROW } else { wants.len() };
    let mut beside = Beside::default();
    for row in wants.chunks(row.max(1)) {
        match observe_all(targets, look, row, &[], false).await {
            Ok(seen) => seen.iter().for_each(|seen| beside.take(targets, asked, found, seen)),
            Err(error) => beside.notes.push(Note::Remark { text: format!("what is live beside the names touched could not be looked at: {error}").into() }),
        }
    }
    beside
}

/// What may be live there and that nobody speaks of: neither side of the merge request, no other open change, no rule of policy.
fn wants(targets: &Targets, asked: &[Want], found: &Survey, ahead: &BTreeMap<ResourceId, (MrId, Option<Value>)>) -> Vec<Want> {
    let spoken_of: BTreeSet<&ResourceId> = asked.iter().map(|want| &want.id).collect();
    let ignored = Patterns::new("policy.ignore", &found.policy.ignore).ok();
    let known = |id: &ResourceId| {
        let named = |side: &Desired| side.resources.contains_key(id) || side.left.contains_key(id);
        spoken_of.contains(id) || named(&found.base) || named(&found.merged) || ahead.contains_key(id) || ignored.as_ref().is_some_and(|ignored| ignored.matches(id))
    };
    let touched = asked.iter().filter(|want| want.merged.is_some() || !found.released.contains(&want.id) && !found.merged.left.contains_key(&want.id));
    let around = touched.filter_map(|want| Some(targets.get(&want.id.target)?.kind().beside(&want.id, want.base.is_none())));
    let ids: BTreeSet<ResourceId> = around.flatten().filter(|id| !known(id)).collect();
    ids.into_iter().map(|id| Want { id, base: None, merged: None, ours: None }).collect()
}

impl Beside {
    fn take(&mut self, targets: &Targets, asked: &[Want], found: &Survey, seen: &Observed) {
        let (Reading::Seen { live: Some(live), .. }, Some(target)) = (&seen.reading, targets.get(&seen.id.target)) else { return };
        let kind = target.kind();
        let keys = kind.excludes(&seen.id);
        let made = asked.iter().filter(|want| want.base.is_none() && want.id.target == seen.id.target && kind.excludes(&want.id).iter().any(|key| keys.contains(key)));
        let neighbour = (seen.id.clone(), Wanted { value: live.clone(), place: Place::default(), after: Vec::new() });
        for want in made {
            let Some(wanted) = found.merged.get(&want.id) else { continue };
            let together = Desired { resources: [neighbour.clone(), (want.id.clone(), wanted.clone())].into(), ..Desired::default() };
            if !kind.check_unit(&together).is_empty() {
                let what = format!("`{}` cannot be made on {}: `{}` is live there, and nobody asks for it", kind.title(&want.id), target.name, kind.title(&seen.id));
                let advice = "remove it by hand, or ask for it as it is in a merge request of its own first and swap the two after that";
                self.faults.push(Refusal::new(RefusalKind::Overlap, what).at(wanted.place.clone()).advice(advice));
            }
        }
        self.notes.push(Note::Unmanaged { id: seen.id.clone() });
    }
}
