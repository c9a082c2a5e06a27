//! What a merge left out by an approved exemption becomes an override, by whoever skipped it: base asks for it and it is not live.

use super::claim::{ClaimFault, claim};
use crate::{
    app::{desk::Desk, faults, overrides::left_undone, world::World},
    core::{
        drift::LeftUndone,
        model::{CommitId, MrId},
    },
    ports::KvError,
    stores::Batch,
};
use std::sync::Arc;

/// Makes true what changes have written down for overrides: ends those that were written over, and claims what was left out. Whoever comes first does it, after a crash any server, and twice is once.
pub async fn settle(world: &Arc<World>, desk: &Desk) -> Result<(), String> {
    world.overrides.settle().await?;
    let failed = |error: KvError| error.to_string();
    let mut waits = None;
    for row in world.store.rows::<LeftUndone>(&left_undone(), None, usize::MAX).await.map_err(failed)? {
        match claimed(world, desk, &row.value).await {
            // Another server may have done it too, and have taken the row away.
            Ok(()) => drop(world.store.write(Batch::new().delete(&row.key, row.rev)).await.map_err(failed)?),
            Err(why) => waits = Some(why),
        }
    }
    waits.map_or(Ok(()), Err)
}

/// `settle` after a turn of a change that wrote such a thing down, once that is on disk.
pub async fn settle_of(world: Arc<World>, desk: Desk, mr: MrId) {
    faults::point("overrides end");
    if let Err(why) = settle(&world, &desk).await {
        tracing::warn!(change = %mr, "what it means for overrides is not done yet, which is tried again: {why}");
    }
}

/// Claims all of it; an error where some of it cannot be told now.
async fn claimed(world: &Arc<World>, desk: &Desk, undone: &LeftUndone) -> Result<(), String> {
    let LeftUndone { by, merged, asks } = undone;
    // This server's branch may be older, or newer, than what was merged here or by another server.
    let state = world.repositories.get(&by.repo).map(|repo| &repo.state);
    let holds = |base: &CommitId| state.is_some_and(|state| state.brought(base, merged).is_ok_and(|brought| brought.whole && brought.commits.is_empty()));
    if state.is_some() && !world.base(&by.repo).is_some_and(|base| holds(&base)) {
        return Err(format!("{} is not read with the merge of {by} yet", by.repo));
    }
    let mut waits = None;
    for ask in asks {
        match claim(world, desk, &by.repo, ask, Some(by.clone())).await {
            Ok(said) => tracing::info!(change = %by, "{said}"),
            // It came true meanwhile, or is not this repository's any more: there is nothing to answer for.
            Err(ClaimFault::Refused(what)) => tracing::warn!(change = %by, "what its merge left out is not overridden: {what}"),
            Err(ClaimFault::Unavailable(what)) => waits = Some(what),
        }
    }
    waits.map_or(Ok(()), Err)
}
