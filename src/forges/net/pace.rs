//! In which order and how fast a token is used: one write at a time, merges first, and nothing while the forge asked us to wait.

use crate::core::model::Time;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::oneshot;

/// What a write is for; the lighter waits for the heavier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    Merge,
    /// Statuses and labels: what gates and people look at first.
    Status,
    /// Answers to people, and comments that are new.
    Comment,
    /// What tells progress and nothing else.
    Progress,
    /// Runs among the forge's deployments: statuses say the same.
    Deployment,
    /// Marks on comments: the answer that follows says more.
    Mark,
}

/// The writes of one token, one at a time, and until when it asks nothing.
#[derive(Debug, Default)]
pub struct Pace(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    busy: bool,
    arrivals: u64,
    waiting: BTreeMap<(Weight, u64), oneshot::Sender<Turn>>,
    /// Nothing is asked before.
    until: Option<Time>,
}

/// The right to write now; given on when it is dropped.
#[derive(Debug)]
pub struct Turn(Arc<Mutex<State>>);

impl Pace {
    /// Waits for the turn of a write.
    pub async fn turn(&self, weight: Weight) -> Turn {
        loop {
            let called = {
                let mut state = lock(&self.0);
                if !state.busy {
                    state.busy = true;
                    return Turn(self.0.clone());
                }
                let (call, called) = oneshot::channel();
                state.arrivals += 1;
                let place = (weight, state.arrivals);
                state.waiting.insert(place, call);
                called
            };
            if let Ok(turn) = called.await {
                return turn;
            }
        }
    }

    /// The forge asked us to wait until then.
    pub fn wait_until(&self, until: Time) {
        let mut state = lock(&self.0);
        state.until = state.until.max(Some(until));
    }

    /// Until when nothing may be asked, if that is still to come.
    pub fn waits(&self, now: Time) -> Option<Time> {
        let mut state = lock(&self.0);
        state.until = state.until.filter(|until| *until > now);
        state.until
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut state = lock(&self.0);
            let next = state.waiting.pop_first();
            state.busy = next.is_some();
            next
        };
        if let Some((_, call)) = next {
            // Whoever gave up waiting drops it again, and so hands it on.
            let _ = call.send(Turn(self.0.clone()));
        }
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    // Every statement leaves the state whole, so a panic elsewhere does too.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn merges_overtake_and_who_gives_up_takes_no_turn() {
        let pace = Arc::new(Pace::default());
        let order = Arc::new(Mutex::new(Vec::new()));
        let first = pace.turn(Weight::Progress).await;
        let mut tasks = Vec::new();
        for (n, weight) in [Weight::Progress, Weight::Comment, Weight::Status, Weight::Merge, Weight::Status].into_iter().enumerate() {
            let (writes, order) = (pace.clone(), order.clone());
            tasks.push(tokio::spawn(async move {
                let _turn = writes.turn(weight).await;
                order.lock().unwrap().push((weight, n));
            }));
            while lock(&pace.0).waiting.len() <= n {
                tokio::task::yield_now().await;
            }
        }
        tasks.remove(2).abort();
        tokio::task::yield_now().await;
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [(Weight::Merge, 3), (Weight::Status, 4), (Weight::Comment, 1), (Weight::Progress, 0)]);
        assert!(!lock(&pace.0).busy);
    }

    #[test]
    fn the_latest_wait_holds_until_it_is_over() {
        let pace = Pace::default();
        pace.wait_until(Time(50));
        pace.wait_until(Time(20));
        assert_eq!((pace.waits(Time(10)), pace.waits(Time(50)), pace.waits(Time(10))), (Some(Time(50)), None, None));
    }
}
