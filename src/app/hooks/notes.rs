//! Who pushed which commit, as signed deliveries said: evidence that the forges' API does not give, kept for the looks that follow.

use crate::{
    core::{
        model::{CommitId, MrId, RepoId, Str, Time, User},
        review::Sighting,
    },
    forges::hooks::Push,
    ports::{KvError, StateRepo},
    stores::{Batch, RowKey, Store},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};

/// Pushes remembered of one branch: far more than a merge request has, and few enough to read at every look.
const REMEMBERED: usize = 500;

/// Tries before a row that several replicas write at once is left to the next delivery.
const RETRIES: usize = 16;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    by: BTreeSet<Str>,
    at: Time,
}

fn all() -> RowKey {
    RowKey::new("pushed")
}

fn branch(repo: &RepoId, branch: &str) -> RowKey {
    all().text(repo.as_str()).text(branch)
}

/// Keeps who pushed a commit; durable on return.
pub(super) async fn keep(store: &Store, repo: &RepoId, push: &Push, at: Time) -> Result<(), KvError> {
    let key = branch(repo, &push.branch).text(push.commit.as_str());
    for _ in 0..RETRIES {
        let found = store.row::<Note>(&key).await?;
        let (mut note, rev) = found.map_or((Note::default(), None), |stored| (stored.value, Some(stored.rev)));
        let before = note.by.len();
        note.by.extend(push.by.iter().cloned());
        if rev.is_some() && note.by.len() == before {
            return Ok(());
        }
        note.at = at;
        let batch = match rev {
            Some(rev) => Batch::new().update(&key, rev, &note),
            None => Batch::new().create(&key, &note),
        };
        if store.write(batch).await?.is_ok() {
            return trim(store, repo, &push.branch).await;
        }
    }
    Ok(())
}

/// Forgets the oldest pushes of a branch that has seen more than are remembered.
async fn trim(store: &Store, repo: &RepoId, of: &str) -> Result<(), KvError> {
    let mut notes = store.rows::<Note>(&branch(repo, of), None, usize::MAX).await?;
    if notes.len() <= REMEMBERED {
        return Ok(());
    }
    notes.sort_by_key(|stored| stored.value.at);
    let over = notes.len() - REMEMBERED;
    for stored in &notes[..over] {
        // One that was written meanwhile is not old any more.
        store.write(Batch::new().delete(&stored.key, stored.rev)).await?.ok();
    }
    Ok(())
}

/// Forgets what was pushed before an instant, on every branch; how many pushes that were.
pub(super) async fn forget(store: &Store, before: Time) -> Result<usize, KvError> {
    let mut forgotten = 0;
    for stored in store.rows::<Note>(&all(), None, usize::MAX).await?.into_iter().filter(|stored| stored.value.at < before) {
        forgotten += usize::from(store.write(Batch::new().delete(&stored.key, stored.rev)).await?.is_ok());
    }
    Ok(forgotten)
}

/// Adds to a sighting who pushed the commits that its merge request brings (I2): a note can only take an approval away, so a doubt counts as a push.
pub async fn pushers(store: &Store, state: Arc<dyn StateRepo>, mut seen: Sighting) -> Result<Sighting, KvError> {
    let MrId { repo, number: _ } = &seen.mr;
    let notes: Vec<(CommitId, BTreeSet<Str>)> = store
        .rows::<Note>(&branch(repo, &seen.source_branch), None, REMEMBERED * 2)
        .await?
        .into_iter()
        .filter_map(|stored| Some((CommitId::new(stored.key.segments().pop()?), stored.value.by)))
        .collect();
    if notes.is_empty() {
        return Ok(seen);
    }
    let (base, head) = (seen.base.clone(), seen.head.clone());
    let brought = tokio::task::spawn_blocking(move || {
        let brings = |commit: &CommitId| *commit == head || state.brings(&base, &head, commit).unwrap_or(true);
        notes.into_iter().filter(|(commit, _)| brings(commit)).flat_map(|(_, by)| by).collect::<BTreeSet<Str>>()
    });
    // The work does not panic; were it cancelled, the process ends.
    seen.pushers.extend(brought.await.unwrap_or_default().into_iter().map(User::new));
    Ok(seen)
}
