//! Turns to merge: changes of one branch merge one after another, and whoever finds that base moved while it waited keeps its turn for the next try.
//!
//! Without turns all that are ready plan over each new base and race for it, and all but one lose: the work of a queue would grow with its square.
//! Whoever is far from its turn does not stand in the line: it keeps its place, and comes back about when its turn does.

use crate::core::model::{MrId, RepoId, Span};
use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// How long a change stands in the line: while a merge is under way, nothing else can be said to the change.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a turn is kept for a change that plans over the base that moved: longer than a look takes, short for those who wait.
const KEPT: Duration = Duration::from_secs(10);

/// How long it is kept while the plan is made: one that takes longer is out of turn.
const PLANS: Duration = Duration::from_secs(60);

/// The longest that a change stays away from the line, however many are before it.
const AWAY: Duration = Duration::from_secs(20);

/// The place of a change that does not come back is given up after this: it was closed, or has something else to do.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// What a merge is thought to take before one was seen.
const PACE: Duration = Duration::from_millis(300);

/// The turns of every branch.
#[derive(Debug)]
pub struct Turns {
    branches: Mutex<BTreeMap<RepoId, Arc<Branch>>>,
    /// Whoever holds one of these merges alone in this process, by what it does alone.
    alone: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    patience: Duration,
    kept: Duration,
}

impl Default for Turns {
    fn default() -> Self {
        Self { branches: Mutex::default(), alone: Mutex::default(), patience: PATIENCE, kept: KEPT }
    }
}

/// The line of one branch.
#[derive(Debug, Default)]
struct Branch {
    line: Mutex<Line>,
    /// The turn has passed on.
    passed: Notify,
}

impl Branch {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who merges, and who comes after.
#[derive(Debug)]
struct Line {
    has: Option<Has>,
    /// In the order in which they first came.
    places: Vec<Place>,
    /// What a turn takes, of the last few.
    pace: Duration,
}

impl Default for Line {
    fn default() -> Self {
        Self { has: None, places: Vec::new(), pace: PACE }
    }
}

/// Whose turn it is.
#[derive(Debug)]
struct Has {
    mr: MrId,
    since: Instant,
    /// It is kept until then, and nobody merges at the moment.
    kept: Option<Instant>,
}

#[derive(Debug)]
struct Place {
    mr: MrId,
    /// Whether it stands there now; one that does not holds up nobody.
    here: bool,
    seen: Instant,
}

impl Line {
    /// Takes a place at the end, or the one it has.
    fn enter(&mut self, mr: &MrId, now: Instant) {
        self.places.retain(|place| place.here || now.duration_since(place.seen) < FORGOTTEN);
        match self.places.iter_mut().find(|place| place.mr == *mr) {
            Some(place) => (place.here, place.seen) = (true, now),
            None => self.places.push(Place { mr: mr.clone(), here: true, seen: now }),
        }
    }

    /// Steps out of the line; its place stays.
    fn leave(&mut self, mr: &MrId, now: Instant) {
        if let Some(place) = self.places.iter_mut().find(|place| place.mr == *mr) {
            (place.here, place.seen) = (false, now);
        }
    }

    /// Whether it is this one's turn, which it has from now on.
    fn comes(&mut self, mr: &MrId, now: Instant) -> bool {
        let since = match &self.has {
            Some(has) if has.kept.is_some() && has.mr == *mr => has.since,
            Some(has) if has.kept.is_none_or(|until| until > now) => return false,
            Some(_) | None => now,
        };
        // What is kept is for the same change, wherever it stands by now.
        if !self.kept_for(mr) && self.places.iter().find(|place| place.here).is_some_and(|first| first.mr != *mr) {
            return false;
        }
        self.places.retain(|place| place.mr != *mr);
        self.has = Some(Has { mr: mr.clone(), since, kept: None });
        true
    }

    fn kept_for(&self, mr: &MrId) -> bool {
        self.has.as_ref().is_some_and(|has| has.kept.is_some() && has.mr == *mr)
    }

    /// How long it is until this one's turn, as the last few went.
    fn ahead(&self, mr: &MrId) -> Duration {
        let before = self.places.iter().take_while(|place| place.mr != *mr).count() + usize::from(self.has.is_some());
        self.pace.saturating_mul(u32::try_from(before).unwrap_or(u32::MAX))
    }
}

/// The turn of a change; it passes on when it is dropped.
pub(super) struct Turn {
    branch: Arc<Branch>,
    kept: Duration,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut line = self.branch.line();
        if let Some(has) = line.has.take_if(|has| has.kept.is_none()) {
            line.pace = (line.pace * 3 + has.since.elapsed()) / 4;
        }
        drop(line);
        self.branch.passed.notify_waiters();
    }
}

impl Turn {
    /// Keeps the turn for the next try of the same change, for a while.
    pub(super) fn keep(self) {
        let (mut line, now) = (self.branch.line(), Instant::now());
        let Some(has) = &mut line.has else { return };
        has.kept = Some(now + self.kept);
        // Should that not be enough, it is the next all the same.
        let place = Place { mr: has.mr.clone(), here: false, seen: now };
        line.places.insert(0, place);
    }
}

/// Somebody who stands in the line, until dropped.
struct Standing<'a> {
    branch: &'a Branch,
    mr: &'a MrId,
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.branch.line().leave(self.mr, Instant::now());
    }
}

impl Turns {
    /// What is held by whoever does something alone in this process.
    pub(super) fn alone(&self, what: &str) -> Arc<tokio::sync::Mutex<()>> {
        self.alone.lock().unwrap_or_else(PoisonError::into_inner).entry(what.to_owned()).or_default().clone()
    }

    /// Whether it is this one's turn, or is kept for it: others wait for whatever it does.
    pub(super) fn has(&self, mr: &MrId) -> bool {
        self.branch(&mr.repo).is_some_and(|branch| branch.line().has.as_ref().is_some_and(|has| has.mr == *mr && has.kept.is_none_or(|until| until > Instant::now())))
    }

    /// A plan is made for this one, or is no more: a turn that is kept for it is kept as long, and then for its next try.
    pub(super) fn plans(&self, mr: &MrId, plans: bool) {
        let Some(branch) = self.branch(&mr.repo) else { return };
        let mut line = branch.line();
        if let Some(has) = line.has.as_mut().filter(|has| has.mr == *mr && has.kept.is_some()) {
            has.kept = Some(Instant::now() + if plans { PLANS } else { self.kept });
        }
    }

    /// Those of a repository that have a place in the line: each looks when it comes to merge.
    pub(super) fn line(&self, repo: &RepoId) -> BTreeSet<MrId> {
        let Some(branch) = self.branch(repo) else { return BTreeSet::new() };
        let line = branch.line();
        let comes = |place: &&Place| place.here || place.seen.elapsed() < AWAY + self.kept;
        line.places.iter().filter(comes).map(|place| place.mr.clone()).collect()
    }

    fn branch(&self, repo: &RepoId) -> Option<Arc<Branch>> {
        self.branches.lock().unwrap_or_else(PoisonError::into_inner).get(repo).cloned()
    }

    /// Waits for the turn of a change, first come first served; else when it should come back: others of its branch merge.
    pub(super) async fn take(&self, mr: &MrId) -> Result<Turn, Span> {
        let branch = self.branches.lock().unwrap_or_else(PoisonError::into_inner).entry(mr.repo.clone()).or_default().clone();
        let end = Instant::now() + self.patience;
        branch.line().enter(mr, Instant::now());
        let standing = Standing { branch: &branch, mr };
        loop {
            // Listened for before the line is read, so that no turn passes unheard in between.
            let mut passed = pin!(branch.passed.notified());
            passed.as_mut().enable();
            let now = Instant::now();
            let until = {
                let mut line = branch.line();
                if line.comes(mr, now) {
                    break;
                }
                let ahead = line.ahead(mr);
                // The next one stands there however slow merges are: else nobody would, and chance would decide.
                let next = line.places.iter().find(|place| place.here).is_some_and(|first| first.mr == *mr);
                if !next && now + ahead.saturating_sub(self.patience) > end || now >= end {
                    return Err(Span(u64::try_from(ahead.min(AWAY).as_millis()).unwrap_or(u64::MAX)));
                }
                line.has.as_ref().and_then(|has| has.kept).map_or(end, |kept| kept.min(end))
            };
            // Either way the line is read again.
            let _ = tokio::time::timeout_at(until, passed).await;
        }
        drop(standing);
        Ok(Turn { branch, kept: self.kept })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mr(number: u64) -> MrId {
        MrId { repo: RepoId::new("infra"), number }
    }

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(600);

    fn turns(patience: Duration, kept: Duration) -> Turns {
        Turns { patience, kept, ..Turns::default() }
    }

    #[tokio::test]
    async fn a_turn_that_is_kept_is_had_by_the_same_change_alone() {
        let turns = turns(SHORT, LONG);
        turns.take(&mr(1)).await.expect("nobody else merges").keep();
        assert!(turns.take(&mr(2)).await.is_err(), "it is kept for another");
        drop(turns.take(&mr(1)).await.expect("it is kept for this one"));
        assert!(turns.take(&mr(2)).await.is_ok(), "it was passed on");
    }

    #[tokio::test]
    async fn a_turn_is_not_kept_for_ever() {
        let turns = turns(LONG, SHORT);
        turns.take(&mr(1)).await.expect("nobody else merges").keep();
        assert!(turns.take(&mr(2)).await.is_ok(), "whoever kept it did not come back");
    }

    #[tokio::test]
    async fn a_turn_is_kept_for_as_long_as_its_plan_is_made() {
        let turns = turns(SHORT, SHORT);
        turns.take(&mr(1)).await.expect("nobody else merges").keep();
        turns.plans(&mr(1), true);
        // Longer than it would be kept otherwise: whoever waits stands there for as long.
        for _ in 0..3 {
            assert!(turns.take(&mr(2)).await.is_err() && turns.has(&mr(1)), "it is planned over the newest base meanwhile");
        }
        turns.plans(&mr(1), false);
        assert!(turns.take(&mr(2)).await.is_ok(), "planned, it did not come back");
    }

    #[tokio::test]
    async fn branches_of_other_repositories_do_not_wait() {
        let turns = turns(SHORT, LONG);
        let _held = turns.take(&mr(1)).await.expect("nobody else merges");
        let other = MrId { repo: RepoId::new("other"), number: 1 };
        assert!(turns.take(&other).await.is_ok() && turns.take(&mr(2)).await.is_err());
    }

    #[tokio::test]
    async fn whoever_steps_back_keeps_its_place() {
        let mut turns = turns(SHORT, LONG);
        let held = turns.take(&mr(1)).await.expect("nobody else merges");
        assert!(turns.take(&mr(2)).await.is_err() && turns.take(&mr(3)).await.is_err());
        turns.patience = LONG;
        let turns = Arc::new(turns);
        // The third comes back before the second, and both stand there when the turn passes.
        let third = tokio::spawn({
            let turns = turns.clone();
            async move { turns.take(&mr(3)).await.map(|_turn| Instant::now()) }
        });
        tokio::task::yield_now().await;
        let second = tokio::spawn({
            let turns = turns.clone();
            async move { turns.take(&mr(2)).await.map(|_turn| Instant::now()) }
        });
        tokio::task::yield_now().await;
        drop(held);
        let (second, third) = (second.await.unwrap().unwrap(), third.await.unwrap().unwrap());
        assert!(second < third);
    }

    #[tokio::test]
    async fn whoever_is_not_there_holds_up_nobody() {
        let turns = turns(SHORT, LONG);
        let held = turns.take(&mr(1)).await.expect("nobody else merges");
        assert!(turns.take(&mr(2)).await.is_err());
        drop(held);
        assert!(turns.take(&mr(3)).await.is_ok(), "the second is away");
    }

    #[tokio::test]
    async fn whoever_is_far_from_its_turn_is_sent_away_at_once_and_for_longer() {
        let turns = turns(SHORT, LONG);
        let _held = turns.take(&mr(1)).await.expect("nobody else merges");
        let mut away = Vec::new();
        for number in 2..200 {
            away.extend(turns.take(&mr(number)).await.err());
        }
        assert_eq!((away.len(), away[0], away[197]), (198, Span(300), Span(20_000)));
        assert!(away.is_sorted());
    }
}
