//! What Gitea's API says, as far as it is asked (<https://docs.gitea.com/api>, the schemas of `swagger.v1.json`).

use crate::{core::model::Time, forges::net::whole};
use serde::Deserialize;

/// `User`.
#[derive(Clone, Debug, Deserialize)]
pub struct Account {
    pub login: String,
}

/// `Repository`, in a list.
#[derive(Clone, Debug, Deserialize)]
pub struct Hosted {
    pub full_name: crate::core::model::Str,
    #[serde(default)]
    pub archived: bool,
}

/// `PullRequest`.
#[derive(Clone, Debug, Deserialize)]
pub struct Pull {
    pub number: u64,
    pub user: Option<Account>,
    pub title: String,
    #[serde(default)]
    pub body: String,
    /// `open` or `closed`.
    pub state: String,
    #[serde(default)]
    pub draft: bool,
    #[serde(default)]
    pub merged: bool,
    pub merge_commit_sha: Option<String>,
    pub merged_by: Option<Account>,
    pub head: Branch,
    pub base: Branch,
    pub updated_at: String,
    /// Comments on lines, which the timeline leaves out.
    #[serde(default)]
    pub review_comments: u64,
}

/// `PRBranchInfo`.
#[derive(Clone, Debug, Deserialize)]
pub struct Branch {
    /// The branch's name, whether it is still there or not.
    pub label: String,
    #[serde(default)]
    pub sha: String,
    #[serde(default)]
    pub repo_id: i64,
}

/// `Label`.
#[derive(Clone, Debug, Deserialize)]
pub struct Label {
    pub id: i64,
    pub name: String,
}

/// `Comment`.
#[derive(Clone, Debug, Deserialize)]
pub struct Comment {
    pub id: u64,
    pub user: Option<Account>,
    #[serde(default)]
    pub body: String,
    pub created_at: String,
    pub updated_at: String,
}

impl Comment {
    /// When it came to say what it says, and no sooner: Gitea tells seconds.
    pub fn written_at(&self) -> Option<Time> {
        Some(whole(Time(self.updated_at.parse::<jiff::Timestamp>().ok()?.as_millisecond())))
    }
}

/// `Activity`: what happened in a repository.
#[derive(Clone, Debug, Deserialize)]
pub struct Activity {
    pub op_type: String,
    pub act_user: Option<Account>,
    #[serde(default)]
    pub ref_name: String,
}

/// `TimelineComment`.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    pub id: u64,
    #[serde(rename = "type")]
    pub kind: String,
    pub user: Option<Account>,
    #[serde(default)]
    pub body: String,
    #[serde(default)]
    pub created_at: String,
    pub updated_at: String,
    pub label: Option<Label>,
}

/// `PullReview`.
#[derive(Clone, Debug, Deserialize)]
pub struct Review {
    pub id: i64,
    pub user: Option<Account>,
    pub state: String,
    #[serde(default)]
    pub commit_id: String,
    #[serde(default)]
    pub stale: bool,
    #[serde(default)]
    pub dismissed: bool,
    #[serde(default)]
    pub comments_count: u64,
    pub submitted_at: String,
}

/// `PullReviewComment`.
#[derive(Clone, Debug, Deserialize)]
pub struct LineComment {
    pub resolver: Option<Account>,
    #[serde(default)]
    pub path: String,
    #[serde(default)]
    pub position: u64,
    #[serde(default)]
    pub original_position: u64,
}

/// `CombinedStatus`.
#[derive(Clone, Debug, Deserialize)]
pub struct Statuses {
    #[serde(default)]
    pub statuses: Option<Vec<Status>>,
}

/// `CommitStatus`.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    pub context: String,
    pub status: String,
    #[serde(default)]
    pub description: String,
    pub creator: Option<Account>,
}

/// `Commit`.
#[derive(Clone, Debug, Deserialize)]
pub struct Commit {
    pub author: Option<Account>,
    pub committer: Option<Account>,
    pub commit: Option<CommitBody>,
}

/// `RepoCommit`.
#[derive(Clone, Debug, Deserialize)]
pub struct CommitBody {
    pub author: Option<Signature>,
    pub committer: Option<Signature>,
}

/// `CommitUser`.
#[derive(Clone, Debug, Deserialize)]
pub struct Signature {
    #[serde(default)]
    pub email: String,
}

/// `RepoCollaboratorPermission`.
#[derive(Clone, Debug, Deserialize)]
pub struct Permission {
    pub permission: String,
}

/// `Branch`.
#[derive(Clone, Debug, Deserialize)]
pub struct BranchTip {
    pub commit: BranchCommit,
    /// The rule that holds for it, told to administrators; empty: none.
    #[serde(default)]
    pub effective_branch_protection_name: String,
}

/// `PayloadCommit`.
#[derive(Clone, Debug, Deserialize)]
pub struct BranchCommit {
    pub id: String,
}

/// `Repository`, as far as merging and `doctor` ask.
#[derive(Clone, Debug, Deserialize)]
pub struct Repository {
    #[serde(default)]
    pub default_merge_style: String,
    #[serde(default)]
    pub archived: bool,
    pub permissions: Option<Permissions>,
    #[serde(default)]
    pub autodetect_manual_merge: bool,
    #[serde(default)]
    pub allow_merge_commits: Option<bool>,
    #[serde(default)]
    pub allow_rebase: Option<bool>,
    #[serde(default)]
    pub allow_rebase_explicit: Option<bool>,
    #[serde(default)]
    pub allow_squash_merge: Option<bool>,
    #[serde(default)]
    pub allow_fast_forward_only_merge: Option<bool>,
}

impl Repository {
    /// Whether a merge style is switched on; `None`: it does not say.
    pub fn allows(&self, style: &str) -> Option<bool> {
        match style {
            "merge" => self.allow_merge_commits,
            "rebase" => self.allow_rebase,
            "rebase-merge" => self.allow_rebase_explicit,
            "squash" => self.allow_squash_merge,
            "fast-forward-only" => self.allow_fast_forward_only_merge,
            _ => None,
        }
    }
}

/// `Team`.
#[derive(Clone, Debug, Deserialize)]
pub struct Team {
    pub id: i64,
    pub name: String,
}

/// `Hook`.
#[derive(Clone, Debug, Deserialize)]
pub struct Hook {
    pub id: i64,
    #[serde(default)]
    pub active: bool,
    pub events: Option<Vec<String>>,
    /// The secret is not told.
    pub config: Option<HookConfig>,
    #[serde(default)]
    pub branch_filter: String,
}

/// `CreateHookOptionConfig`: what the kind of a hook adds.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct HookConfig {
    #[serde(default)]
    pub url: String,
    #[serde(default)]
    pub content_type: String,
}

/// `Permission`: what the asking account may do.
#[derive(Clone, Debug, Deserialize)]
pub struct Permissions {
    #[serde(default)]
    pub admin: bool,
    #[serde(default)]
    pub push: bool,
}

/// `BranchProtection`.
#[derive(Clone, Debug, Deserialize)]
pub struct Protection {
    pub rule_name: String,
    #[serde(default)]
    pub enable_push: bool,
    #[serde(default)]
    pub enable_push_whitelist: bool,
    pub push_whitelist_usernames: Option<Vec<String>>,
    pub push_whitelist_teams: Option<Vec<String>>,
    #[serde(default)]
    pub enable_merge_whitelist: bool,
    pub merge_whitelist_usernames: Option<Vec<String>>,
    pub merge_whitelist_teams: Option<Vec<String>>,
    #[serde(default)]
    pub enable_status_check: bool,
    pub status_check_contexts: Option<Vec<String>>,
    #[serde(default)]
    pub block_admin_merge_override: bool,
    #[serde(default)]
    pub dismiss_stale_approvals: bool,
    #[serde(default)]
    pub block_on_outdated_branch: bool,
}
