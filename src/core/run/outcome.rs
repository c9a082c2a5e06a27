//! What an act did, item by item; partial success is the normal shape.

use crate::core::model::{Refusal, Value};
use serde::{Deserialize, Serialize};

/// The answer of `Driver::act`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// One an item of the act, in its order.
    pub items: Vec<Item>,
    /// What the driver has to say, redacted.
    pub report: Option<String>,
}

/// What became of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// Written now.
    Done,
    /// Live content was already `to`; nothing was sent.
    Already,
    /// Live content is neither `from` nor `to`; nothing was written. What was found.
    Moved(Option<Value>),
    /// The target will never take it.
    Refused(Refusal),
    /// It did not happen; `transient` when the same may work later.
    Failed { transient: bool, why: String },
    /// The act stopped before it.
    NotTried,
    /// It may or may not have happened: only observing tells.
    Unknown,
}

impl Outcome {
    /// The same answer for every item.
    pub fn all(items: usize, item: Item) -> Self {
        Self { items: vec![item; items], report: None }
    }
}
