//! The merge itself: by the owner of the change alone, and one at a time in a branch, where repositories share what they may write, and where one of several governs.

use super::{
    faults,
    perform::{Hands, owners_moved},
    targets,
    world::World,
};
use crate::{
    core::{
        gate::MergeTicket,
        model::MrId,
        review::{CommentId, MrState, Sighting},
        run::MergeAnswer,
    },
    ports::{Fence, ForgeError, ForgeErrorKind, Stands},
    stores::Store,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::OwnedMutexGuard;

/// How long a merge waits for another before it says so and steps back: others take less, where nothing is wrong.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often it is asked whether another replica is done.
const POLL: Duration = Duration::from_millis(100);

/// The longest that a forge is waited for: afterwards others go on, and what became of the merge is read.
const MERGE_MOST: Duration = Duration::from_secs(120);

/// The lease without which no replica merges where repositories share; elsewhere each has its own.
const SHARED_GRANTS: &str = "merge where grants are shared";

pub(super) async fn merge(hands: &Hands, ticket: MergeTicket) -> MergeAnswer {
    let world = &hands.world;
    let turn = match world.turns.take(&hands.mr).await {
        Ok(turn) => turn,
        Err(away) => return MergeAnswer::Waits { why: "other changes of this branch are merged first".into(), away: Some(away) },
    };
    let answer = in_turn(hands, ticket).await;
    // It is planned over what the others merged, and comes back.
    if matches!(answer, MergeAnswer::Moved { .. }) {
        turn.keep();
    }
    answer
}

async fn in_turn(hands: &Hands, ticket: MergeTicket) -> MergeAnswer {
    let world = &hands.world;
    let stands = || world.store.stands(&hands.fence);
    let ours_no_more = || MergeAnswer::waits("the lease on the change may have ended; another replica may work on it");
    if stands() == Stands::Gone {
        return ours_no_more();
    }
    let shares = world.owners.concern(&hands.mr.repo) || world.repositories.get(&hands.mr.repo).is_some_and(|repo| repo.governed.pattern().is_some());
    let whole = world.repositories.get(&hands.mr.repo).map_or(&hands.mr.repo, |repo| &repo.whole);
    let alone = match (shares, world.store.shared()) {
        (true, _) => Some(Alone::take(world, SHARED_GRANTS).await),
        // Forges of a network pin the head of a merge and not its base: no two replicas merge into one branch at once.
        (false, true) => Some(Alone::take(world, &format!("merge in {whole}")).await),
        (false, false) => None,
    };
    let alone = match alone.transpose() {
        Ok(alone) => alone,
        Err(why) => return MergeAnswer::waits(why),
    };
    // One session stands for both: whoever has another one by now took the turn as somebody else.
    if alone.as_ref().and_then(|alone| alone.lease.as_ref()).is_some_and(|lease| lease.session != hands.fence.session) {
        return ours_no_more();
    }
    // The look that follows plans again.
    let mut taking = None;
    if ticket.only_reads() {
        // Whoever asks for what by now is nothing to a merge that was made or was not.
    } else if owners_moved(world, &hands.mr, ticket.into_branch()).await {
        match is_merged(world, &hands.mr).await {
            // Asked once more, the forge reads back what became of it.
            Ok(true) => {}
            Ok(false) => return MergeAnswer::Moved { why: "another repository or branch asks for some of it by now, or does no more".into() },
            Err(error) => return MergeAnswer::Refused { transient: true, why: error.to_string() },
        }
    } else {
        match world.reigns.before(world, &ticket).await {
            Ok(takes) => taking = takes,
            Err(why) => return MergeAnswer::waits(why),
        }
    }
    // As for an act, the lease is looked at just before, and again each time the forge's work goes on after a wait: a replica that was stopped
    // in between and goes on after another took over merges nothing. The forge itself takes the branch only from the pinned base to the pinned head.
    let end = Instant::now() + MERGE_MOST;
    let asked = async {
        faults::point("merge checked");
        world.forge.merge(ticket).await
    };
    let answer = match targets::before(end, &stands, asked).await {
        Some(Ok(answer)) => answer,
        // Whoever is let in again (an app that was suspended, a key that was changed) goes on.
        Some(Err(error)) => MergeAnswer::Refused { transient: error.kind.passes() || error.kind == ForgeErrorKind::Stranger, why: error.to_string() },
        // The forge may have been asked already.
        None if Instant::now() < end => MergeAnswer::Refused { transient: true, why: "the lease on the change may have ended meanwhile; another replica may work on it".into() },
        None => MergeAnswer::Refused { transient: true, why: format!("no answer within {}s", MERGE_MOST.as_secs()) },
    };
    if let Some(taking) = taking {
        faults::point("taken over");
        taking.after(world, &answer).await;
    }
    answer
}

/// Whether the forge shows it merged.
async fn is_merged(world: &World, mr: &MrId) -> Result<bool, ForgeError> {
    let Sighting { state, .. } = world.forge.look(mr, Some(CommentId(u64::MAX))).await?;
    Ok(matches!(state, MrState::Merged { .. }))
}

/// The turn to merge; given back when it is dropped.
struct Alone {
    store: Arc<Store>,
    /// Among the changes of this replica. Kept until the lease is given back, which is the same one for all of them of one name.
    guard: Option<OwnedMutexGuard<()>>,
    /// Among the replicas.
    lease: Option<Fence>,
}

impl Alone {
    /// Waits for the turn, for a while; else why it has not come.
    async fn take(world: &World, name: &str) -> Result<Self, String> {
        let end = tokio::time::Instant::now() + PATIENCE;
        let others = if name == SHARED_GRANTS { "a repository that shares grants with this one" } else { "this repository" };
        let guard = tokio::time::timeout_at(end, world.turns.alone(name).lock_owned()).await;
        let guard = guard.map_err(|_| format!("another change of {others} is being merged"))?;
        let mut alone = Self { store: world.store.clone(), guard: Some(guard), lease: None };
        while world.store.shared() {
            match world.store.hold(name).await {
                Ok(Ok(lease)) => {
                    alone.lease = Some(lease);
                    break;
                }
                Ok(Err(by)) if tokio::time::Instant::now() >= end => {
                    return Err(format!("another replica ({by}) merges a change of {others}"));
                }
                Ok(Err(_)) => tokio::time::sleep(POLL).await,
                Err(error) => return Err(format!("whether another replica merges cannot be told: {error}")),
            }
        }
        Ok(alone)
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let (Some(lease), Some(guard), store) = (self.lease.take(), self.guard.take(), self.store.clone()) else { return };
        // Without a runtime the process ends, and the lease with its session.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let _until_it_is_given_back = guard;
            while let Err(error) = store.disown(&lease).await {
                if store.is_lost(&lease) {
                    return;
                }
                tracing::warn!("the turn to merge is not given back yet, trying again: {error}");
                tokio::time::sleep(POLL).await;
            }
        });
    }
}
