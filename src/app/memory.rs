//! What caches may still lead to after the merge request that changed it is over: kept in rows of the store until they have forgotten.

use super::{planning::kind, world::World};
use crate::{
    core::{
        model::{MrId, StepId},
        plan::{Earlier, Remembered, past},
        run::{Ask, At, Change, Input, Ledger},
    },
    stores::{Batch, RowKey},
};
use std::collections::{BTreeMap, BTreeSet};

fn rows(mr: &MrId) -> RowKey {
    RowKey::new("remembered").text(mr.repo.as_str())
}

/// The steps that inputs tell something of, each with where its items stand before these are heard.
pub(super) fn standing(change: &Change, inputs: &[Input]) -> BTreeMap<StepId, Vec<At>> {
    let told = inputs.iter().filter_map(|input| match input {
        Input::Observed { ask: Ask::Proof { step, .. }, .. } | Input::Acted { step, .. } => Some(*step),
        _ => None,
    });
    told.map(|step| (step, change.ledger().items(step).to_vec())).collect()
}

/// Items of steps that a turn has proven.
pub(super) type Proven = BTreeMap<StepId, BTreeSet<u32>>;

/// The items of each step that are proven now and were not before: what failed, or was left out, left nothing behind.
pub(super) fn newly(before: BTreeMap<StepId, Vec<At>>, ledger: &Ledger) -> Proven {
    let new = before.into_iter().map(|(step, before)| {
        let now = (0..).zip(ledger.items(step));
        let new = now.filter(|(item, at)| **at == At::Proven && before.get(*item as usize) != Some(&At::Proven));
        (step, new.map(|(item, _)| item).collect())
    });
    new.collect()
}

/// Keeps what the writes that were proven since leave behind in caches. Before the events themselves: they prove what has happened already, and twice is once.
pub(super) async fn keep(world: &World, change: &Change, upto: u64, proven: &Proven) -> Result<(), String> {
    let (mr, plan) = (change.mr(), change.ledger().plan());
    let kinds = |id: &_| kind(&world.targets, id);
    let left: Vec<Remembered> = proven.iter().flat_map(|(step, items)| Remembered::of(plan, (*step, items), mr, world.clock.now(), &kinds)).collect();
    for (n, row) in (0..).zip(left) {
        let key = rows(mr).num(mr.number).num(upto).num(n);
        world.store.write(Batch::new().set(&key, &row)).await.map_err(|error| error.to_string())?.ok();
    }
    Ok(())
}

/// What a change wrote itself, and what other merge requests of its repository wrote that caches have not forgotten. What they have is dropped.
pub(super) async fn recall(world: &World, mr: &MrId, own: Vec<Earlier>) -> Result<Vec<Earlier>, String> {
    let now = world.clock.now();
    let mut found = Vec::new();
    for row in world.store.rows::<Remembered>(&rows(mr), None, usize::MAX).await.map_err(|error| error.to_string())? {
        if row.value.until > now {
            found.push(row.value);
        } else {
            // Somebody else may have done so.
            world.store.write(Batch::new().delete(&row.key, row.rev)).await.map_err(|error| error.to_string())?.ok();
        }
    }
    Ok(past(own, found, mr, now))
}
