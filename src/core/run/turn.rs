//! A turn: events to keep, then effects to release.

use crate::core::{
    model::{MrId, Time},
    review::{Answer, Phase},
    run::{Effect, Event},
};
use serde::{Deserialize, Serialize};

/// What one call of `handle` decided. Effects leave it only against a receipt.
#[derive(Debug)]
pub struct Turn {
    pub events: Vec<Event>,
    pub card: Card,
    /// Answers to commands that came by page or CLI, one each in their order; those to comments are effects.
    pub said: Vec<Answer>,
    effects: Vec<Effect>,
}

impl Turn {
    pub fn new(events: Vec<Event>, card: Card, effects: Vec<Effect>) -> Self {
        Self { events, card, said: Vec::new(), effects }
    }

    pub(super) fn saying(self, said: Vec<Answer>) -> Self {
        Self { said, ..self }
    }

    /// Hands out the effects, now that the events are on disk.
    pub fn release(self, _receipt: &Receipt) -> Vec<Effect> {
        self.effects
    }
}

/// A change at a glance, written beside every append, so that start reads cards only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    pub mr: MrId,
    pub phase: Phase,
    pub title: String,
    #[serde(default)]
    pub draft: bool,
    /// One sentence: what it waits for and who can unblock it.
    pub waits_for: String,
    pub head: Option<crate::core::model::CommitId>,
    /// The base that it was last seen on; cards of older versions do not say.
    #[serde(default)]
    pub base: Option<crate::core::model::CommitId>,
    pub next_wake: Option<Time>,
    /// Something asked of the world is not answered yet: a restart must take the change up again, whatever its phase.
    #[serde(default)]
    pub outstanding: bool,
    /// It has written what base does not hold yet, which other changes must know.
    #[serde(default)]
    pub ahead: bool,
    /// It has held claims for long and does nothing; its owner was called.
    #[serde(default)]
    pub overdue: bool,
    pub updated: Time,
}

/// Names one journal: a change's, the board's, or that of overrides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamId {
    Change(MrId),
    Board,
    Overrides,
}

/// Proof that a turn's events are durable: made only by the store's `append` (the tidy test keeps it so).
#[derive(Debug, PartialEq, Eq)]
pub struct Receipt {
    pub stream: StreamId,
    /// How many records the stream now holds.
    pub upto: u64,
}
