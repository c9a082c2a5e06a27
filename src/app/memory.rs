//! What caches may still lead to after the merge request that changed it is over: kept in rows of the store until they have forgotten.

use super::{planning::kind, world::World};
use crate::{
    core::{
        model::MrId,
        plan::{Earlier, Plan, Remembered, past},
        run::Event,
    },
    stores::{Batch, RowKey},
};

fn rows(mr: &MrId) -> RowKey {
    RowKey::new("remembered").text(mr.repo.as_str())
}

/// Keeps what the writes that these events prove leave behind in caches. Before the events themselves: they prove what has happened already, and twice is once.
pub(super) async fn keep(world: &World, mr: &MrId, upto: u64, plan: Option<&Plan>, events: &[Event]) -> Result<(), String> {
    let Some(plan) = plan else { return Ok(()) };
    let proven = events.iter().filter_map(|event| if let Event::Proven { step, .. } = event { Some(*step) } else { None });
    let kinds = |id: &_| kind(&world.targets, id);
    let left = proven.flat_map(|step| Remembered::of(plan, step, mr, world.clock.now(), &kinds));
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
