//! The ticket without which nothing merges.

use super::Except;
use crate::core::{
    model::{CommitId, Digest, MrId, Str, TreeId},
    run::MergeAnswer,
};
use serde::{Deserialize, Serialize};

/// What one merge is pinned to; the journal keeps it so that a ticket can be issued again after a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    pub head: CommitId,
    pub base: CommitId,
    /// The tree the merge commit must have.
    pub tree: TreeId,
    pub digest: Digest,
    /// The branch it goes to; records of older versions do not say.
    #[serde(default)]
    pub into: Option<Str>,
    /// What is left out, by an approved exemption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except: Option<Except>,
}

/// Permits one merge of exactly this: made only by the merge gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeTicket {
    mr: MrId,
    pin: Pin,
    only_reads: bool,
}

impl MergeTicket {
    /// Only `core::gate` may call this.
    pub(in crate::core::gate) fn new(mr: MrId, pin: Pin) -> Self {
        Self { mr, pin, only_reads: false }
    }

    /// The same to read back what became of an earlier one: it merges nothing.
    pub(in crate::core::gate) fn for_reading(self) -> Self {
        Self { only_reads: true, ..self }
    }

    /// Whether nothing may be merged by it: the request was merged or closed when it was made, and the gate was not asked since.
    pub fn only_reads(&self) -> bool {
        self.only_reads
    }

    /// What is answered where an earlier merge is to be read back and there is none.
    pub fn nothing_to_read(&self) -> Option<MergeAnswer> {
        self.only_reads.then(|| MergeAnswer::Moved { why: format!("{} was not merged by the server", self.mr) })
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

    /// The branch it goes to.
    pub fn into_branch(&self) -> Option<&Str> {
        self.pin.into.as_ref()
    }

    /// Why a request that goes to this branch is not the one of the ticket.
    pub fn strays(&self, branch: &str) -> Option<String> {
        let into = self.pin.into.as_ref().filter(|into| ***into != *branch)?;
        Some(format!("{} goes to `{branch}` by now, not to `{into}`", self.mr))
    }

    pub fn digest(&self) -> &Digest {
        &self.pin.digest
    }

    /// What is left out, by an approved exemption.
    pub fn except(&self) -> Option<&Except> {
        self.pin.except.as_ref()
    }

    /// What the message of the merge commit says below its title: what it leaves out, and the trailers by which it is known.
    pub fn message(&self) -> String {
        let except = self.except().map_or_else(String::new, |except| format!("{}\n", except.paragraph()));
        format!("{except}Trueup-Change: {}\nTrueup-Digest: {}", self.mr, self.pin.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::RepoId;

    #[test]
    fn a_ticket_of_an_older_version_names_no_branch_and_holds_for_any() {
        let digest = serde_json::to_value(Digest::of("plan", &[b"one"])).unwrap();
        let pin: Pin = serde_json::from_value(serde_json::json!({ "head": "h", "base": "b", "tree": "t", "digest": digest })).unwrap();
        let ticket = |pin| MergeTicket::new(MrId { repo: RepoId::new("dns"), number: 7 }, pin);
        assert_eq!(ticket(pin.clone()).strays("main"), None);
        let pin = Pin { into: Some("main".into()), ..pin };
        assert_eq!((ticket(pin.clone()).strays("main"), ticket(pin).strays("release").as_deref()), (None, Some("dns!7 goes to `release` by now, not to `main`")));
    }
}
