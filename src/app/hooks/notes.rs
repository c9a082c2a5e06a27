//! Who pushed which commit, as signed deliveries said: evidence that the forges' API does not give, kept for the looks that follow.

use crate::{
    app::world::Repository,
    core::{
        model::{CommitId, RepoId, Str, Time, User},
        review::Sighting,
    },
    forges::hooks::Push,
    ports::{Brought, KvError, KvErrorKind, People, Stand},
    stores::{Batch, RowKey, Store},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Pushes remembered of one branch: far more than a merge request has, and few enough to read at every look.
const REMEMBERED: usize = 500;

/// Tries before a row that several replicas write at once is left to the next search of the inbox.
const RETRIES: usize = 16;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    by: BTreeSet<Str>,
    at: Time,
    /// What came with it: whoever takes the tip away again may leave that.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    with: BTreeSet<CommitId>,
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
        let before = (note.by.len(), note.with.len());
        note.by.extend(push.by.iter().cloned());
        note.with.extend(push.with.iter().cloned());
        if rev.is_some() && (note.by.len(), note.with.len()) == before {
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
    let what = format!("who pushed {} was written by others at each of {RETRIES} tries", push.commit);
    Err(KvError { what, kind: KvErrorKind::Io })
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

/// Who pushed the commits that a merge request brings, as far as signed deliveries said (I2). A note can only take an approval away, so a doubt counts as a push: without `brought`, all of the branch.
pub async fn pushers(store: &Store, (repo, people): (&Repository, &dyn People), seen: &Sighting, brought: Option<&Brought>) -> Result<BTreeSet<User>, KvError> {
    let notes = store.rows::<Note>(&branch(&repo.whole, &seen.source_branch), None, REMEMBERED * 2).await?;
    let brings = |commit: &str| brought.is_none_or(|brought| !brought.whole || brought.commits.iter().any(|known| known.as_str() == commit));
    let of_it =
        notes.into_iter().filter(|stored| stored.key.segments().pop().is_some_and(|commit| brings(&commit)) || stored.value.with.iter().any(|commit| brings(commit.as_str())));
    let mut by: BTreeSet<Str> = of_it.flat_map(|stored| stored.value.by).collect();
    if let Stand::Newer(_) = repo.governed.stand(&seen.base_branch) {
        // Whoever made the branch that takes over brings what is on it.
        let made = store.rows::<Note>(&branch(&repo.whole, &seen.base_branch), None, REMEMBERED * 2).await?;
        by.extend(made.into_iter().flat_map(|stored| stored.value.by));
    }
    Ok(by.iter().map(|login| people.by_login(login)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        core::model::Span,
        ports::{Compare, Fut, Key, Kv, KvLimits, MemoryKv, Miss, Put, Rev, Row, SessionId},
    };
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    /// A store in which somebody else is quicker so many times.
    struct Contended {
        inner: MemoryKv,
        lost: AtomicUsize,
    }

    impl Kv for Contended {
        fn commit<'a>(&'a self, when: Vec<Compare>, then: Vec<Put>) -> Fut<'a, Result<Result<Rev, Miss>, KvError>> {
            let lost = self.lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            Box::pin(async move { if lost { Ok(Err(Miss { key: Key::new() })) } else { self.inner.commit(when, then).await } })
        }

        fn range<'a>(&'a self, from: Key, to: Key, limit: usize) -> Fut<'a, Result<Vec<Row>, KvError>> {
            self.inner.range(from, to, limit)
        }

        fn session<'a>(&'a self, ttl: Span) -> Fut<'a, Result<SessionId, KvError>> {
            self.inner.session(ttl)
        }

        fn limits(&self) -> KvLimits {
            self.inner.limits()
        }
    }

    #[tokio::test]
    async fn who_pushed_is_kept_or_said_not_to_be() {
        let kv = Arc::new(Contended { inner: MemoryKv::new(), lost: AtomicUsize::new(0) });
        let store = Store::open(kv.clone(), "tests").await.unwrap();
        let repo = RepoId::new("dns");
        let push = Push { commit: CommitId::new("c1"), with: Vec::new(), branch: "mr".into(), by: ["ben".into()].into() };
        let kept = async || store.rows::<Note>(&branch(&repo, "mr"), None, 10).await.unwrap().len();
        kv.lost.store(RETRIES, Ordering::SeqCst);
        let error = keep(&store, &repo, &push, Time(1)).await.unwrap_err();
        assert!(error.what.contains("c1"), "{error}");
        assert_eq!(kept().await, 0);
        kv.lost.store(RETRIES - 1, Ordering::SeqCst);
        keep(&store, &repo, &push, Time(1)).await.unwrap();
        assert_eq!(kept().await, 1);
    }
}
