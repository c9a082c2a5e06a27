//! The ticket without which nothing merges.

use crate::core::model::{CommitId, Digest, MrId, TreeId};
use serde::{Deserialize, Serialize};

/// What one merge is pinned to; the journal keeps it so that a ticket can be issued again after a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    pub head: CommitId,
    pub base: CommitId,
    /// The tree the merge commit must have.
    pub tree: TreeId,
    pub digest: Digest,
}

/// Permits one merge of exactly this: made only by the merge gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeTicket {
    mr: MrId,
    pin: Pin,
}

impl MergeTicket {
    /// Only `core::gate` may call this.
    pub(in crate::core::gate) fn new(mr: MrId, pin: Pin) -> Self {
        Self { mr, pin }
    }

    pub fn mr(&self) -> &MrId {
        &self.mr
    }

    pub fn pin(&self) -> &Pin {
        &self.pin
    }

    pub fn head(&self) -> &CommitId {
        &self.pin.head
    }

    pub fn base(&self) -> &CommitId {
        &self.pin.base
    }

    /// The tree the merge commit must have.
    pub fn tree(&self) -> &TreeId {
        &self.pin.tree
    }

    pub fn digest(&self) -> &Digest {
        &self.pin.digest
    }
}
