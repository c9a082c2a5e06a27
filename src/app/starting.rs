//! The start of a run: what it stands on is read right before it, and in the change's own turn where base moved each time that it was about to start.

use super::turns::{Turn, Turns};
use crate::core::model::MrId;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// How often in a row base may move under a change that is about to start, before it takes its turn among those that merge. Each turn costs the others a plan, so
/// that it is for those alone whom chance does not let through: a burst of merges is mostly over sooner.
const LATE: u32 = 4;

/// How often in a row the merge request or its base had moved when a change was about to start.
#[derive(Clone, Debug, Default)]
pub struct Starts(Arc<AtomicU32>);

/// Why nothing starts on what was planned.
pub(super) struct Outdated {
    /// Base moved, which another try in its own turn mends; anything else would keep others waiting for nothing.
    pub moved: bool,
    pub why: String,
}

/// Reads for a start what `read` reads, if nothing is `outdated`; else why nothing starts. From the fifth time on this process merges nothing into its branch while
/// it plans anew and looks: then it starts, unless somebody else moves the branch.
pub(super) async fn start<T>(turns: &Turns, mr: &MrId, starts: &Starts, outdated: impl Future<Output = Option<Outdated>>, read: impl Future<Output = T>) -> Result<T, String> {
    let turn = if starts.0.load(Ordering::SeqCst) < LATE {
        None
    } else {
        let why = "base moved each time that it was about to start; it has its place among those that merge, and starts when its turn comes";
        Some(turns.take(mr).await.map_err(|_away| why.to_owned())?)
    };
    if let Some(Outdated { moved, why }) = outdated.await {
        if moved {
            starts.0.fetch_add(1, Ordering::SeqCst);
            // For the plan that follows, and the next try.
            turn.into_iter().for_each(Turn::keep);
        }
        return Err(why);
    }
    let read = read.await;
    starts.0.store(0, Ordering::SeqCst);
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::RepoId;
    use std::sync::atomic::{AtomicBool, AtomicU64};

    #[tokio::test]
    async fn what_cannot_be_read_keeps_the_turn_from_nobody() {
        let mr = |number| MrId { repo: RepoId::new("infra"), number };
        let (turns, starts) = (Arc::new(Turns::default()), Starts::default());
        let outdated = |moved| async move { Some(Outdated { moved, why: "it is not what was planned".to_owned() }) };
        for moved in [true, true, true, true, false, false] {
            assert!(start(&turns, &mr(1), &starts, outdated(moved), async {}).await.is_err());
        }
        assert!(turns.take(&mr(2)).await.is_ok(), "it is the next one's turn at once");
    }

    #[tokio::test]
    async fn whoever_wants_to_start_does_after_a_few_plans_however_busy_its_branch_is_and_never_with_a_stale_one() {
        let mr = |number| MrId { repo: RepoId::new("infra"), number };
        let (turns, base, over) = (Arc::new(Turns::default()), Arc::new(AtomicU64::new(1)), Arc::new(AtomicBool::new(false)));
        // Others merge whenever they are let.
        let others: Vec<_> = (2..12)
            .map(|number| {
                let (turns, base, over, mr) = (turns.clone(), base.clone(), over.clone(), mr(number));
                tokio::spawn(async move {
                    while !over.load(Ordering::SeqCst) {
                        if let Ok(_turn) = turns.take(&mr).await {
                            base.fetch_add(1, Ordering::SeqCst);
                        }
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let (starts, mut plans) = (Starts::default(), 0);
        let (now, ours) = (|| base.load(Ordering::SeqCst), || turns.has(&mr(1)));
        let mut planned = 0;
        loop {
            if planned != now() {
                planned = now();
                plans += 1;
                turns.plans(&mr(1), true);
                // It takes as long as the next merge, unless that waits for it.
                while now() == planned && !ours() {
                    tokio::task::yield_now().await;
                }
                turns.plans(&mr(1), false);
            }
            let outdated = async { (now() != planned).then(|| Outdated { moved: true, why: "base moved".to_owned() }) };
            if let Ok(at) = start(&turns, &mr(1), &starts, outdated, async { now() }).await {
                assert_eq!(at, planned, "a stale plan never starts");
                break;
            }
            assert!(plans <= LATE + 2, "it starves");
        }
        assert_eq!(starts.0.load(Ordering::SeqCst), 0, "the next start is anybody's");
        over.store(true, Ordering::SeqCst);
        for other in others {
            other.await.expect("it merges on");
        }
        assert!(now() > u64::from(LATE), "they went on");
    }
}
