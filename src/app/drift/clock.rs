//! What time brings to overrides: their ends announced, and their ends.

use crate::{
    app::{desk::Desk, world::World},
    core::{
        drift::{Ending, Override, OverrideEvent, OverrideFault},
        model::{RepoId, ResourceId},
        review::escape::code,
    },
};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// The longest sleep: clocks jump, machines are suspended, and another server may have written.
const NAP: Duration = Duration::from_secs(30);

/// Announces and ends overrides in time, until told to stop.
pub async fn keep(world: Arc<World>, desk: Desk, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(why) = super::settle(&world, &desk).await {
            tracing::warn!("what changes mean for overrides is not done yet, trying again: {why}");
        }
        let now = world.overrides.now().await;
        let due = now.due(world.clock.now());
        if !due.is_empty() {
            // Told after it is kept: what a crash swallows is on the page and in the numbers all the same.
            match world.overrides.write(|now, at| Ok::<_, OverrideFault>(now.due(at))).await {
                Ok(()) => tell(&world, &due, |repo, id| now.get(repo, id)).await,
                Err(Ok(fault)) => tracing::warn!("overrides: {fault}"),
                Err(Err(why)) => tracing::warn!("what is due of overrides cannot be kept, trying again: {why}"),
            }
        }
        let wake = world.overrides.known().next_wake().map_or(NAP, |at| (at - world.clock.now()).std().clamp(Duration::from_millis(100), NAP));
        tokio::select! {
            () = tokio::time::sleep(wake) => {}
            () = world.overrides.written() => {}
            changed = stop.wait_for(|stop| *stop) => {
                drop(changed);
                return;
            }
        }
    }
}

async fn tell<'a>(world: &World, due: &[OverrideEvent], of: impl Fn(&RepoId, &ResourceId) -> Option<&'a Override>) {
    for event in due {
        let (repo, id, text, what): (_, _, fn(&Override) -> String, &str) = match event {
            OverrideEvent::Noticed { repo: Some(repo), id, at: _ } => (repo, id, soon, "ends"),
            OverrideEvent::Ended { repo: Some(repo), id, why: Ending::Deadline, at: _ } => (repo, id, over, "over"),
            OverrideEvent::Claimed(_) | OverrideEvent::Noticed { repo: None, .. } | OverrideEvent::Ended { .. } => continue,
        };
        // Named by when it was claimed: several servers may see it due at the same moment, and tell it once.
        let Some(known) = of(repo, id) else { continue };
        let text = text(known);
        tracing::warn!(repo = %known.repo, "{text}");
        if let Some(mr) = &known.on
            && let Err(error) = world.forge.tell(mr, &format!("{id} {what} {}", known.at), &text).await
        {
            tracing::warn!(change = %mr, "a notice does not reach the merge request: {error}");
        }
    }
}

fn named(known: &Override) -> String {
    format!("The override of {} by {} ({})", code(&known.id.to_string()), code(known.by.as_str()), code(&known.reason))
}

fn soon(known: &Override) -> String {
    format!("{} ends at {}: bring what is live into the repository, undo it, or claim it again.", named(known), known.until)
}

fn over(known: &Override) -> String {
    format!("{} is over: what is live there is drift from now on.", named(known))
}
