//! Orders: commands by page or CLI, kept in the store's inbox before they are answered, and taken out by the append that follows them.

use crate::{
    core::{
        model::{Digest, MrId, Time, User},
        review::{Answer, Command, Right},
    },
    ports::KvError,
    stores::{Delivery, Store},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The source of these deliveries in the inbox.
const SOURCE: &str = "command";

/// One command to one change, with the right its speaker had and the plan that stood when it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub mr: MrId,
    pub by: User,
    pub right: Right,
    pub command: Command,
    /// It may be carried out after a restart, when another plan stands: then it is refused where it is about a plan. Orders of older versions do not say.
    #[serde(default)]
    pub plan: Option<Digest>,
    /// Who waits for the answer, where there are several replicas.
    #[serde(default)]
    pub asker: Option<Asker>,
}

/// Somebody who waits for an answer at a replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// The replica's name.
    pub member: String,
    /// The number it knows the question by.
    pub ask: u64,
}

impl Order {
    /// Keeps the order; durable on return. Its number in the inbox.
    pub async fn keep(&self, store: &Store, at: Time) -> Result<u64, KvError> {
        // An order is made of names and words, which are always JSON; `null` would be dropped as unreadable, and loudly.
        let bytes = serde_json::to_vec(self).unwrap_or_else(|_| b"null".to_vec());
        store.keep(SOURCE, at, &bytes).await
    }
}

/// The order under a number; none when it is carried out already.
pub async fn read(store: &Store, n: u64) -> Result<Option<Order>, KvError> {
    Ok(store.delivery(n).await?.as_ref().and_then(order))
}

/// Every order that waits: its number, and the change it is for.
pub async fn waiting(store: &Store) -> Result<Vec<(u64, MrId)>, KvError> {
    let all = store.take(usize::MAX).await?;
    Ok(all.iter().filter_map(|delivery| Some((delivery.n, order(delivery)?.mr))).collect())
}

fn order(delivery: &Delivery) -> Option<Order> {
    if delivery.source != SOURCE {
        return None;
    }
    match serde_json::from_slice(&delivery.bytes) {
        Ok(order) => Some(order),
        Err(error) => {
            tracing::error!(n = delivery.n, "a command in the inbox cannot be understood and is left there: {error}");
            None
        }
    }
}

/// The last answers that nobody had asked for when they were given: a worker that starts finds a command before whoever said it comes to ask.
#[derive(Default)]
pub struct Unasked(BTreeMap<u64, Answer>);

impl Unasked {
    /// Far more than are said while a worker starts.
    const MOST: usize = 64;

    pub fn keep(&mut self, n: u64, answer: Answer) {
        self.0.insert(n, answer);
        while self.0.len() > Self::MOST {
            self.0.pop_first();
        }
    }

    /// What was answered to the command of this number, once: numbers that are free are used again.
    pub fn take(&mut self, n: u64) -> Option<Answer> {
        self.0.remove(&n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_waits_for_whoever_comes_late_and_is_given_once() {
        let mut unasked = Unasked::default();
        let said = |n: u64| Answer::Overridden { text: n.to_string() };
        (0..200).for_each(|n| unasked.keep(n, said(n)));
        assert_eq!(unasked.take(199), Some(said(199)));
        assert_eq!(unasked.take(199), None);
        assert_eq!(unasked.take(0), None, "nobody asks for it any more");
        assert!(unasked.0.len() <= Unasked::MOST);
    }
}
