//! The book of sweeps: what was found, by repository and target, and when each target is looked at next.

use crate::{
    app::world::World,
    core::{
        drift::Swept,
        model::{RepoId, Span, Str, Time},
    },
    ports::{KvError, Rev},
    stores::{Batch, RowKey},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// How long a round waits that could look at nothing.
pub(super) const PAUSE: Duration = Duration::from_secs(5);

/// The longest time that a target which does not answer is left alone: what drifted there is told soon after it is back.
const REST: Duration = Duration::from_secs(300);

/// How often a write starts over because another server wrote first: it writes once a part at most.
const TRIES: usize = 16;

/// What sweeps found, by repository and target; kept in the store.
#[derive(Default)]
pub struct SweepBook {
    known: Mutex<BTreeMap<(RepoId, Str), Swept>>,
    /// How often somebody asked to look at what was found in a repository before.
    again: watch::Sender<BTreeMap<RepoId, u64>>,
    /// Up to where such questions of other servers were heard.
    heard: Mutex<BTreeMap<RepoId, Rev>>,
    /// When the next read of each target is due.
    paces: Mutex<BTreeMap<Str, Instant>>,
    rests: Mutex<BTreeMap<(RepoId, Str), Rest>>,
    /// One write at a time, so that what is kept is what is known.
    writing: tokio::sync::Mutex<()>,
}

/// A target that did not answer, and is asked again later.
#[derive(Clone, Copy)]
pub(super) struct Rest {
    wait: Duration,
    until: Instant,
    /// What was found before was to be looked at, and was not.
    pub known: bool,
}

fn row(repo: &RepoId, target: &str) -> RowKey {
    RowKey::new("drift").text(repo.as_str()).text(target)
}

/// Written when somebody asks for another look: whichever server sweeps the repository sees that it is another one.
fn again(repo: &RepoId) -> RowKey {
    RowKey::new("drift-again").text(repo.as_str())
}

/// Something happened that may have ended drift of a repository, or begun it: what was found is looked at again by the server that sweeps it.
pub async fn look_again(world: Arc<World>, repo: RepoId) {
    if world.store.shared() {
        match world.store.write(Batch::new().set(&again(&repo), &world.clock.now())).await {
            Ok(Ok(rev)) => drop(guard(&world.sweeps.heard).insert(repo.clone(), rev)),
            Ok(Err(_)) => {}
            Err(error) => tracing::warn!(%repo, "other servers are not told to look for drift again, and do so with their next round: {error}"),
        }
    }
    world.sweeps.stir(&repo);
}

/// Values are replaced whole, so a panic elsewhere leaves nothing half done.
fn guard<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SweepBook {
    /// What is known, by repository and target.
    pub fn known(&self) -> BTreeMap<(RepoId, Str), Swept> {
        guard(&self.known).clone()
    }

    /// What is known of one repository.
    pub(super) fn known_of(&self, repo: &RepoId) -> BTreeMap<Str, Swept> {
        guard(&self.known).iter().filter(|((of, _), _)| of == repo).map(|((_, target), swept)| (target.clone(), swept.clone())).collect()
    }

    /// Has the sweep of this server look at what was found in a repository.
    pub(super) fn stir(&self, repo: &RepoId) {
        self.again.send_modify(|all| *all.entry(repo.clone()).or_default() += 1);
    }

    /// Waits until another look is asked for, here or at another server. `seen` is how often that was heard of.
    pub(super) async fn asked(&self, world: &World, repo: &RepoId, seen: &mut u64) {
        let mut again = self.again.subscribe();
        loop {
            let known = *seen;
            let count = |all: &BTreeMap<RepoId, u64>| all.get(repo).copied().unwrap_or_default();
            tokio::select! {
                Ok(now) = async { again.wait_for(|all| count(all) != known).await.map(|all| count(&all)) } => {
                    *seen = now;
                    return;
                }
                () = tokio::time::sleep(PAUSE) => {
                    if self.told(world, repo).await {
                        return;
                    }
                }
            }
        }
    }

    /// Whether another server asked for another look since this was last asked.
    pub(super) async fn told(&self, world: &World, repo: &RepoId) -> bool {
        if !world.store.shared() {
            return false;
        }
        match world.store.row::<Time>(&again(repo)).await {
            Ok(Some(row)) => guard(&self.heard).insert(repo.clone(), row.rev) != Some(row.rev),
            // Whatever else needs the store says that it does not answer.
            Ok(None) | Err(_) => false,
        }
    }

    /// Takes in what was kept of one repository, so that a restart neither forgets nor looks again before it is time.
    pub(super) async fn open(&self, world: &World, repo: &RepoId) -> Result<(), KvError> {
        let rows = world.store.rows::<Swept>(&RowKey::new("drift").text(repo.as_str()), None, usize::MAX).await?;
        let mut known = guard(&self.known);
        known.retain(|(of, _), _| of != repo);
        for row in rows {
            if let Some(target) = row.key.segments().get(1) {
                known.insert((repo.clone(), target.as_str().into()), row.value);
            }
        }
        Ok(())
    }

    /// Forgets targets that the repository speaks of no more.
    pub(super) async fn retain(&self, world: &World, repo: &RepoId, targets: &BTreeSet<Str>) {
        for target in self.known_of(repo).into_keys().filter(|target| !targets.contains(target)) {
            guard(&self.known).remove(&(repo.clone(), target.clone()));
            // One that cannot be removed now is with the next round.
            if let Ok(Some(row)) = world.store.row::<Swept>(&row(repo, &target)).await {
                let _later = world.store.write(Batch::new().delete(&row.key, row.rev)).await;
            }
        }
    }

    /// What is known of one target; where several servers write it, as the last one left it.
    pub(super) async fn load(&self, world: &World, repo: &RepoId, target: &Str) -> Result<Swept, KvError> {
        let key = (repo.clone(), target.clone());
        let known = guard(&self.known).get(&key).filter(|_| !world.store.shared()).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let swept = world.store.row::<Swept>(&row(repo, target)).await?.map(|row| row.value).unwrap_or_default();
        guard(&self.known).insert(key, swept.clone());
        Ok(swept)
    }

    /// Changes what is known of one target and keeps it. Where another server wrote meanwhile, what that one knows is changed.
    pub(super) async fn change(&self, world: &World, repo: &RepoId, target: &Str, edit: impl Fn(&mut Swept) + Send + Sync) {
        let _alone = self.writing.lock().await;
        let (key, row) = ((repo.clone(), target.clone()), row(repo, target));
        let mut said = "too many write it at once".to_owned();
        for _ in 0..TRIES {
            let stored = match world.store.shared() {
                true => world.store.row::<Swept>(&row).await,
                false => Ok(None),
            };
            let (stored, unread) = stored.map_or_else(|error| (None, Some(error.to_string())), |stored| (stored, None));
            let mut swept = match &stored {
                Some(stored) => stored.value.clone(),
                None => guard(&self.known).get(&key).cloned().unwrap_or_default(),
            };
            edit(&mut swept);
            guard(&self.known).insert(key.clone(), swept.clone());
            let batch = match (&stored, world.store.shared()) {
                (Some(stored), _) => Batch::new().update(&row, stored.rev, &swept),
                (None, true) => Batch::new().create(&row, &swept),
                (None, false) => Batch::new().set(&row, &swept),
            };
            let wrote = match unread {
                Some(why) => Err(why),
                None => world.store.write(batch).await.map_err(|error| error.to_string()),
            };
            match wrote {
                Ok(Ok(_)) => return,
                Ok(Err(_)) => {}
                Err(why) => {
                    said = why;
                    break;
                }
            }
        }
        tracing::warn!(%repo, %target, "what the sweep found is not kept, and would be found again: {said}");
    }

    /// When the next read of a target may begin; the one after it is later by `apart`.
    pub(super) fn turn(&self, target: &Str, apart: Duration) -> Instant {
        turn(guard(&self.paces).entry(target.clone()).or_insert_with(Instant::now), Instant::now(), apart)
    }

    /// How long until a target is looked at: none that did not answer before it has rested.
    pub(super) fn wait(&self, repo: &RepoId, target: &Str, swept: &Swept, every: Span, now: Time) -> Duration {
        match guard(&self.rests).get(&(repo.clone(), target.clone())) {
            Some(rest) => rest.until.saturating_duration_since(Instant::now()),
            None => swept.due(every).map_or(Duration::ZERO, |due| (due - now).std()),
        }
    }

    /// A target is looked at: whether it had to rest.
    pub(super) fn wakes(&self, repo: &RepoId, target: &Str) -> Option<Rest> {
        guard(&self.rests).remove(&(repo.clone(), target.clone()))
    }

    /// A target did not answer: it is left alone for a while, longer each time in a row, and never longer than a round waits.
    pub(super) fn rests(&self, repo: &RepoId, target: &Str, before: Option<Rest>, every: Span, known: bool) {
        let wait = longer(before.map(|rest| rest.wait), every);
        guard(&self.rests).insert((repo.clone(), target.clone()), Rest { wait, until: Instant::now() + wait, known });
    }
}

/// The next wait of those that grow, between a pause and a round.
pub(super) fn longer(before: Option<Duration>, every: Span) -> Duration {
    before.map_or(PAUSE, |wait| wait * 2).min(REST).min(every.std().max(PAUSE))
}

/// Takes the next turn of a pace: never earlier than `apart` after the one before, and none saved up while nobody asked.
fn turn(next: &mut Instant, now: Instant, apart: Duration) -> Instant {
    let at = (*next).max(now);
    *next = at + apart;
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_no_oftener_than_its_budget_and_nothing_is_saved_up() {
        let start = Instant::now();
        let (mut next, apart) = (start, Duration::from_secs(1));
        let turns: Vec<Instant> = (0..3).map(|_| turn(&mut next, start, apart)).collect();
        assert_eq!(turns, [start, start + apart, start + 2 * apart], "those who come together wait for one another");
        let later = start + Duration::from_secs(60);
        let turns: Vec<Instant> = (0..2).map(|_| turn(&mut next, later, apart)).collect();
        assert_eq!(turns, [later, later + apart], "a minute without reads is no right to many at once");
    }

    #[test]
    fn a_target_that_stays_away_is_asked_ever_less_and_never_less_than_rounds_are() {
        let waits = |every: Span| {
            let mut before = None;
            let all = std::iter::repeat_with(|| {
                before = Some(longer(before, every));
                before.map_or(0, |wait| wait.as_secs())
            });
            all.take(9).collect::<Vec<u64>>()
        };
        assert_eq!(waits(Span::mins(60)), [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(waits(Span::secs(30)), [5, 10, 20, 30, 30, 30, 30, 30, 30]);
        assert_eq!(waits(Span::secs(1))[..2], [5, 5]);
    }
}
