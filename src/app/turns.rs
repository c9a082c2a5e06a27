//! Turns to merge: changes of one branch merge one after another, and whoever finds that base moved while it waited keeps its turn for the next try.
//!
//! Without turns all that are ready plan over each new base and race for it, and all but one lose: the work of a queue would grow with its square.

use crate::core::model::{MrId, RepoId};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::OwnedMutexGuard;

/// How long a change waits for its turn before it steps back: while a merge is under way, nothing else can be said to the change.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a turn is kept for a change that plans over the base that moved: longer than most plans take, short for those who wait.
const KEPT: Duration = Duration::from_secs(5);

/// The turns of every branch.
#[derive(Debug)]
pub struct Turns {
    branches: Mutex<BTreeMap<RepoId, Arc<Branch>>>,
    patience: Duration,
    kept: Duration,
}

impl Default for Turns {
    fn default() -> Self {
        Self { branches: Mutex::default(), patience: PATIENCE, kept: KEPT }
    }
}

/// The turn of one branch, and for whom it is kept.
#[derive(Debug, Default)]
struct Branch {
    turn: Arc<tokio::sync::Mutex<()>>,
    kept: Mutex<Option<(MrId, OwnedMutexGuard<()>)>>,
}

impl Branch {
    fn kept(&self) -> std::sync::MutexGuard<'_, Option<(MrId, OwnedMutexGuard<()>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of a change; it passes on when it is dropped.
pub(super) struct Turn {
    branch: Arc<Branch>,
    mr: MrId,
    guard: OwnedMutexGuard<()>,
    kept: Duration,
}

impl Turns {
    /// Waits for the turn of a change, first come first served; `None`: it has not come, others of its branch merge.
    pub(super) async fn take(&self, mr: &MrId) -> Option<Turn> {
        let branch = self.branches.lock().unwrap_or_else(PoisonError::into_inner).entry(mr.repo.clone()).or_default().clone();
        let ours = branch.kept().take_if(|(of, _)| of == mr);
        let guard = match ours {
            Some((_, guard)) => guard,
            None => tokio::time::timeout(self.patience, branch.turn.clone().lock_owned()).await.ok()?,
        };
        Some(Turn { branch, mr: mr.clone(), guard, kept: self.kept })
    }
}

impl Turn {
    /// Keeps the turn for the next try of the same change, for a while.
    pub(super) fn keep(self) {
        let Self { branch, mr, guard, kept } = self;
        *branch.kept() = Some((mr.clone(), guard));
        tokio::spawn(async move {
            tokio::time::sleep(kept).await;
            // Dropping what was kept passes the turn on. A later one of the same change ends sooner by it, which costs that one a wait.
            branch.kept().take_if(|(of, _)| *of == mr);
        });
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
        assert!(turns.take(&mr(2)).await.is_none(), "it is kept for another");
        drop(turns.take(&mr(1)).await.expect("it is kept for this one"));
        assert!(turns.take(&mr(2)).await.is_some(), "it was passed on");
    }

    #[tokio::test]
    async fn a_turn_is_not_kept_for_ever() {
        let turns = turns(LONG, SHORT);
        turns.take(&mr(1)).await.expect("nobody else merges").keep();
        assert!(turns.take(&mr(2)).await.is_some(), "whoever kept it did not come back");
    }

    #[tokio::test]
    async fn branches_of_other_repositories_do_not_wait() {
        let turns = turns(SHORT, LONG);
        let _held = turns.take(&mr(1)).await.expect("nobody else merges");
        let other = MrId { repo: RepoId::new("other"), number: 1 };
        assert!(turns.take(&other).await.is_some() && turns.take(&mr(2)).await.is_none());
    }
}
