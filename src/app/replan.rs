//! Plans that a change asks for: the slot in which one is compiled, who goes first, and what the planner is told of others.

use super::{
    memory,
    perform::Hands,
    planning,
    reign::{Asks, TakesOver},
};
use crate::core::{
    model::{CommitId, Fingerprint, ResourceId, TreeId},
    run::{Input, PlanAnswer, PlanKey, PlanResult},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How many plans are compiled at once, and one more for whoever holds up others.
#[derive(Debug)]
pub struct Slots {
    all: Semaphore,
    first: Semaphore,
}

impl Slots {
    pub fn new(most: usize) -> Self {
        Self { all: Semaphore::new(most), first: Semaphore::new(1) }
    }

    /// Waits for a slot; `first`: not behind those that hold up nobody. None is ever closed.
    pub async fn take(&self, first: bool) -> Option<SemaphorePermit<'_>> {
        if !first {
            return self.all.acquire().await.ok();
        }
        tokio::select! {
            slot = self.all.acquire() => slot.ok(),
            slot = self.first.acquire() => slot.ok(),
        }
    }
}

/// The questions of one change for a plan: only the last one wants its answer.
#[derive(Clone, Debug, Default)]
pub struct Questions(Arc<AtomicU64>);

impl Questions {
    /// A further question, which takes the place of all before it.
    pub fn next(&self) -> Question {
        Question { n: self.0.fetch_add(1, Ordering::SeqCst) + 1, last: self.0.clone() }
    }
}

#[derive(Clone, Debug)]
pub struct Question {
    n: u64,
    last: Arc<AtomicU64>,
}

impl Question {
    /// Whether another was asked since, and nobody hears this one's answer.
    fn is_past(&self) -> bool {
        self.last.load(Ordering::SeqCst) != self.n
    }
}

/// What `Effect::Replan` asks for.
pub struct Asked {
    pub base: CommitId,
    pub head: CommitId,
    pub ours: BTreeMap<ResourceId, Option<Fingerprint>>,
    pub restore: bool,
}

/// Makes the plan; none when nobody wants it by the time that there is a slot for it.
pub async fn replan(hands: &Hands, question: &Question, asked: Asked) -> Option<Input> {
    let asks = if asked.restore { Asks::WayBack } else { Asks::Plan };
    // The network may be asked, for which nobody else's plan waits.
    let takes_over = hands.world.reigns.judge(&hands.world, &hands.mr, hands.into.as_ref(), asks).await;
    let turns = &hands.world.turns;
    let _slot = hands.world.plans.take(turns.has(&hands.mr)).await;
    if question.is_past() {
        return None;
    }
    turns.plans(&hands.mr, true);
    let answer = answer(hands, asked, takes_over).await;
    turns.plans(&hands.mr, false);
    Some(Input::Planned(Box::new(answer)))
}

async fn answer(hands: &Hands, asked: Asked, takes_over: Result<Option<TakesOver>, PlanResult>) -> PlanAnswer {
    let Asked { base, head, ours, restore } = asked;
    // Read with the slot in hand: what was read before it would be as old as the wait.
    let ahead = hands.desk.applied_by_others(&hands.mr).await;
    let restores = restore.then(|| planning::Restore { plan: hands.plan.clone(), reverts: hands.reverts });
    let earlier = memory::recall(&hands.world, &hands.mr, hands.earlier.clone()).await;
    let unmade = |result| PlanAnswer { key: PlanKey { base: base.clone(), head: head.clone(), tree: TreeId::new("") }, restore, result, way_back: None };
    match (ahead.and_then(|ahead| Ok((ahead, earlier?))), takes_over) {
        (Ok((ahead, earlier)), Ok(takes_over)) => {
            let request = planning::Request {
                mr: hands.mr.clone(),
                base,
                head,
                ours,
                written: hands.written.clone(),
                earlier,
                now: hands.world.clock.now(),
                ahead,
                overrides: hands.world.overrides.now().await,
                owners: Some(hands.world.owners.clone()),
                takes_over,
                restore: restores,
            };
            planning::answer(&hands.world, request).await
        }
        (Err(why), _) => unmade(PlanResult::Failed { why }),
        (Ok(_), Err(result)) => unmade(result),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn whoever_holds_up_others_does_not_stand_behind_those_who_do_not() {
        let slots = Slots::new(1);
        let _taken = slots.take(false).await;
        let soon = |first| tokio::time::timeout(Duration::from_millis(20), slots.take(first));
        assert!(soon(false).await.is_err());
        let first = soon(true).await.expect("one is kept for them");
        assert!(soon(true).await.is_err(), "and no more than one");
        drop(first);
        assert!(soon(true).await.is_ok());
    }

    #[test]
    fn only_the_last_question_wants_its_answer() {
        let questions = Questions::default();
        let first = questions.next();
        assert!(!first.is_past());
        let second = questions.next();
        assert!(first.is_past() && !second.is_past());
    }
}
