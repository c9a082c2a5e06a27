//! Orders: commands by page or CLI, kept in the store's inbox before they are answered, and taken out by the append that follows them.

use crate::{
    core::{
        model::{Digest, MrId, Time, User},
        review::{Command, Right},
    },
    ports::KvError,
    stores::{Delivery, Store},
};
use serde::{Deserialize, Serialize};

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
