//! Policy as `trueup.yaml` on base says it: who approves, how much at once, when, and what to leave alone.

use super::{HealthRule, Span, Str};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `policy:` section, read from the base branch only (I9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Who must approve which plans. A plan needs every rule whose condition holds; no rule means one approval by anyone who may.
    pub approvals: Vec<ApprovalRule>,
    /// When an approved plan starts.
    pub start: StartWhen,
    /// Limits on what one plan may do.
    pub budgets: Budget,
    /// Times in which no run starts.
    pub freeze: Vec<Freeze>,
    /// What happens when live state is neither base, merged nor ours.
    pub on_drift: OnDrift,
    /// What is done for those who still remember what stood there before.
    pub rollout: Rollout,
    /// Resource id patterns (glob over `target/kind/name`) that are never compared or written.
    pub ignore: Vec<Str>,
    /// Resource id patterns whose values are shown and recorded only as a keyed hash.
    pub sensitive: Vec<Str>,
    /// Resource id patterns that no plan may delete or replace. A pattern that begins with `!` takes back what the others and the kind itself protect.
    pub protected: Vec<Str>,
    /// Types a target cannot hold that are left out by name and counted, instead of refused.
    pub skip: Vec<SkippedType>,
    /// Reads desired state as its format's lenient mode does (octoDNS: `lenient: true` on a whole zone), where its strict checks would refuse.
    pub lenient: bool,
    /// How long every touched resource must stay equal and healthy before the merge.
    pub window: Span,
    /// How often a sample is taken in the window.
    pub every: Span,
    /// How long health may take before the change fails.
    pub deadline: Span,
    /// How old the last look at a touched resource may be at the merge.
    pub max_age: Span,
    /// What else must hold, for the resources that `match` names, before a change merges. A merge request can add to these beside its sources, and take none away.
    pub health: Vec<HealthRule>,
    /// Other statuses that must be green on the head before a run starts and before the merge.
    pub required_checks: Vec<Str>,
    /// Whether an approving review on the forge counts as approval of the digest last published before it.
    pub reviews_count: bool,
    /// How tasks are named in branches, titles and commit messages, and where people find them; shown with the change.
    pub links: Vec<LinkRule>,
    /// What a merge request must keep before a run starts and before the merge.
    pub require: Require,
    /// How long a change that has stopped may hold what it claims before its owner is called. Absent: the server's `limits.claim_ttl`.
    pub claim_ttl: Option<Span>,
    /// How long what a merge leaves out, by an approved exemption, may stay so where `/trueup skip` names no time: at most 90 days.
    pub exemption: Span,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            approvals: Vec::new(),
            start: StartWhen::OnApproval,
            budgets: Budget::default(),
            freeze: Vec::new(),
            on_drift: OnDrift::Block,
            rollout: Rollout::Wait,
            ignore: Vec::new(),
            sensitive: Vec::new(),
            protected: Vec::new(),
            skip: Vec::new(),
            lenient: false,
            window: Span::secs(10),
            every: Span::secs(1),
            deadline: Span::mins(5),
            max_age: Span::secs(60),
            health: Vec::new(),
            required_checks: Vec::new(),
            reviews_count: false,
            links: Vec::new(),
            require: Require::default(),
            claim_ttl: None,
            exemption: Span::mins(30 * 24 * 60),
        }
    }
}

/// One rule: plans for which `when` holds need `count` approvals by people in `by`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRule {
    /// A CEL condition over `plan` (`plan.deletes > 0`, `"dns-outside" in plan.targets`); absent: always.
    #[serde(default)]
    pub when: Option<Str>,
    /// How many people; 1 unless told.
    #[serde(default = "one")]
    pub count: u32,
    /// Users, `@groups` of the server's configuration, and teams of the forge (`team:platform/sre`: a GitHub team, a GitLab group, a Gitea team), who may; `codeowners`: for each group of files that base's `CODEOWNERS` gives to somebody, an approval of these; empty: anyone with the right to approve in this repository.
    #[serde(default)]
    pub by: Vec<Str>,
}

fn one() -> u32 {
    1
}

/// How a task is named, and where people find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkRule {
    /// A regular expression; its first group, or all that it finds, is the task's name: `[A-Z]{2,}-[0-9]+`.
    pub pattern: Str,
    /// The task's address, in which `{task}` stands for its name: `https://tasks.example.com/{task}`.
    pub url: Str,
}

/// What a merge request must keep. What the server opens by itself is held to none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Require {
    /// Branch, title or a commit message names a task that `links` knows.
    pub task: bool,
    /// A regular expression that is found in the name of the source branch: `^(feature|fix)/`.
    pub branch: Option<Str>,
    /// A regular expression that is found in the title.
    pub title: Option<Str>,
    /// A regular expression that is found in the first line of every commit message, merges aside.
    pub commits: Option<Str>,
    /// Files that differ from the base branch.
    pub max_files: Option<u32>,
    /// Commits that the base branch lacks.
    pub max_commits: Option<u32>,
}

/// When an approved plan starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StartWhen {
    /// As soon as the start gate says go.
    OnApproval,
    /// After `/trueup start` as well.
    OnCommand,
}

/// Limits on what one plan may do; octoDNS' 30 % is the default for updates and deletes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Deletes in one unit, as percent of what base holds there.
    pub delete_percent: u32,
    /// Updates and deletes in one unit, as percent of what base holds there.
    pub change_percent: u32,
    /// Units with fewer resources than this are free of the percentages.
    pub from_size: u32,
    /// Writes in one plan.
    pub writes: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { delete_percent: 30, change_percent: 30, from_size: 10, writes: 100_000 }
    }
}

/// A time in which no run starts and nothing merges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// RFC 3339, with an offset.
    pub from: Str,
    /// RFC 3339, with an offset.
    pub until: Str,
    /// Shown to whoever waits for the end of it.
    pub reason: Str,
}

/// What a plan does with live state that is neither base, merged nor ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDrift {
    /// Refuse and show both.
    Block,
    /// Plan the write from what is live; approvers see it marked.
    Overwrite,
}

/// What a plan does for those who still remember what stood there before: caches that keep a record for its TTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rollout {
    /// Nothing waits for caches; references are kept in order all the same.
    AtOnce,
    /// What was pointed at goes only after the TTL of the record that pointed there.
    Wait,
    /// As `wait`; and addresses that all change stand beside the new ones for the TTL, and what moves to a new name waits until no cache remembers that it was not there.
    Expand,
}

/// A record type that a target lacks, left out by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SkippedType {
    /// The type as the source writes it: `Route53Provider/ALIAS`.
    pub r#type: Str,
    /// Shown with the count of what was left out.
    pub reason: Str,
}
