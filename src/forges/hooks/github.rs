//! GitHub's payloads: <https://docs.github.com/en/webhooks/webhook-events-and-payloads>.

use super::{
    hint::{Push, Reading, RepositoryNews, Subject},
    read::{Unreadable, branch, carried, commit, is_ours, json, time},
};
use crate::core::model::{CommitId, Time};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    action: Option<String>,
    repository: Option<Repository>,
    sender: Option<Account>,
    pusher: Option<Pusher>,
    pull_request: Option<Pull>,
    issue: Option<Issue>,
    comment: Option<Stamped>,
    review: Option<Stamped>,
    check_run: Option<Check>,
    check_suite: Option<Check>,
    changes: Option<Changes>,
    #[serde(rename = "ref")]
    name: Option<String>,
    ref_type: Option<String>,
    after: Option<String>,
    commits: Option<serde_json::Value>,
    sha: Option<String>,
    context: Option<String>,
    updated_at: Option<String>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
    name: String,
    owner: Option<Account>,
    /// Seconds in a push, text elsewhere.
    pushed_at: Option<serde_json::Value>,
    updated_at: Option<String>,
}

#[derive(Deserialize)]
struct Account {
    login: Option<String>,
}

#[derive(Deserialize)]
struct Pusher {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Pull {
    number: u64,
    updated_at: Option<String>,
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "ref")]
    name: String,
    sha: String,
}

#[derive(Deserialize)]
struct Issue {
    number: u64,
    /// There when the issue is a pull request.
    pull_request: Option<serde::de::IgnoredAny>,
    updated_at: Option<String>,
}

#[derive(Deserialize)]
struct Stamped {
    updated_at: Option<String>,
    submitted_at: Option<String>,
}

#[derive(Deserialize)]
struct Check {
    head_sha: String,
    name: Option<String>,
    updated_at: Option<String>,
    completed_at: Option<String>,
    started_at: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Changes {
    repository: Option<RenamedRepository>,
    owner: Option<NewOwner>,
}

#[derive(Deserialize)]
struct RenamedRepository {
    name: From<String>,
}

#[derive(Deserialize)]
struct NewOwner {
    from: OldOwner,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OldOwner {
    user: Option<Account>,
    organization: Option<Account>,
}

#[derive(Deserialize)]
struct From<T> {
    from: T,
}

pub(super) fn read(event: &str, payload: &[u8]) -> Result<Reading, Unreadable> {
    // Many events have keys of these names with other things behind them; only those we know are read whole.
    if !KNOWN.contains(&event) {
        return Ok(Reading::default());
    }
    let payload: Payload = json(payload)?;
    let repository = payload.repository.as_ref();
    let mut reading = Reading { projects: repository.map(|repository| repository.full_name.clone()).into_iter().collect(), ..Reading::default() };
    let missing = |what: &str| Unreadable(format!("the payload of `{event}` has no `{what}`"));
    match event {
        "push" => {
            let name = payload.name.as_deref().ok_or_else(|| missing("ref"))?;
            reading.about = branch(name).map(|name| Subject::Branch(name.into()));
            reading.at = repository.and_then(|repository| repository.pushed_at.as_ref()?.as_i64()).map(|seconds| Time(seconds.saturating_mul(1000)));
            let push = |(name, commit): (&str, CommitId)| Push { with: carried(payload.commits.as_ref(), &commit), commit, branch: name.into(), by: accounts(&payload) };
            reading.push = branch(name).zip(payload.after.as_deref().and_then(commit)).map(push);
        }
        "create" | "delete" => {
            let name = payload.name.as_deref().ok_or_else(|| missing("ref"))?;
            reading.about = (payload.ref_type.as_deref() == Some("branch")).then(|| Subject::Branch(name.into()));
        }
        "issue_comment" => {
            let issue = payload.issue.as_ref().ok_or_else(|| missing("issue"))?;
            reading.about = issue.pull_request.as_ref().map(|_| Subject::Mr(issue.number));
            reading.at = time(stamp(payload.comment.as_ref()).or(issue.updated_at.as_deref()));
        }
        "status" => {
            let sha = payload.sha.as_deref().ok_or_else(|| missing("sha"))?;
            let ours = payload.context.as_deref().is_some_and(is_ours);
            reading.about = commit(sha).filter(|_| !ours).map(Subject::Commit);
            reading.at = time(payload.updated_at.as_deref());
        }
        "check_run" | "check_suite" => {
            let check = payload.check_run.as_ref().or(payload.check_suite.as_ref()).ok_or_else(|| missing(event))?;
            let ours = check.name.as_deref().is_some_and(is_ours);
            reading.about = commit(&check.head_sha).filter(|_| !ours).map(Subject::Commit);
            reading.at = time(check.completed_at.as_deref().or(check.updated_at.as_deref()).or(check.started_at.as_deref()));
        }
        "repository" => {
            reading.about = repository_news(&payload).map(Subject::Repository);
            reading.at = repository.and_then(|repository| time(repository.updated_at.as_deref()));
            reading.projects.extend(before(&payload));
        }
        _ => {
            let pull = payload.pull_request.as_ref().ok_or_else(|| missing("pull_request"))?;
            reading.about = Some(Subject::Mr(pull.number));
            reading.at = time(stamp(payload.review.as_ref()).or(stamp(payload.comment.as_ref())).or(pull.updated_at.as_deref()));
            if payload.action.as_deref() == Some("synchronize") {
                reading.push = commit(&pull.head.sha).map(|commit| Push { commit, with: Vec::new(), branch: (*pull.head.name).into(), by: accounts(&payload) });
            }
        }
    }
    Ok(reading)
}

/// The events that say something about merge requests; the last four carry a `pull_request`.
const KNOWN: [&str; 12] = [
    "push",
    "create",
    "delete",
    "issue_comment",
    "status",
    "check_run",
    "check_suite",
    "repository",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
];

fn stamp(stamped: Option<&Stamped>) -> Option<&str> {
    let stamped = stamped?;
    stamped.updated_at.as_deref().or(stamped.submitted_at.as_deref())
}

/// Whoever the delivery says pushed: a deploy key's pusher is named after somebody else than its sender, and both count.
fn accounts(payload: &Payload) -> Vec<crate::core::model::Str> {
    let sender = payload.sender.as_ref().and_then(|sender| sender.login.as_deref());
    let pusher = payload.pusher.as_ref().and_then(|pusher| pusher.name.as_deref());
    let mut by: Vec<_> = sender.into_iter().chain(pusher).map(Into::into).collect();
    by.dedup();
    by
}

fn repository_news(payload: &Payload) -> Option<RepositoryNews> {
    match payload.action.as_deref()? {
        "renamed" | "transferred" => Some(RepositoryNews::Moved),
        "deleted" => Some(RepositoryNews::Deleted),
        "edited" | "archived" | "unarchived" => Some(RepositoryNews::Changed),
        _ => None,
    }
}

/// The path that a moved repository had before.
fn before(payload: &Payload) -> Option<String> {
    let (changes, repository) = (payload.changes.as_ref()?, payload.repository.as_ref()?);
    let owner = repository.owner.as_ref().and_then(|owner| owner.login.as_deref());
    if let Some(renamed) = &changes.repository {
        return Some(format!("{}/{}", owner?, renamed.name.from));
    }
    let from = &changes.owner.as_ref()?.from;
    let old = from.user.as_ref().or(from.organization.as_ref())?.login.as_deref()?;
    Some(format!("{old}/{}", repository.name))
}
