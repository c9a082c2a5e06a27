//! The merge gate: the only maker of tickets.

use super::{Conditions, Except, MergeTicket, Pin, Reason, Verdict, Window};
use crate::core::model::{Digest, MrId};
use std::collections::BTreeSet;

/// What the merge gate asks beyond the conditions of both gates.
#[derive(Clone, Copy, Debug)]
pub struct MergeGate<'a> {
    pub mr: &'a MrId,
    pub conditions: Conditions<'a>,
    pub digest: Digest,
    /// Everything touched, re-read after its last write.
    pub window: &'a Window,
    /// Items that were skipped.
    pub skipped: u32,
    /// What is left out, by an approved exemption.
    pub except: Option<&'a Except>,
    /// Open changes that wrote what this one keeps: until they are merged, theirs may still be taken back.
    pub unmerged: &'a BTreeSet<MrId>,
}

impl MergeGate<'_> {
    /// Judges from the parts; a go carries the ticket.
    pub fn judge(&self) -> Verdict<MergeTicket> {
        let mut reasons = self.conditions.against();
        if self.skipped > 0 {
            reasons.push(Reason::Skipped(self.skipped));
        }
        if !self.unmerged.is_empty() {
            reasons.push(Reason::Unmerged { by: self.unmerged.iter().cloned().collect() });
        }
        if !self.window.held() {
            reasons.push(Reason::NotConverged { samples: self.window.good(), needed: self.window.needed() });
        } else if !self.window.fresh(self.conditions.now, self.conditions.policy.max_age) {
            reasons.push(Reason::Stale);
        }
        Verdict::judge(reasons, || {
            let key = self.conditions.key;
            let pin = Pin {
                head: key.head.clone(),
                base: key.base.clone(),
                tree: key.tree.clone(),
                digest: self.digest,
                into: Some(self.conditions.sighting.base_branch.clone()),
                except: self.except.cloned(),
            };
            MergeTicket::new(self.mr.clone(), pin)
        })
    }
}

/// Issues the ticket of a merge that the gate allowed before, for one that is `open` and was not answered yet, or to read back what became of it; only the engine's fold knows such a pin.
pub(in crate::core) fn reissue(mr: &MrId, pin: &Pin, open: bool) -> MergeTicket {
    let ticket = MergeTicket::new(mr.clone(), pin.clone());
    if open { ticket } else { ticket.for_reading() }
}
