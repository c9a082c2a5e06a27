//! The forge, in two halves: planning is handed no way to write.

use super::{Exam, Furnished, Fut, Wish};
use crate::core::{
    gate::MergeTicket,
    model::{CommitId, Fingerprint, MrId, RepoId, Span, Str, Time, User},
    review::{CommentId, Face, Right, Sighting},
    run::MergeAnswer,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Reads a forge.
pub trait ForgeReader: Send + Sync {
    /// What the forge of this repository can do.
    fn abilities(&self, repo: &RepoId) -> Abilities;

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

    /// What a person may do there as far as that is known without asking: by the configuration, and by what teams were last told, for a day.
    fn right_known(&self, repo: &RepoId, who: &User) -> Right;

    /// The branches of which one governs, as the forge has them now, and here in the repository as well; `None`: as the repository here has them.
    fn branches<'a>(&'a self, _repo: &'a RepoId) -> Fut<'a, Result<Option<Vec<Str>>, ForgeError>> {
        Box::pin(async { Ok(None) })
    }

    /// The repositories of an organisation or group there, those of the groups below it too where it has such.
    fn repositories<'a>(&'a self, _group: &'a str) -> Fut<'a, Result<Vec<Hosted>, ForgeError>> {
        Box::pin(async { Err(ForgeError { what: "this forge has no groups".to_owned(), kind: ForgeErrorKind::Invalid }) })
    }

    /// Who is in a team there (`platform/sre`). What was read a while ago does unless it must be `fresh`.
    fn team<'a>(&'a self, repo: &'a RepoId, _team: &'a str, _fresh: bool) -> Fut<'a, Result<BTreeSet<User>, ForgeError>> {
        Box::pin(async move { Err(ForgeError { what: format!("the forge of {repo} has no teams"), kind: ForgeErrorKind::NotFound }) })
    }

    /// Looks at what the server needs there, as it would use it: its account, what that may do, who else could move the governed branch, and what is wished beside. Writes nothing.
    fn examine<'a>(&'a self, _repo: &'a RepoId, _wish: &'a Wish) -> Fut<'a, Vec<Exam>> {
        Box::pin(async { Vec::new() })
    }
}

/// Writes a forge.
pub trait ForgeWriter: Send + Sync {
    /// Makes comment, statuses and labels equal the face; on return they are, and nothing was posted twice.
    fn show<'a>(&'a self, mr: &'a MrId, face: &'a Face, last: &'a Shown) -> Fut<'a, Result<Shown, ForgeError>>;

    /// Answers below a comment, once: a repeated call with the same `to` and text changes nothing.
    fn reply<'a>(&'a self, mr: &'a MrId, to: CommentId, text: &'a str) -> Fut<'a, Result<(), ForgeError>>;

    /// Marks a comment as seen, carried out or refused, once; people see it before they read the answer. Nothing is lost where a comment cannot be marked.
    fn react<'a>(&'a self, _mr: &'a MrId, _to: CommentId, _how: Reaction) -> Fut<'a, Result<(), ForgeError>> {
        Box::pin(async { Ok(()) })
    }

    /// Comments as the server, once: a repeated call with the same key changes nothing.
    fn tell<'a>(&'a self, mr: &'a MrId, key: &'a str, text: &'a str) -> Fut<'a, Result<(), ForgeError>>;

    /// Finds or makes the server's own merge request of that key, and makes its branch hold exactly what is proposed.
    fn propose<'a>(&'a self, proposal: &'a Proposal) -> Fut<'a, Result<Proposed, ForgeError>>;

    /// Closes the server's own merge request of that key, with a word why; `None`: none is open, or somebody pushed to it and so made it theirs.
    fn withdraw<'a>(&'a self, repo: &'a RepoId, key: &'a str, why: &'a str) -> Fut<'a, Result<Option<MrId>, ForgeError>>;

    /// Makes the same things stand that `examine` looks at; twice is as once. `dry`: only says what it would do.
    fn furnish<'a>(&'a self, _repo: &'a RepoId, _wish: &'a Wish, _dry: bool) -> Fut<'a, Vec<Furnished>> {
        Box::pin(async { Vec::new() })
    }

    /// Merges exactly what the ticket pins and reads the result back.
    fn merge<'a>(&'a self, ticket: MergeTicket) -> Fut<'a, Result<MergeAnswer, ForgeError>>;
}

/// What a forge can do; whoever asks for more asks in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Approving reviews are told with the head they were given at.
    pub reviews: bool,
    /// Threads can be open or resolved, so that open ones block.
    pub threads: bool,
    /// Others' programs set statuses on a head.
    pub checks: bool,
    /// It is told who set a label.
    pub labelled_by: bool,
    /// Merge requests come from forks, whose authors may write nothing here.
    pub forks: bool,
    /// The forge merges only the head that it is told; otherwise the landed commit is what tells.
    pub pinned_merge: bool,
    /// Groups of its people can be asked for, so that rules may name them.
    pub teams: bool,
    /// It keeps deployments and environments, among which runs are shown.
    pub deployments: bool,
    /// Comments are marked, so that people see that one was taken in.
    pub reactions: bool,
    /// The least time between two edits of our comment that tell progress and nothing else.
    pub progress: Span,
}

/// How far we are with a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reaction {
    Seen,
    Done,
    Refused,
}

/// A repository that a forge has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosted {
    /// Its path there: `platform/dns`.
    pub path: Str,
    #[serde(default)]
    pub archived: bool,
}

/// A merge request that the server opens by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub repo: RepoId,
    /// One is open at a time for each key.
    pub key: Str,
    /// The branch of its own that it stands on.
    pub branch: Str,
    pub title: String,
    /// The commit message.
    pub message: String,
    pub base: CommitId,
    /// What differs from base, whole files by path; `None`: the file goes.
    pub files: BTreeMap<Str, Option<Vec<u8>>>,
    /// Whoever had it made; they do not approve it (I2).
    pub asked_by: Option<User>,
}

impl Proposal {
    /// What is proposed, whatever it stands on.
    pub fn content(&self) -> Fingerprint {
        let parts: Vec<&[u8]> =
            self.files.iter().flat_map(|(path, bytes)| [path.as_bytes(), if bytes.is_some() { b"is" } else { b"goes" }, bytes.as_deref().unwrap_or_default()]).collect();
        Fingerprint::of("proposal", &parts)
    }
}

/// What became of a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposed {
    /// It is open and holds exactly this.
    Open(MrId),
    /// Somebody pushed to its branch: it is theirs, and left as it is.
    Taken(MrId),
    /// A person closed exactly this proposal: it is not opened again until it says something else.
    Declined(MrId),
}

/// A merge request in a sweep: enough to know whether to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MrRef {
    pub mr: MrId,
    pub head: CommitId,
    pub updated: Time,
    pub open: bool,
    /// Open at its forge, and sent to this branch, which governs nothing here.
    pub stray: Option<Str>,
}

/// What the forge was last made to show; lets `show` write only differences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub face: Option<Face>,
    pub comment: Option<CommentId>,
    /// When the comment came to say so, by the forge's own clock and no sooner than that; none where it does not tell.
    pub at: Option<Time>,
}

/// Why a forge did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct ForgeError {
    pub what: String,
    pub kind: ForgeErrorKind,
}

/// The classes of failure that callers branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForgeErrorKind {
    /// Nothing there by that name.
    NotFound,
    /// Our token is not known, or not any more (401).
    Stranger,
    /// Our token may not (403).
    Denied,
    /// The state of things does not allow it (405, 409).
    Conflict,
    /// The forge makes no sense of the request and never will (400, 422).
    Invalid,
    /// We asked too much and wait (429).
    Limited,
    /// Later, perhaps.
    Unavailable,
}

impl ForgeErrorKind {
    /// Whether the same may succeed later, with nobody doing anything about it.
    pub fn passes(self) -> bool {
        match self {
            Self::Limited | Self::Unavailable => true,
            Self::NotFound | Self::Stranger | Self::Denied | Self::Conflict | Self::Invalid => false,
        }
    }
}
