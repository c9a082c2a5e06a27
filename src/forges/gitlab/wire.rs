//! What GitLab sends, as far as it is read. A field that may be missing or null says so here.

use crate::core::model::Time;
use serde::{Deserialize, Deserializer, de::Error as _};

#[derive(Clone, Debug, Deserialize)]
pub struct Account {
    pub id: u64,
    pub username: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Request {
    pub iid: u64,
    pub title: String,
    pub description: Option<String>,
    /// `opened`, `closed`, `locked` or `merged`.
    pub state: String,
    #[serde(default)]
    pub draft: bool,
    pub author: Option<Account>,
    pub source_branch: String,
    pub target_branch: String,
    /// None: the fork is gone.
    pub source_project_id: Option<u64>,
    pub target_project_id: u64,
    /// None for a moment after the request was made.
    pub sha: Option<String>,
    #[serde(default)]
    pub merge_commit_sha: Option<String>,
    #[serde(default)]
    pub squash_commit_sha: Option<String>,
    #[serde(default)]
    pub merge_user: Option<Account>,
    #[serde(default)]
    pub labels: Vec<String>,
    #[serde(default)]
    pub squash: bool,
    #[serde(deserialize_with = "time")]
    pub created_at: Time,
    #[serde(deserialize_with = "time")]
    pub updated_at: Time,
}

impl Request {
    /// Being merged right now, it is neither open nor merged yet.
    pub fn is_open(&self) -> bool {
        matches!(&*self.state, "opened" | "locked")
    }
}

/// A comment, or a line that GitLab itself writes of what happened.
#[derive(Clone, Debug, Deserialize)]
pub struct Note {
    pub id: u64,
    pub body: String,
    pub author: Option<Account>,
    #[serde(deserialize_with = "time")]
    pub created_at: Time,
    #[serde(deserialize_with = "time")]
    pub updated_at: Time,
    #[serde(default)]
    pub system: bool,
    #[serde(default)]
    pub resolvable: bool,
    #[serde(default)]
    pub resolved: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Discussion {
    pub notes: Vec<Note>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Approvals {
    #[serde(default)]
    pub approved_by: Vec<Approver>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Approver {
    pub user: Account,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Reviewer {
    pub user: Account,
    /// `unreviewed`, `reviewed`, `requested_changes`, `approved`, …
    pub state: String,
}

/// A job of a pipeline; what else it is, is not read.
#[derive(Clone, Debug, Deserialize)]
pub struct Job {
    pub id: u64,
}

/// What was pushed to a request, newest first.
#[derive(Clone, Debug, Deserialize)]
pub struct Version {
    pub head_commit_sha: String,
    #[serde(deserialize_with = "time")]
    pub created_at: Time,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    pub id: u64,
    pub status: String,
    pub name: String,
    pub description: Option<String>,
    pub author: Option<Account>,
    #[serde(default)]
    pub allow_failure: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct LabelEvent {
    pub user: Option<Account>,
    /// `add` or `remove`.
    pub action: String,
    pub label: Option<Label>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Label {
    pub name: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    pub author_username: Option<String>,
    #[serde(deserialize_with = "time")]
    pub created_at: Time,
    #[serde(default)]
    pub push_data: Option<Push>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Push {
    /// `created`, `pushed` or `removed`.
    pub action: String,
    pub ref_type: String,
    /// None: several were pushed at once, and which is not told.
    #[serde(rename = "ref")]
    pub name: Option<String>,
    #[serde(default)]
    pub commit_to: Option<String>,
    #[serde(default)]
    pub commit_from: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Member {
    /// 10 guest, 15 planner, 20 reporter, 30 developer, 40 maintainer, 50 owner.
    pub access_level: u32,
}

/// A deployment of a commit to an environment.
#[derive(Clone, Debug, Deserialize)]
pub struct Deployed {
    pub id: u64,
    pub sha: String,
    /// `created`, `running`, `success`, `failed`, `canceled`, …
    pub status: String,
    #[serde(rename = "ref", default)]
    pub name: String,
    #[serde(default)]
    pub user: Option<Account>,
}

/// Somebody in a group.
#[derive(Clone, Debug, Deserialize)]
pub struct GroupMember {
    pub username: String,
    /// `active`, `awaiting`, `blocked`, …
    #[serde(default)]
    pub state: String,
    pub access_level: u32,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Branch {
    pub commit: Commit,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Commit {
    pub id: String,
}

/// A project in a list.
#[derive(Clone, Debug, Deserialize)]
pub struct Hosted {
    pub path_with_namespace: crate::core::model::Str,
    #[serde(default)]
    pub archived: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Project {
    #[serde(default)]
    pub archived: bool,
    #[serde(default)]
    pub merge_trains_enabled: Option<bool>,
    /// `merge`, `rebase_merge` or `ff`.
    #[serde(default)]
    pub merge_method: Option<String>,
    #[serde(default)]
    pub only_allow_merge_if_pipeline_succeeds: Option<bool>,
    #[serde(default)]
    pub permissions: Option<Permissions>,
}

impl Project {
    /// Why what lacks the newest of a branch is not taken; `None`: it is.
    pub fn only_newest(&self) -> Option<&'static str> {
        match self.merge_method.as_deref() {
            Some("ff") => Some("the project merges by fast-forward alone"),
            Some("rebase_merge") => Some("the project keeps a semi-linear history"),
            _ => None,
        }
    }
}

/// A webhook of a project.
#[derive(Clone, Debug, Deserialize)]
pub struct Hook {
    pub id: u64,
    pub url: String,
    #[serde(default)]
    pub push_events: bool,
    #[serde(default)]
    pub merge_requests_events: bool,
    #[serde(default)]
    pub note_events: bool,
    #[serde(default)]
    pub pipeline_events: bool,
    #[serde(default)]
    pub enable_ssl_verification: bool,
    #[serde(default)]
    pub push_events_branch_filter: Option<String>,
    #[serde(default)]
    pub token_present: Option<bool>,
    #[serde(default)]
    pub signing_token_present: Option<bool>,
}

/// How a project approves, where its plan has such settings.
#[derive(Clone, Debug, Deserialize)]
pub struct Approving {
    #[serde(default)]
    pub reset_approvals_on_push: bool,
}

/// What our token's account may do, by itself and by its groups.
#[derive(Clone, Debug, Deserialize)]
pub struct Permissions {
    pub project_access: Option<Member>,
    pub group_access: Option<Member>,
}

/// The rule of a protected branch.
#[derive(Clone, Debug, Deserialize)]
pub struct Protected {
    /// A branch, or several: `release/*`.
    pub name: String,
    /// It is a group's.
    #[serde(default)]
    pub inherited: bool,
    #[serde(default)]
    pub push_access_levels: Vec<Level>,
    #[serde(default)]
    pub merge_access_levels: Vec<Level>,
}

/// Whom a rule lets: everybody of a level, or one account.
#[derive(Clone, Debug, Deserialize)]
pub struct Level {
    #[serde(default)]
    pub id: u64,
    pub access_level: Option<u32>,
    #[serde(default)]
    pub access_level_description: Option<String>,
    #[serde(default)]
    pub user_id: Option<u64>,
}

impl Level {
    /// Who that is, in GitLab's words.
    pub fn said(&self) -> String {
        self.access_level_description.clone().unwrap_or_else(|| "others".to_owned())
    }
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
    let text = String::deserialize(from)?;
    text.parse::<jiff::Timestamp>().map(|stamp| Time(stamp.as_millisecond())).map_err(|_| D::Error::custom(format!("`{text}` is no time")))
}
