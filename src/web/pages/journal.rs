//! The journal as rows of a page.

use crate::core::{model::Time, review::words, run::Event};

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// The record's number in the journal.
    pub seq: u64,
    /// When it happened, or the last time known before.
    pub at: Option<Time>,
    /// A sentence of `review::words`.
    pub text: String,
}

impl JournalRow {
    /// The events worth reading, oldest first.
    pub fn of(events: &[Event]) -> Vec<Self> {
        let mut last = None;
        let rows = (1..).zip(events).filter_map(|(seq, event)| {
            let (at, text) = words::journal(event)?;
            last = at.or(last);
            Some(Self { seq, at: last, text })
        });
        rows.collect()
    }
}
