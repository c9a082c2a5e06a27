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
    /// Live content was already `to`; nothing was sent, so it is not this change's to take back.
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
    /// The answer of an act that was issued a second time, because nobody heard what became of the first: what is already so may be the first one's doing,
    /// and what this one did not get to, or could not do any more, may have been done by the first.
    #[must_use]
    pub fn of_a_second_try(mut self) -> Self {
        for item in &mut self.items {
            match item {
                Item::Already => *item = Item::Done,
                Item::NotTried | Item::Failed { .. } => *item = Item::Unknown,
                Item::Done | Item::Moved(_) | Item::Refused(_) | Item::Unknown => {}
            }
        }
        self
    }

    /// The same answer for every item.
    pub fn all(items: usize, item: Item) -> Self {
        Self { items: vec![item; items], report: None }
    }
}

#[cfg(test)]
mod tests {
    use super::{Item, Outcome};

    #[test]
    fn a_second_try_does_not_disown_what_the_first_may_have_done() {
        let failed = |transient| Item::Failed { transient, why: "away, or what it needs is gone by now".into() };
        let said = Outcome { items: vec![Item::Already, Item::NotTried, failed(true), failed(false), Item::Done], report: None };
        assert_eq!(said.of_a_second_try().items, [Item::Done, Item::Unknown, Item::Unknown, Item::Unknown, Item::Done]);
    }
}
