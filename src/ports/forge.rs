//! The forge, in two halves: planning is handed no way to write.

use super::Fut;
use crate::core::{
    gate::MergeTicket,
    model::{CommitId, MrId, RepoId, Time, User},
    review::{CommentId, Face, Right, Sighting},
    run::MergeAnswer,
};

/// Reads a forge.
pub trait ForgeReader: Send + Sync {
    /// Every merge request of the repository that is open, or changed since the cursor; with the next cursor.
    fn sweep<'a>(&'a self, repo: &'a RepoId, since: u64) -> Fut<'a, Result<(Vec<MrRef>, u64), ForgeError>>;

    /// Every open merge request of the repository. A forge that can list them answers at the cost of those, however many there have been.
    fn open<'a>(&'a self, repo: &'a RepoId) -> Fut<'a, Result<Vec<MrRef>, ForgeError>> {
        Box::pin(async move {
            let (found, _) = self.sweep(repo, u64::MAX).await?;
            Ok(found.into_iter().filter(|found| found.open).collect())
        })
    }

    /// One merge request whole, with the comments after `since`, oldest first.
    fn look<'a>(&'a self, mr: &'a MrId, since: Option<CommentId>) -> Fut<'a, Result<Sighting, ForgeError>>;

    /// What a person may do there.
    fn right<'a>(&'a self, repo: &'a RepoId, who: &'a User) -> Fut<'a, Result<Right, ForgeError>>;
}

/// Writes a forge.
pub trait ForgeWriter: Send + Sync {
    /// Makes comment, statuses and labels equal the face; on return they are, and nothing was posted twice.
    fn show<'a>(&'a self, mr: &'a MrId, face: &'a Face, last: &'a Shown) -> Fut<'a, Result<Shown, ForgeError>>;

    /// Answers below a comment, once: a repeated call with the same `to` and text changes nothing.
    fn reply<'a>(&'a self, mr: &'a MrId, to: CommentId, text: &'a str) -> Fut<'a, Result<(), ForgeError>>;

    /// Merges exactly what the ticket pins and reads the result back.
    fn merge<'a>(&'a self, ticket: MergeTicket) -> Fut<'a, Result<MergeAnswer, ForgeError>>;
}

/// A merge request in a sweep: enough to know whether to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MrRef {
    pub mr: MrId,
    pub head: CommitId,
    pub updated: Time,
    pub open: bool,
}

/// What the forge was last made to show; lets `show` write only differences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub face: Option<Face>,
    pub comment: Option<CommentId>,
}

/// Why a forge did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct ForgeError {
    pub what: String,
    pub kind: ForgeErrorKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForgeErrorKind {
    /// Nothing there by that name.
    NotFound,
    /// Our token may not.
    Denied,
    /// Later, perhaps.
    Unavailable,
}
