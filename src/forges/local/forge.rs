//! The local forge itself: its repositories, its rows, and how a row is edited.

use super::{
    error::{LocalError, LocalErrorKind},
    hooks,
    place::{LocalRepository, Place},
    rows::{self, MrRow, Pushers},
};
use crate::{
    core::model::{CommitId, MrId, RepoId, User},
    ports::{Clock, People, Rev},
    stores::{Batch, Store},
};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

/// How often an edit starts over because somebody else edited first, before it is given up.
const RETRIES: usize = 64;

/// Bare repositories on disk with merge requests in the store.
pub struct LocalForge {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) people: Arc<dyn People>,
    /// Under whose name the server comments and merges.
    pub(super) bot: User,
    places: BTreeMap<RepoId, Arc<Place>>,
    /// Merges of one server happen one after the other, so that none fails for another's sake.
    pub(super) merging: tokio::sync::Mutex<()>,
}

impl LocalForge {
    /// Opens every repository, makes those that are missing, and protects their governed branches.
    pub fn open(store: Store, clock: Arc<dyn Clock>, people: Arc<dyn People>, bot: User, repositories: &[LocalRepository]) -> Result<Self, LocalError> {
        let mut places = BTreeMap::new();
        for repository in repositories {
            places.insert(repository.id.clone(), Arc::new(Place::prepare(repository, repositories, store.shared())?));
        }
        Ok(Self { store, clock, people, bot, places, merging: tokio::sync::Mutex::default() })
    }

    /// The git directory of a repository.
    pub fn dir(&self, repo: &RepoId) -> Option<PathBuf> {
        self.places.get(repo).map(|place| place.dir().to_owned())
    }

    pub(super) fn place(&self, repo: &RepoId) -> Result<&Arc<Place>, LocalError> {
        self.places.get(repo).ok_or_else(|| LocalError::new(LocalErrorKind::NotFound, format!("no repository `{repo}` on this server")))
    }

    /// Runs git work where blocking is allowed.
    pub(super) async fn git<T: Send + 'static>(&self, repo: &RepoId, work: impl FnOnce(&Place) -> Result<T, LocalError> + Send + 'static) -> Result<T, LocalError> {
        let place = self.place(repo)?.clone();
        match tokio::task::spawn_blocking(move || work(&place)).await {
            Ok(done) => done,
            Err(stopped) => Err(LocalError::new(LocalErrorKind::Unavailable, format!("git work ended early: {stopped}"))),
        }
    }

    pub(super) async fn row(&self, mr: &MrId) -> Result<(MrRow, Rev), LocalError> {
        self.place(&mr.repo)?;
        let found = self.store.row::<MrRow>(&rows::mr(&mr.repo, mr.number)).await?;
        found
            .map(|stored| (stored.value, stored.rev))
            .ok_or_else(|| LocalError::new(LocalErrorKind::NotFound, format!("no merge request {mr}; `trueup mr list` shows those there are")))
    }

    /// Edits a merge request and whatever goes with it, all or nothing; starts over when somebody else was first.
    ///
    /// `edit` answers `None` when nothing is to be changed. It may run several times.
    pub(super) async fn edit<T>(&self, mr: &MrId, edit: impl Fn(&mut MrRow, Batch) -> Result<(Option<Batch>, T), LocalError>) -> Result<T, LocalError> {
        for _ in 0..RETRIES {
            if let Some(answer) = self.edit_once(mr, &edit).await? {
                return Ok(answer);
            }
        }
        Err(LocalError::new(LocalErrorKind::Unavailable, format!("{mr} is edited by too many at once; try again")))
    }

    /// Edits once; `None`: somebody else was first, in the merge request or in what the batch compares with.
    pub(super) async fn edit_once<T>(&self, mr: &MrId, edit: impl FnOnce(&mut MrRow, Batch) -> Result<(Option<Batch>, T), LocalError>) -> Result<Option<T>, LocalError> {
        let (mut row, rev) = self.row(mr).await?;
        let (batch, answer) = edit(&mut row, Batch::new())?;
        let Some(batch) = batch else { return Ok(Some(answer)) };
        row.updated = self.clock.now();
        let written = self.store.write(batch.update(&rows::mr(&mr.repo, mr.number), rev, &row)).await?;
        Ok(written.is_ok().then_some(answer))
    }

    /// Takes the hooks' notes of pushes into the store. Call it after reading a branch's tip: then whoever pushed that tip is known.
    pub(super) async fn note_pushes(&self, repo: &RepoId) -> Result<(), LocalError> {
        let waiting = self
            .git(repo, |place| {
                let read = hooks::read(place.dir(), |commit| place.has(commit));
                read.map_err(|error| LocalError::new(LocalErrorKind::Unavailable, format!("cannot read who pushed to {}: {error}", place.dir().display())))
            })
            .await?;
        for slip in waiting {
            for note in slip.notes {
                if let Some(by) = note.by {
                    self.add_pusher(repo, &note.branch, User::new(by)).await?;
                }
            }
            // Only now: a crash before this reads the note again, and a set takes it twice.
            if slip.complete {
                let _ = std::fs::remove_file(slip.file);
            }
        }
        Ok(())
    }

    pub(super) async fn add_pusher(&self, repo: &RepoId, branch: &str, by: User) -> Result<(), LocalError> {
        let key = rows::pushers(&self.place(repo)?.chief, branch);
        for _ in 0..RETRIES {
            let found = self.store.row::<Pushers>(&key).await?;
            let (mut pushers, rev) = found.map_or((Pushers::default(), None), |stored| (stored.value, Some(stored.rev)));
            // Written even when it is there already: a merge that forgets the branch's pushers must see that one came since.
            pushers.users.insert(by.clone());
            let batch = match rev {
                Some(rev) => Batch::new().update(&key, rev, &pushers),
                None => Batch::new().create(&key, &pushers),
            };
            if self.store.write(batch).await?.is_ok() {
                return Ok(());
            }
        }
        Err(LocalError::new(LocalErrorKind::Unavailable, format!("`{branch}` is pushed to by too many at once; try again")))
    }

    /// The tip of the source branch, or the last one seen when the branch is gone.
    pub(super) async fn head(&self, mr: &MrId, row: &MrRow) -> Result<CommitId, LocalError> {
        let source = row.source.clone();
        let tip = self.git(&mr.repo, move |place| place.tip(&source)).await?;
        Ok(tip.unwrap_or_else(|| row.head.clone()))
    }
}
