//! The ticket without which nothing merges.

use crate::core::model::{CommitId, Digest, MrId, TreeId};

/// Permits one merge of exactly this: made only by the merge gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeTicket {
    mr: MrId,
    head: CommitId,
    base: CommitId,
    tree: TreeId,
    digest: Digest,
}

impl MergeTicket {
    /// Only `core::gate` may call this.
    pub(in crate::core::gate) fn new(mr: MrId, head: CommitId, base: CommitId, tree: TreeId, digest: Digest) -> Self {
        Self { mr, head, base, tree, digest }
    }

    pub fn mr(&self) -> &MrId {
        &self.mr
    }

    pub fn head(&self) -> &CommitId {
        &self.head
    }

    pub fn base(&self) -> &CommitId {
        &self.base
    }

    /// The tree the merge commit must have.
    pub fn tree(&self) -> &TreeId {
        &self.tree
    }

    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}
