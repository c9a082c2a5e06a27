//! Rounds: when something merged, every other open change of its repository looks again, once for all that merged meanwhile, and the rarer the more are open.
//!
//! Whoever acts looks right before it does, so a round is for what people see; without it the work of a queue would grow with its square.
//! A round that is owed when the process ends is made up for by the first sweep after it: cards say which base each change was last seen on.

use super::{desk::Desk, faults, intake, world::World};
use crate::core::model::{MrId, RepoId};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long the causes of a round are gathered, for each change that was open the last time: a few times what its look and its plan take.
const EACH: Duration = Duration::from_millis(50);

/// The longest that anybody waits for a round.
const MOST: Duration = Duration::from_secs(15);

/// The rounds of every repository.
#[derive(Debug, Default)]
pub struct Rounds(Mutex<BTreeMap<RepoId, Round>>);

#[derive(Debug, Default)]
struct Round {
    /// How many were open the last time.
    open: u32,
    /// Who the next one is because of; empty: none is due.
    by: Vec<MrId>,
}

impl Rounds {
    /// Asks for a round; how long to gather before it is begun, and none when one is due anyway.
    fn ask(&self, by: &MrId) -> Option<Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let round = all.entry(by.repo.clone()).or_default();
        let first = round.by.is_empty();
        if !round.by.contains(by) {
            round.by.push(by.clone());
        }
        first.then(|| EACH.saturating_mul(round.open).min(MOST))
    }

    /// Begins the round: who it is because of. Whoever asks from here on asks for another.
    fn begin(&self, repo: &RepoId) -> Vec<MrId> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get_mut(repo).map(|round| std::mem::take(&mut round.by)).unwrap_or_default()
    }

    fn counted(&self, repo: &RepoId, open: usize) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(repo.clone()).or_default().open = u32::try_from(open).unwrap_or(u32::MAX);
    }
}

/// A change has merged, or let go of what it wrote: every other open one of its repository looks again, and whoever waits for others in the rest.
pub async fn look_all(world: Arc<World>, desk: Desk, by: MrId) {
    let Some(gather) = world.rounds.ask(&by) else { return };
    tokio::time::sleep(gather).await;
    faults::point("before round");
    let all = world.rounds.begin(&by.repo);
    // Of several, each is another to the rest.
    let but = if let [one] = all.as_slice() { Some(one) } else { None };
    match intake::look_all(&world, &desk, &by.repo, but).await {
        Ok(open) => world.rounds.counted(&by.repo, open),
        Err(error) => tracing::warn!(repo = %by.repo, "the forge did not say which changes are open; the sweep will: {error}"),
    }
    intake::look_queued(&world, &desk, world.repositories.keys().filter(|repo| **repo != by.repo), but).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_for_all_that_asked_before_it_began() {
        let (rounds, repo) = (Rounds::default(), RepoId::new("infra"));
        let mr = |number| MrId { repo: repo.clone(), number };
        assert_eq!((rounds.ask(&mr(1)), rounds.ask(&mr(2)), rounds.ask(&mr(1))), (Some(Duration::ZERO), None, None));
        assert_eq!(rounds.begin(&repo), [mr(1), mr(2)]);
        assert_eq!(rounds.ask(&mr(3)), Some(Duration::ZERO), "it came after the round began");
    }

    #[test]
    fn the_more_are_open_the_longer_causes_are_gathered() {
        let (rounds, repo) = (Rounds::default(), RepoId::new("infra"));
        let mr = MrId { repo: repo.clone(), number: 1 };
        let mut gathers = Vec::new();
        for open in [2, 100, 10_000] {
            rounds.counted(&repo, open);
            gathers.extend(rounds.ask(&mr));
            rounds.begin(&repo);
        }
        assert_eq!(gathers, [Duration::from_millis(100), Duration::from_secs(5), MOST]);
    }
}
