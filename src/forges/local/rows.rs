//! What the local forge keeps in the store: one row a merge request, comment, head's statuses, branch's pushers.

use crate::{
    core::{
        model::{CommitId, RepoId, Str, Time, User},
        review::{Check, CommentId, MrState, StatusState},
    },
    stores::RowKey,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One merge request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MrRow {
    pub number: u64,
    pub title: String,
    pub author: User,
    pub draft: bool,
    pub source: Str,
    pub target: Str,
    pub state: MrState,
    pub reviewers: Vec<User>,
    /// The tip of the source branch as it was last seen; stays when the branch is gone.
    pub head: CommitId,
    /// The last head that held commits the target branch lacked: when the target holds it later, somebody merged it.
    pub ahead: Option<CommitId>,
    #[serde(default)]
    pub description: String,
    /// People's labels, with who set each last.
    #[serde(default)]
    pub marks: BTreeMap<Str, User>,
    /// Our labels.
    pub labels: BTreeSet<Str>,
    /// Our comment that is edited in place.
    pub sticky: Option<CommentId>,
    pub last_comment: u64,
    pub updated: Time,
    /// The key of a merge request that the server opened by itself.
    #[serde(default)]
    pub proposed: Option<Str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentBody {
    pub id: CommentId,
    pub by: User,
    pub body: String,
    pub at: Time,
    /// The comment this one answers.
    pub to: Option<CommentId>,
    /// Written by the server, never handed to a change.
    pub ours: bool,
    /// When it was last edited; ours alone are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Time>,
}

/// Statuses of one head.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statuses {
    /// Ours, by context.
    pub ours: BTreeMap<Str, (StatusState, String)>,
    /// Other programs', by name.
    pub checks: BTreeMap<Str, Check>,
    /// Who set each of `checks`: one set by whoever wrote the head checks nothing.
    #[serde(default)]
    pub checked_by: BTreeMap<Str, User>,
    /// What those programs say of them, by name.
    #[serde(default)]
    pub about: BTreeMap<Str, String>,
}

/// Who pushed to a branch since it was last merged or deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushers {
    pub users: BTreeSet<User>,
}

fn root(repo: &RepoId) -> RowKey {
    RowKey::new("forge").text(repo.as_str())
}

/// Holds the number of the last merge request.
pub fn last(repo: &RepoId) -> RowKey {
    root(repo).text("last")
}

pub fn all(repo: &RepoId) -> RowKey {
    root(repo).text("mr")
}

pub fn mr(repo: &RepoId, number: u64) -> RowKey {
    all(repo).num(number)
}

pub fn all_open(repo: &RepoId) -> RowKey {
    root(repo).text("open")
}

/// Holds the number of the one open merge request of a source branch.
pub fn open_for(repo: &RepoId, source: &str) -> RowKey {
    all_open(repo).text(source)
}

pub fn comments(repo: &RepoId, number: u64) -> RowKey {
    root(repo).text("comment").num(number)
}

pub fn comment(repo: &RepoId, number: u64, id: CommentId) -> RowKey {
    comments(repo, number).num(id.0)
}

/// Marks that a text was answered to a comment.
pub fn answered(repo: &RepoId, number: u64, to: CommentId, text_hash: &str) -> RowKey {
    root(repo).text("answered").num(number).num(to.0).text(text_hash)
}

/// What was proposed last under a key.
pub fn proposed(repo: &RepoId, key: &str) -> RowKey {
    root(repo).text("proposed").text(key)
}

pub fn statuses(repo: &RepoId, head: &CommitId) -> RowKey {
    root(repo).text("status").text(head.as_str())
}

pub fn pushers(repo: &RepoId, branch: &str) -> RowKey {
    root(repo).text("pushers").text(branch)
}
