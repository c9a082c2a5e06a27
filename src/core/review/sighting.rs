//! What the forge showed when it was last read.

use super::{Brings, Dependency};
use crate::core::model::{CommitId, Fingerprint, MrId, Str, Time, User};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The key of the merge request that drift is proposed in.
pub const DRIFT: &str = "drift";

/// One merge request as the forge holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    pub mr: MrId,
    pub state: MrState,
    pub draft: bool,
    pub title: String,
    pub author: User,
    /// Everyone who authored or pushed a commit of it, or made the bot open it; none of them approves it.
    pub pushers: BTreeSet<User>,
    pub source_branch: Str,
    pub base_branch: Str,
    pub head: CommitId,
    /// The tip of the base branch.
    pub base: CommitId,
    /// Whether `author` may write the repository (I10).
    pub author_trusted: bool,
    /// The key of one that the server opened by itself: `drift`.
    #[serde(default)]
    pub proposed: Option<Str>,
    /// Such a one that nobody but the server has pushed to.
    #[serde(default)]
    pub own_head: bool,
    /// What the forge does not tell of it, each with why: nothing that rests on it is taken for granted.
    #[serde(default)]
    pub unread: Vec<Str>,
    pub reviews: Vec<Review>,
    /// Statuses that others set on the head; our own are left out.
    pub checks: BTreeMap<Str, Check>,
    pub unresolved_threads: u32,
    /// Why its forge takes no head that lacks the newest of the base branch, where this one lacks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Str>,
    /// What its description says it waits for; those that are merged are named, too.
    #[serde(default)]
    pub depends_on: Vec<Dependency>,
    /// Who labelled it `incident`, where they may approve here: it goes first in the queue.
    #[serde(default)]
    pub incident: Option<User>,
    /// What git says of its commits; none where they are not here yet. Forges leave it out: whoever looks adds it.
    #[serde(default)]
    pub brings: Option<Brings>,
    /// Who is in the teams that policy names, as the forge said when this was read. Forges leave it out: whoever looks adds it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub teams: Teams,
    /// Comments not yet handed to the change, oldest first; never our own.
    pub comments: Vec<Comment>,
    /// Comments of people that hold commands and were edited since they were written: never obeyed. Whoever looks tells it once.
    #[serde(default)]
    pub edited: Vec<CommentId>,
    /// Our own comment says what we did not write, or somebody else set a status in our name, of which this is the fingerprint: whoever looks makes it right again.
    #[serde(default)]
    pub altered: Option<Fingerprint>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MrState {
    Open,
    Closed,
    /// Merged, by whom.
    Merged {
        commit: CommitId,
        by: User,
        /// The merge request whose merge, made by us, brought this one's head in.
        #[serde(default)]
        with: Option<MrId>,
    },
}

/// What a name in a rule begins with that means a team of the forge: `team:platform/sre`.
pub const TEAM: &str = "team:";

/// Teams of the forge by their names, without what rules put before them.
pub type Teams = BTreeMap<Str, Team>;

/// Who is in a team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Team {
    Members(BTreeSet<User>),
    /// Why nobody knows: then nobody is.
    Unread(Str),
}

/// The team that a name in a rule means; `None`: it means somebody.
pub fn team_of(name: &str) -> Option<&str> {
    name.strip_prefix(TEAM)
}

/// Whether somebody is meant by the names of a rule; no name means anybody.
pub fn means(by: &[Str], who: &User, teams: &Teams) -> bool {
    let is = |name: &Str| match team_of(name) {
        Some(team) => matches!(teams.get(team), Some(Team::Members(all)) if all.contains(who)),
        None => **name == *who.as_str(),
    };
    by.is_empty() || by.iter().any(is)
}

/// An approving review that still stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    pub by: User,
    pub right: Right,
    pub at: Time,
    pub head: CommitId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    Pending,
    Success,
    Failure,
}

impl Check {
    /// Of two words under one name the worse: green is only what both say.
    pub fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Failure, _) | (_, Self::Failure) => Self::Failure,
            (Self::Pending, _) | (_, Self::Pending) => Self::Pending,
            (Self::Success, Self::Success) => Self::Success,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    pub id: CommentId,
    pub by: User,
    pub right: Right,
    pub body: String,
    pub at: Time,
}

/// A comment's id on its forge; ids of one merge request grow with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommentId(pub u64);

impl CommentId {
    /// Where nobody's comment is answered: what is said stands by itself. Forges number theirs from 1.
    pub const NOBODY: Self = Self(0);
}

/// What a person may do in a repository; each includes the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    None,
    Read,
    /// Push branches, open merge requests, ask for plans.
    Write,
    /// Approve plans, pause, retry, abort, restore.
    Approve,
    /// Free others' claims, halt, approve a bootstrap policy.
    Admin,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_means_its_members_and_one_that_was_not_read_means_nobody() {
        let who = User::new("ben");
        let means_ben = |names: &[&str], team: Option<Team>| {
            let teams: Teams = team.into_iter().map(|team| ("platform/sre".into(), team)).collect();
            means(&names.iter().map(|name| Str::from(*name)).collect::<Vec<_>>(), &who, &teams)
        };
        let of = |names: &[&str]| Some(Team::Members(names.iter().map(|name| User::new(*name)).collect()));
        assert!(means_ben(&["team:platform/sre"], of(&["ben"])) && means_ben(&["cleo", "ben"], None) && means_ben(&[], None));
        assert!(!means_ben(&["team:platform/sre"], of(&["cleo"])) && !means_ben(&["team:platform/sre"], None));
        assert!(!means_ben(&["team:platform/sre"], Some(Team::Unread("403".into()))));
        // Nobody is in a team by being called like it.
        assert!(!means(&["team:platform/sre".into()], &User::new("team:platform/sre"), &Teams::new()));
    }
}
