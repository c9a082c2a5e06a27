//! The desired-state repository: trees and blobs by id, and the tree that merging would give.

use crate::core::model::{CommitId, FileId, Str, TreeId};
use std::sync::Arc;

/// One bare repository. Calls block; the shell runs them on blocking threads.
pub trait StateRepo: Send + Sync {
    /// The commit a revision names (branch, tag, full or short id).
    fn commit(&self, rev: &str) -> Result<CommitId, RepoError>;

    /// The names of all branches here.
    fn branches(&self) -> Result<Vec<Str>, RepoError>;

    /// The tree of a commit.
    fn tree(&self, commit: &CommitId) -> Result<TreeId, RepoError>;

    /// The commit that a commit was made on; of a merge, the one merged into. `None`: it is the first, or the history is cut there.
    fn first_parent(&self, commit: &CommitId) -> Result<Option<CommitId>, RepoError>;

    /// What merging `head` into `base` would bring.
    fn brought(&self, base: &CommitId, head: &CommitId) -> Result<Arc<Brought>, RepoError>;

    /// The tree that merging `head` into `base` would give, by git's own merge; nothing but objects is written.
    fn merge(&self, base: &CommitId, head: &CommitId) -> Result<Merge, RepoError>;

    /// The files that differ between two trees, by path; cost grows with the difference.
    fn changed(&self, from: &TreeId, to: &TreeId) -> Result<Vec<Changed>, RepoError>;

    /// All files below `prefix` (empty: the whole tree), by path.
    fn files(&self, tree: &TreeId, prefix: &str) -> Result<Vec<TreeEntry>, RepoError>;

    /// The entry at a path, if there is one.
    fn entry(&self, tree: &TreeId, path: &str) -> Result<Option<TreeEntry>, RepoError>;

    /// A blob's bytes; refused when larger than `limit`.
    fn blob(&self, id: &FileId, limit: u64) -> Result<Vec<u8>, RepoError>;
}

/// What merging a head would bring to a base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// The commits that base lacks, newest first.
    pub commits: Vec<CommitId>,
    /// Those are all; else there are more.
    pub whole: bool,
    /// What they say, newest first, each cut where it is long; merges left out.
    pub messages: Vec<Str>,
    /// Those whose messages, or whose whole first lines, were too much to keep.
    pub unsaid: usize,
    /// Files that differ from where head left base.
    pub files: usize,
}

/// What merging would give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merge {
    Clean(TreeId),
    /// The conflicted paths, sorted.
    Conflicts(Vec<Str>),
}

/// One path that differs between two trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub path: Str,
    pub old: Option<(FileId, Mode)>,
    pub new: Option<(FileId, Mode)>,
}

/// One entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    pub path: Str,
    pub id: FileId,
    pub mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    File,
    Executable,
    Symlink,
    Submodule,
    Tree,
}

/// Why git could not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RepoError {
    #[error("`{rev}` names no commit; {}", if rev == "HEAD" { "nothing is committed on the branch yet: commit first" } else { "fetch it or check the spelling" })]
    NoSuchRev { rev: String },
    #[error("{path} is {len} bytes; at most {limit} are read")]
    TooLarge { path: String, len: u64, limit: u64 },
    #[error("git: {what}")]
    Git { what: String },
}
