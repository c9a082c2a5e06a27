//! What a repository's merge requests were when they were last read, so that a sweep asks for changes alone.

use crate::{core::model::Time, ports::MrRef};
use std::collections::BTreeMap;

/// Ended requests that are remembered.
const REMEMBERED: usize = 1000;

/// The merge requests of one repository, by number.
#[derive(Debug, Default)]
pub struct Known {
    pub open: BTreeMap<u64, MrRef>,
    over: BTreeMap<u64, MrRef>,
    /// Of all that was read, the latest change; none: nothing was read yet.
    pub newest: Option<Time>,
}

impl Known {
    /// Takes in how a merge request is now.
    pub fn take(&mut self, found: MrRef) {
        self.newest = self.newest.max(Some(found.updated));
        let (is, was) = if found.open { (&mut self.open, &mut self.over) } else { (&mut self.over, &mut self.open) };
        was.remove(&found.mr.number);
        is.insert(found.mr.number, found);
        while self.over.len() > REMEMBERED {
            let Some(oldest) = self.over.values().min_by_key(|found| found.updated).map(|found| found.mr.number) else { break };
            self.over.remove(&oldest);
        }
    }

    /// All that is open, what ended since a cursor, and the next cursor.
    pub fn since(&self, since: u64) -> (Vec<MrRef>, u64) {
        let over = self.over.values().filter(|found| found.updated.0.unsigned_abs() >= since);
        let found = self.open.values().chain(over).cloned().collect();
        (found, since.max(self.newest.map_or(0, |newest| newest.0.unsigned_abs())))
    }
}
