//! What a delivery says: where to look, and who pushed.

use crate::core::model::{CommitId, RepoId, Str, Time};
use serde::{Deserialize, Serialize};

/// What a delivery is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The merge request of this number.
    Mr(u64),
    /// A branch was made, moved or deleted.
    Branch(Str),
    /// Somebody said something about a commit: a status, a check, a pipeline.
    Commit(CommitId),
    /// The repository itself.
    Repository(RepositoryNews),
}

/// What became of a repository as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepositoryNews {
    /// It has another name or another owner: the configuration names the old one.
    Moved,
    Deleted,
    /// Its default branch is another, or it was archived or opened again.
    Changed,
}

/// Who pushed what, as the forge says in a signed delivery. Evidence for approvals and nothing else: nobody approves what they pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// The new tip.
    pub commit: CommitId,
    /// What else came with it, as far as the delivery says; somebody else may take the tip away and leave these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<CommitId>,
    pub branch: Str,
    /// Account names at the forge.
    pub by: Vec<Str>,
}

/// A delivery as it was read, before anybody asked whose project that is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The project's path; the one it had before comes second, where it was moved. Empty: the delivery names none.
    pub projects: Vec<String>,
    /// None: an event that says nothing about merge requests.
    pub about: Option<Subject>,
    /// When it happened, as the forge says.
    pub at: Option<Time>,
    pub push: Option<Push>,
}

/// A delivery for a governed repository, as it waits in the inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    pub repo: RepoId,
    pub about: Subject,
    #[serde(default)]
    pub at: Option<Time>,
    #[serde(default)]
    pub push: Option<Push>,
}
