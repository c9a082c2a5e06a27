//! What GitHub sends, as far as it is read. A field that may be missing or null says so here.

use crate::core::model::Time;
use serde::{Deserialize, Deserializer, de::Error as _};

/// An account; the ghost of a deleted one is `None` where it stands.
#[derive(Clone, Debug, Deserialize)]
pub struct Account {
    pub login: String,
}

/// An app, as it is told of itself.
#[derive(Clone, Debug, Deserialize)]
pub struct AppTold {
    pub id: u64,
    pub slug: String,
    pub html_url: String,
    /// Webhooks that it gets.
    #[serde(default)]
    pub events: Vec<String>,
}

impl AppTold {
    /// The account under which it does what it does.
    pub fn login(&self) -> String {
        format!("{}[bot]", self.slug)
    }
}

/// An app where somebody installed it.
#[derive(Clone, Debug, Deserialize)]
pub struct Installation {
    pub id: u64,
    /// `contents` to `read`, `write` or `admin`.
    #[serde(default)]
    pub permissions: std::collections::BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    pub suspended_at: Option<String>,
    /// Where its owner sets what it may.
    #[serde(default)]
    pub html_url: Option<String>,
}

/// A token of an installation.
#[derive(Clone, Deserialize)]
pub struct Issued {
    token: String,
    #[serde(deserialize_with = "time")]
    pub expires_at: Time,
}

impl Issued {
    pub fn token(&self) -> crate::ports::SecretText {
        crate::ports::SecretText::new(self.token.clone())
    }
}

/// A list of an installation's repositories.
#[derive(Clone, Debug, Deserialize)]
pub struct Chosen {
    pub repositories: Vec<Hosted>,
}

/// A repository in a list.
#[derive(Clone, Debug, Deserialize)]
pub struct Hosted {
    pub full_name: crate::core::model::Str,
    #[serde(default)]
    pub archived: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Repository {
    #[serde(default)]
    pub permissions: Option<Permissions>,
    #[serde(default)]
    pub owner: Option<Owner>,
    #[serde(default)]
    pub archived: bool,
    #[serde(default)]
    pub allow_merge_commit: Option<bool>,
    #[serde(default)]
    pub allow_squash_merge: Option<bool>,
    #[serde(default)]
    pub allow_rebase_merge: Option<bool>,
}

/// Whose a repository is: a `User`'s or an `Organization`'s.
#[derive(Clone, Debug, Deserialize)]
pub struct Owner {
    #[serde(rename = "type", default)]
    pub kind: String,
}

/// A webhook of a repository.
#[derive(Clone, Debug, Deserialize)]
pub struct Hook {
    pub id: u64,
    pub active: bool,
    #[serde(default)]
    pub events: Vec<String>,
    pub config: HookConfig,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct HookConfig {
    #[serde(default)]
    pub url: Option<String>,
    #[serde(default)]
    pub content_type: Option<String>,
    /// Stars where there is one.
    #[serde(default)]
    pub secret: Option<String>,
    /// A text or a number.
    #[serde(default)]
    pub insecure_ssl: Option<serde_json::Value>,
}

impl HookConfig {
    /// What is wrong with how it sends.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.content_type.as_deref() != Some("json") {
            wrong.push("sends forms".to_owned());
        }
        if self.secret.as_deref().is_none_or(str::is_empty) {
            wrong.push("signs nothing".to_owned());
        }
        if self.insecure_ssl.as_ref().is_some_and(|value| value != "0" && value != 0) {
            wrong.push("takes any certificate".to_owned());
        }
        wrong
    }
}

/// What our token may do.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Permissions {
    #[serde(default)]
    pub push: bool,
}

/// One end of a pull request.
#[derive(Clone, Debug, Deserialize)]
pub struct End {
    #[serde(rename = "ref")]
    pub name: String,
    pub sha: String,
    /// None: the fork is gone.
    pub repo: Option<EndRepository>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct EndRepository {
    pub full_name: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Pull {
    pub number: u64,
    pub state: String,
    pub title: String,
    pub user: Option<Account>,
    pub body: Option<String>,
    #[serde(default)]
    pub draft: bool,
    pub head: End,
    pub base: End,
    #[serde(deserialize_with = "time")]
    pub created_at: Time,
    #[serde(deserialize_with = "time")]
    pub updated_at: Time,
    pub merged_at: Option<String>,
    pub merge_commit_sha: Option<String>,
    #[serde(default)]
    pub labels: Vec<Label>,
    /// Told of one alone, never in a list.
    #[serde(default)]
    pub merged_by: Option<Account>,
    /// Comments on the code; told of one alone.
    #[serde(default)]
    pub review_comments: u64,
    /// GitHub's own judgement, which our own pending statuses shut; told of one alone.
    #[serde(default)]
    pub mergeable_state: Option<String>,
}

impl Pull {
    pub fn is_open(&self) -> bool {
        self.state == "open"
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct Label {
    pub name: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Comment {
    pub id: u64,
    /// Its name in GraphQL.
    pub node_id: String,
    pub body: Option<String>,
    pub user: Option<Account>,
    #[serde(deserialize_with = "time")]
    pub created_at: Time,
    #[serde(deserialize_with = "time")]
    pub updated_at: Time,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Review {
    pub user: Option<Account>,
    pub state: String,
    /// A review that is being written has none.
    pub submitted_at: Option<String>,
    pub commit_id: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    pub state: String,
    pub context: String,
    pub description: Option<String>,
    pub creator: Option<Account>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct CheckRuns {
    pub check_runs: Vec<CheckRun>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct CheckRun {
    pub id: u64,
    pub name: String,
    pub status: String,
    pub conclusion: Option<String>,
    /// Our own word: of which change and plan it speaks.
    #[serde(default)]
    pub external_id: Option<String>,
    #[serde(default)]
    pub output: Option<CheckOutput>,
    /// Whose it is.
    #[serde(default)]
    pub app: Option<CheckApp>,
}

impl CheckRun {
    pub fn is_over(&self) -> bool {
        self.status == "completed"
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct CheckOutput {
    #[serde(default)]
    pub title: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct CheckApp {
    pub id: u64,
    #[serde(default)]
    pub slug: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Commit {
    /// Accounts that the addresses belong to; GitHub sends `{}` and null for nobody's.
    #[serde(default)]
    pub author: Option<MaybeAccount>,
    #[serde(default)]
    pub committer: Option<MaybeAccount>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct MaybeAccount {
    #[serde(default)]
    pub login: Option<String>,
}

/// One line of an issue's history.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    pub event: String,
    pub actor: Option<Account>,
    #[serde(default)]
    pub label: Option<EventLabel>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct EventLabel {
    pub name: Option<String>,
}

/// A deployment of a commit to an environment.
#[derive(Clone, Debug, Deserialize)]
pub struct Deployed {
    pub id: u64,
    pub sha: String,
    #[serde(default)]
    pub creator: Option<Account>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct DeployedStatus {
    pub state: String,
}

/// One push, as the repository's activity tells it.
#[derive(Clone, Debug, Deserialize)]
pub struct Activity {
    pub activity_type: String,
    #[serde(deserialize_with = "time")]
    pub timestamp: Time,
    pub actor: Option<Account>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Permission {
    pub permission: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Reference {
    pub object: Object,
}

/// Something with a git id.
#[derive(Clone, Debug, Deserialize)]
pub struct Object {
    pub sha: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct GitCommit {
    pub sha: String,
    pub tree: Object,
    pub parents: Vec<Object>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Merged {
    pub sha: String,
}

/// An instant as RFC 3339 writes it.
pub fn instant(text: &str) -> Option<Time> {
    text.parse::<jiff::Timestamp>().ok().map(|stamp| Time(stamp.as_millisecond()))
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
    let text = String::deserialize(from)?;
    instant(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no time")))
}

/// One rule of a branch, of whichever rule set.
#[derive(Clone, Debug, Deserialize)]
pub struct Rule {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub parameters: Option<RuleParameters>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct RuleParameters {
    #[serde(default)]
    pub required_status_checks: Vec<RequiredCheck>,
    /// Those are to be green on what holds the newest of the branch.
    #[serde(default)]
    pub strict_required_status_checks_policy: bool,
    /// How what goes there may be merged.
    #[serde(default)]
    pub allowed_merge_methods: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct RequiredCheck {
    pub context: String,
}

impl Rule {
    /// The ways to merge that it leaves, where it has a say in that.
    pub fn methods(&self) -> Option<&[String]> {
        self.parameters.as_ref()?.allowed_merge_methods.as_deref()
    }

    /// Whether it takes only what is up to date.
    pub fn is_strict(&self) -> bool {
        self.parameters.as_ref().is_some_and(|parameters| parameters.strict_required_status_checks_policy)
    }

    /// The checks that it asks for.
    pub fn contexts(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().flat_map(|parameters| &parameters.required_status_checks).map(|check| &*check.context)
    }
}

/// The older kind of rules, of which a branch has one set.
#[derive(Clone, Debug, Deserialize)]
pub struct Protection {
    #[serde(default)]
    pub required_status_checks: Option<RequiredContexts>,
    #[serde(default)]
    pub enforce_admins: Option<Enabled>,
    #[serde(default)]
    pub restrictions: Option<Restrictions>,
    #[serde(default)]
    pub required_linear_history: Option<Enabled>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct RequiredContexts {
    /// Only what is up to date is taken.
    #[serde(default)]
    pub strict: bool,
    #[serde(default)]
    pub contexts: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Enabled {
    pub enabled: bool,
}

/// Who alone may push.
#[derive(Clone, Debug, Deserialize)]
pub struct Restrictions {
    #[serde(default)]
    pub users: Vec<Account>,
    #[serde(default)]
    pub teams: Vec<serde_json::Value>,
    #[serde(default)]
    pub apps: Vec<serde_json::Value>,
}

impl Protection {
    /// Whether it takes only what is up to date.
    pub fn is_strict(&self) -> bool {
        self.required_status_checks.as_ref().is_some_and(|checks| checks.strict)
    }

    /// The checks that it asks for.
    pub fn contexts(&self) -> impl Iterator<Item = &str> {
        self.required_status_checks.iter().flat_map(|checks| &checks.contexts).map(String::as_str)
    }
}
