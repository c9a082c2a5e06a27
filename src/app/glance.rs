//! What the rest of the house sees of a change after every turn.

use crate::core::run::Card;
use tokio::sync::watch;

/// What the rest of the house sees of a change after every turn: small, so that a turn costs what changed.
#[derive(Clone, Debug, Default)]
pub struct Glance {
    /// `None` until the first turn.
    pub card: Option<Card>,
    /// Grows with every turn.
    pub turns: u64,
    /// Whether this replica works on it.
    pub here: bool,
}

/// Whether the change is over, owes nothing and holds nothing.
pub(super) fn is_over(show: &watch::Sender<Glance>) -> bool {
    show.borrow().card.as_ref().is_some_and(|card| card.phase.is_over() && !card.outstanding && !card.ahead && card.next_wake.is_none())
}
