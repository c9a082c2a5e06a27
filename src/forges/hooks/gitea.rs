//! Gitea's and Forgejo's payloads: `modules/structs/hook.go` of Gitea.

use super::{
    hint::{Push, Reading, RepositoryNews, Subject},
    read::{Unreadable, branch, carried, commit, is_ours, json, time},
};
use crate::core::model::{CommitId, Str};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    action: Option<String>,
    number: Option<u64>,
    repository: Option<Repository>,
    sender: Option<Account>,
    pusher: Option<Account>,
    pull_request: Option<Pull>,
    issue: Option<Issue>,
    comment: Option<Stamped>,
    is_pull: bool,
    #[serde(rename = "ref")]
    name: Option<String>,
    ref_type: Option<String>,
    after: Option<String>,
    commits: Option<serde_json::Value>,
    sha: Option<String>,
    context: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
    updated_at: Option<String>,
}

#[derive(Deserialize)]
struct Account {
    login: Option<String>,
}

#[derive(Deserialize)]
struct Pull {
    number: Option<u64>,
    updated_at: Option<String>,
    head: Option<Head>,
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
}

#[derive(Deserialize)]
struct Stamped {
    updated_at: Option<String>,
}

pub(super) fn read(event: &str, payload: &[u8]) -> Result<Reading, Unreadable> {
    // Reviews are `pull_request_approved`, `pull_request_rejected`, `pull_request_comment`; more of them come with versions.
    let of_a_pull = event.starts_with("pull_request");
    if !of_a_pull && !["push", "create", "delete", "issue_comment", "status", "repository"].contains(&event) {
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
            reading.at = repository.and_then(|repository| time(repository.updated_at.as_deref()));
            let push = |(name, commit): (&str, CommitId)| Push { with: carried(payload.commits.as_ref(), &commit), commit, branch: name.into(), by: accounts(&payload) };
            reading.push = branch(name).zip(payload.after.as_deref().and_then(commit)).map(push);
        }
        "create" | "delete" => {
            // Gitea says the short name here, other versions the whole one.
            let name = payload.name.as_deref().ok_or_else(|| missing("ref"))?;
            reading.about = (payload.ref_type.as_deref() == Some("branch")).then(|| Subject::Branch(branch(name).unwrap_or(name).into()));
        }
        "issue_comment" => {
            let issue = payload.issue.as_ref().ok_or_else(|| missing("issue"))?;
            reading.about = payload.is_pull.then_some(Subject::Mr(issue.number));
            reading.at = time(payload.comment.as_ref().and_then(|comment| comment.updated_at.as_deref()));
        }
        "status" => {
            let sha = payload.sha.as_deref().ok_or_else(|| missing("sha"))?;
            let ours = payload.context.as_deref().is_some_and(is_ours);
            reading.about = commit(sha).filter(|_| !ours).map(Subject::Commit);
            reading.at = time(payload.updated_at.as_deref().or(payload.created_at.as_deref()));
        }
        "repository" => {
            reading.about = match payload.action.as_deref() {
                Some("deleted") => Some(Subject::Repository(RepositoryNews::Deleted)),
                // One that comes back under the same name.
                Some("created") => Some(Subject::Repository(RepositoryNews::Changed)),
                Some(_) | None => None,
            };
        }
        _ => {
            let pull = payload.pull_request.as_ref().ok_or_else(|| missing("pull_request"))?;
            let number = payload.number.or(pull.number).ok_or_else(|| missing("number"))?;
            reading.about = Some(Subject::Mr(number));
            reading.at = time(pull.updated_at.as_deref());
            if payload.action.as_deref() == Some("synchronized") {
                let tip = pull.head.as_ref().and_then(|head| Some((head, commit(&head.sha)?)));
                reading.push = tip.map(|(head, commit)| Push { commit, with: Vec::new(), branch: (*head.name).into(), by: accounts(&payload) });
            }
        }
    }
    Ok(reading)
}

/// Whoever the delivery says pushed.
fn accounts(payload: &Payload) -> Vec<Str> {
    let mut by: Vec<Str> = [&payload.pusher, &payload.sender].into_iter().flatten().filter_map(|account| account.login.as_deref()).map(Into::into).collect();
    by.dedup();
    by
}
