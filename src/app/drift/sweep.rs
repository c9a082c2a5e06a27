//! The sweep: looks at everything governed, part by part, again and again, never in anybody's way; it goes on where it was after a restart.

use super::{
    ground::{Ground, Only},
    look::{Looked, Looker, Open, Reads},
    propose,
};
use crate::{
    app::{
        config,
        desk::Desk,
        replicas,
        safe::Safe,
        targets::Target,
        world::{Repository, World},
    },
    core::{
        drift::{Fault, Found, Row},
        model::{Fact, MrId, Observed, RepoId, Span, Str, Time, User, Want},
    },
    ports::{Fut, KvError, ObserveError},
    stores::{Batch, RowKey},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// So many drifted resources of one target are kept in words; whoever has more reads `trueup drift`.
const KEPT: usize = 500;

/// How long a round waits that could look at nothing.
const PAUSE: Duration = Duration::from_secs(5);

/// What the sweep knows of one repository on one target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// The last part looked at in the round under way; the next one follows it.
    pub after: Option<String>,
    pub began: Option<Time>,
    /// When the last whole round ended.
    pub ended: Option<Time>,
    /// Resources compared in the round under way, and in the last whole one.
    pub compared: u64,
    pub compared_last: u64,
    /// By part: what was found there when it was last looked at. Parts without anything are left out.
    pub parts: BTreeMap<String, FoundIn>,
}

/// What was found in one part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundIn {
    pub at: Time,
    pub found: Vec<Found>,
    /// Drifted resources that are not kept in words.
    pub more: u64,
    pub faults: Vec<Fault>,
}

impl Swept {
    pub fn found(&self) -> impl Iterator<Item = &Found> {
        self.parts.values().flat_map(|part| &part.found)
    }

    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.parts.values().flat_map(|part| &part.faults)
    }

    /// Drifted resources that no override covers.
    pub fn drifted(&self) -> u64 {
        self.found().filter(|found| found.covered.is_none()).count() as u64 + self.parts.values().map(|part| part.more).sum::<u64>()
    }

    pub fn overridden(&self) -> u64 {
        self.found().filter(|found| found.covered.is_some()).count() as u64
    }

    /// Takes in what a look at a part told. Of what it could not tell, what was found before still counts: nobody saw that end.
    fn take(&mut self, part: &str, looked: &Looked, now: Time) {
        let before = self.parts.remove(part).unwrap_or_default();
        let room = KEPT.saturating_sub(self.found().count());
        let mut told = FoundIn { at: now, ..FoundIn::default() };
        told.found.extend(before.found.into_iter().filter(|found| looked.unknown.contains(&found.id)).take(room));
        for row in &looked.rows {
            match row {
                Row::Drift(found) if told.found.len() < room => told.found.push((**found).clone()),
                Row::Drift(found) => told.more += u64::from(found.covered.is_none()),
                Row::Fault(fault) => told.faults.push(fault.clone()),
                Row::Part(_) | Row::End(_) => {}
            }
        }
        if !told.found.is_empty() || !told.faults.is_empty() || told.more > 0 {
            self.parts.insert(part.to_owned(), told);
        }
    }
}

/// What sweeps found, by repository and target; kept in the store.
#[derive(Default)]
pub struct SweepBook {
    known: Mutex<BTreeMap<(RepoId, Str), Swept>>,
    /// Asked to look at what was found before, at once.
    again: watch::Sender<u64>,
    /// When the next read of each target is due.
    paces: Mutex<BTreeMap<Str, Instant>>,
}

fn row(repo: &RepoId, target: &str) -> RowKey {
    RowKey::new("drift").text(repo.as_str()).text(target)
}

impl SweepBook {
    /// What is known, by repository and target.
    pub fn known(&self) -> BTreeMap<(RepoId, Str), Swept> {
        self.lock().clone()
    }

    /// Something happened that may have ended drift: what was found is looked at again.
    pub fn look_again(&self) {
        self.again.send_modify(|n| *n += 1);
    }

    /// Takes in what was kept of one repository, so that a restart neither forgets nor looks again before it is time.
    async fn open(&self, world: &World, repo: &RepoId) -> Result<(), KvError> {
        let rows = world.store.rows::<Swept>(&RowKey::new("drift").text(repo.as_str()), None, usize::MAX).await?;
        let mut known = self.lock();
        known.retain(|(of, _), _| of != repo);
        for row in rows {
            if let Some(target) = row.key.segments().get(1) {
                known.insert((repo.clone(), target.as_str().into()), row.value);
            }
        }
        Ok(())
    }

    /// Forgets targets that the repository speaks of no more.
    async fn retain(&self, world: &World, repo: &RepoId, targets: &BTreeSet<Str>) {
        let gone: Vec<Str> = self.lock().keys().filter(|(of, target)| of == repo && !targets.contains(target)).map(|(_, target)| target.clone()).collect();
        for target in gone {
            self.lock().remove(&(repo.clone(), target.clone()));
            // One that cannot be removed now is with the next round.
            if let Ok(Some(row)) = world.store.row::<Swept>(&row(repo, &target)).await {
                let _later = world.store.write(Batch::new().delete(&row.key, row.rev)).await;
            }
        }
    }

    async fn load(&self, world: &World, repo: &RepoId, target: &str) -> Result<Swept, KvError> {
        let key = (repo.clone(), Str::from(target));
        if let Some(known) = self.lock().get(&key) {
            return Ok(known.clone());
        }
        let swept = world.store.row::<Swept>(&row(repo, target)).await?.map(|row| row.value).unwrap_or_default();
        self.lock().insert(key, swept.clone());
        Ok(swept)
    }

    async fn keep(&self, world: &World, repo: &RepoId, target: &str, swept: &Swept) {
        self.lock().insert((repo.clone(), target.into()), swept.clone());
        if let Err(error) = world.store.write(Batch::new().set(&row(repo, target), swept)).await {
            tracing::warn!(%repo, target, "what the sweep found is not kept, and would be found again: {error}");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(RepoId, Str), Swept>> {
        // Values are replaced whole, so a panic elsewhere leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the next read of a target may begin; the one after it is later by `apart`.
    fn turn(&self, target: &Str, apart: Duration) -> Instant {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        turn(paces.entry(target.clone()).or_insert_with(Instant::now), Instant::now(), apart)
    }
}

/// Takes the next turn of a pace: never earlier than `apart` after the one before, and none saved up while nobody asked.
fn turn(next: &mut Instant, now: Instant, apart: Duration) -> Instant {
    let at = (*next).max(now);
    *next = at + apart;
    at
}

/// Reads as the sweep does: in its own time, and only while nobody else wants the target.
pub(super) struct Gently<'a> {
    pub book: &'a SweepBook,
    pub safe: Arc<Safe>,
    pub apart: Duration,
}

impl Reads for Gently<'_> {
    fn read<'a>(&'a self, target: &'a Target, wants: &'a [Want], facts: &'a [Fact]) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        Box::pin(async move {
            tokio::time::sleep_until(self.book.turn(&target.name, self.apart)).await;
            target.observe_last(self.safe.secrets(), wants, facts).await
        })
    }
}

/// What a round looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Everything, going on where the last one stopped.
    Whole,
    /// The parts in which something was found.
    Known,
}

/// Sweeps one repository until told to stop.
pub async fn sweep(world: Arc<World>, desk: Desk, repo: Arc<Repository>, drift: config::Drift, mut stop: watch::Receiver<bool>) {
    let Some(every) = drift.every else { return };
    let reads = Gently { book: &world.sweeps, safe: world.safe.clone(), apart: Duration::from_secs(60) / drift.reads.max(1) };
    let mut again = world.sweeps.again.subscribe();
    if let Err(error) = world.sweeps.open(&world, &repo.id).await {
        tracing::warn!(repo = %repo.id, "what the last sweep found cannot be read, and is found again: {error}");
    }
    loop {
        if elsewhere(&world, &repo.id).await {
            let follow = async {
                tokio::time::sleep(PAUSE).await;
                if let Err(error) = world.sweeps.open(&world, &repo.id).await {
                    tracing::warn!(repo = %repo.id, "what another server's sweep found cannot be read: {error}");
                }
            };
            tokio::select! {
                () = follow => continue,
                changed = stop.wait_for(|stop| *stop) => {
                    drop(changed);
                    return;
                }
            }
        }
        let due = next_round(&world, &repo, every).await;
        // Where several servers share the work, who sweeps is asked now and then.
        let nap = if world.store.shared() { PAUSE } else { Duration::MAX };
        let round = tokio::select! {
            () = tokio::time::sleep(due.min(nap)) => {
                if due > nap {
                    continue;
                }
                Round::Whole
            }
            Ok(()) = again.changed() => Round::Known,
            changed = stop.wait_for(|stop| *stop) => {
                drop(changed);
                return;
            }
        };
        metrics::counter!("trueup_sweeps_total", "repo" => repo.id.to_string(), "of" => "drift").increment(1);
        let swept = async {
            if let Err(why) = look_round(&world, &desk, &repo, &reads, round).await {
                tracing::warn!(repo = %repo.id, "the sweep for drift waits: {why}");
                tokio::time::sleep(PAUSE).await;
                return;
            }
            if !world.sweeps.lock().keys().any(|(of, _)| *of == repo.id) {
                // The branch governs nothing that there is a target for.
                tokio::time::sleep(PAUSE).await;
                return;
            }
            if drift.propose {
                match propose::propose(&world, &desk, &repo, &reads, None).await {
                    Ok(_) => {}
                    Err(why) => tracing::warn!(repo = %repo.id, "drift is not proposed: {why}"),
                }
            }
        };
        tokio::select! {
            () = swept => {}
            changed = stop.wait_for(|stop| *stop) => {
                drop(changed);
                return;
            }
        }
    }
}

/// Whether another server over the same store is meant to sweep it, so that its targets are read once.
async fn elsewhere(world: &World, repo: &RepoId) -> bool {
    if !world.store.shared() {
        return false;
    }
    let members: BTreeSet<String> = world.store.members().await.unwrap_or_default().into_iter().collect();
    replicas::falls_to(&members, repo.as_str()).is_some_and(|other| *other != world.store.me())
}

/// How long until the next whole round: a round that was cut off goes on at once.
async fn next_round(world: &World, repo: &Repository, every: Span) -> Duration {
    let known: Vec<Swept> = world.sweeps.known().into_iter().filter(|((of, _), _)| *of == repo.id).map(|(_, swept)| swept).collect();
    let now = world.clock.now();
    let due = known.iter().map(|swept| match (swept.began, swept.after.is_some()) {
        (Some(began), false) => began + every,
        (Some(_), true) | (None, _) => now,
    });
    due.min().map_or(Duration::ZERO, |due| (due - now).std())
}

/// One round over every target that the repository speaks of, side by side.
pub async fn look_round(world: &Arc<World>, desk: &Desk, repo: &Arc<Repository>, reads: &dyn Reads, round: Round) -> Result<(), String> {
    let base = world.base(&repo.id).ok_or_else(|| format!("{} has no governed branch yet", repo.id))?;
    let ground = {
        let repo = repo.clone();
        Arc::new(tokio::task::spawn_blocking(move || Ground::at(&repo, &base)).await.map_err(|panic| panic.to_string())??)
    };
    world.sweeps.retain(world, &repo.id, &ground.targets()).await;
    let walks = ground.targets().into_iter().map(|name| walk(world, desk, repo, ground.clone(), name, reads, round));
    futures::future::try_join_all(walks).await?;
    Ok(())
}

async fn walk(world: &Arc<World>, desk: &Desk, repo: &Arc<Repository>, mut ground: Arc<Ground>, name: Str, reads: &dyn Reads, round: Round) -> Result<(), String> {
    let Some(target) = world.targets.get(&name).cloned() else { return Ok(()) };
    let mut swept = world.sweeps.load(world, &repo.id, &name).await.map_err(|error| error.to_string())?;
    let bundles = {
        let (repo, ground, name) = (repo.clone(), ground.clone(), name.clone());
        tokio::task::spawn_blocking(move || ground.bundles(&repo, &name)).await.map_err(|panic| panic.to_string())??
    };
    let open = Open::Server { desk: desk.clone(), world: world.clone() };
    let (ahead, overrides) = (open.ahead(repo).await?, open.overrides().await);
    let mut looker = Looker { repo: repo.clone(), safe: world.safe.clone(), target, open, reads, only: Arc::new(Only::default()), ahead, met: BTreeSet::new(), overrides };
    let there: BTreeSet<String> = bundles.iter().map(super::Bundle::key).collect();
    swept.parts.retain(|part, _| there.contains(part) || part.is_empty());
    if round == Round::Whole && swept.after.is_none() {
        (swept.began, swept.compared) = (Some(world.clock.now()), 0);
    }
    let left = bundles.iter().filter(|bundle| match round {
        Round::Whole => swept.after.as_ref().is_none_or(|after| bundle.key() > *after),
        Round::Known => swept.parts.contains_key(&bundle.key()),
    });
    let left: Vec<_> = left.cloned().collect();
    for bundle in &left {
        let looked = looker.part(&mut ground, bundle).await;
        let compared: u64 = looked.rows.iter().map(|row| if let Row::Part(part) = row { part.resources } else { 0 }).sum();
        swept.take(&bundle.key(), &looked, world.clock.now());
        if round == Round::Whole {
            (swept.compared, swept.after) = (swept.compared + compared, Some(bundle.key()));
        }
        world.sweeps.keep(world, &repo.id, &name, &swept).await;
        if looked.away {
            break;
        }
    }
    if round == Round::Whole {
        let beyond = looker.beyond(&ground).await;
        swept.take("", &beyond, world.clock.now());
        (swept.after, swept.ended, swept.compared_last) = (None, Some(world.clock.now()), swept.compared);
        world.sweeps.keep(world, &repo.id, &name, &swept).await;
    }
    Ok(())
}

/// Looks at everything now and proposes what is found, because somebody asks for it.
pub async fn propose_now(world: &Arc<World>, desk: &Desk, repo: &Arc<Repository>, by: &User) -> Result<Option<MrId>, String> {
    let reads = super::look::AtOnce(world.safe.clone());
    look_round(world, desk, repo, &reads, Round::Whole).await?;
    propose::propose(world, desk, repo, &reads, Some(by)).await
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
}
