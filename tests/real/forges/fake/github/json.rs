//! GitHub's JSON of what a fake forge holds: the fields that a driver may want.

use super::super::{
    git,
    state::{CheckRun, Comment, Event, Project, Request, Review, Role, State, Status, Verdict, What},
};
use serde_json::{Value, json};

/// GitHub tells seconds and no less.
pub fn time(at: i64) -> String {
    jiff::Timestamp::from_second(at.div_euclid(1000)).unwrap().to_string()
}

pub fn user(state: &State, login: &str) -> Value {
    let kind = if login.ends_with("[bot]") { "Bot" } else { "User" };
    match state.users.get(login) {
        Some(account) => json!({ "login": login, "id": account.id, "type": kind, "site_admin": false }),
        None => Value::Null,
    }
}

/// Whose address it is, as far as anybody signed up with it.
pub fn by_mail(state: &State, mail: &str) -> Value {
    let login = state.users.values().find(|user| user.email == mail).map(|user| user.login.clone());
    login.map_or(Value::Null, |login| user(state, &login))
}

pub fn repository(state: &State, project: &Project, host: &str, who: &str) -> Value {
    let (owner, name) = project.path.split_once('/').unwrap();
    let role = state.role(&project.path, who);
    let mut out = json!({
        "id": project.id, "name": name, "full_name": project.path, "private": true, "default_branch": project.default_branch, "fork": project.fork_of.is_some(),
        "owner": user(state, owner), "clone_url": format!("{host}/{}.git", project.path), "html_url": format!("{host}/{}", project.path), "archived": false,
        "allow_merge_commit": project.methods.contains(&super::super::state::Method::Merge), "allow_squash_merge": project.methods.contains(&super::super::state::Method::Squash),
        "allow_rebase_merge": false, "delete_branch_on_merge": project.tidy,
        "permissions": { "admin": role >= Role::Admin, "maintain": role >= Role::Maintain, "push": role >= Role::Write, "triage": role >= Role::Triage, "pull": role >= Role::Read },
    });
    if out["owner"].is_null() {
        out["owner"] = json!({ "login": owner, "id": 1, "type": "Organization", "site_admin": false });
    }
    out
}

/// A request; `whole`: as it is told alone, not in a list.
pub fn pull(state: &State, path: &str, request: &Request, host: &str, whole: bool) -> Value {
    let project = state.project(path);
    let branch = |at: &str, name: &str, sha: &str| {
        let owner = at.split('/').next().unwrap();
        let repo = state.projects.get(at).map(
            |project| json!({ "id": project.id, "full_name": at, "fork": project.fork_of.is_some(), "name": at.rsplit('/').next(), "default_branch": project.default_branch }),
        );
        let user = user(state, owner);
        let user = if user.is_null() { json!({ "login": owner, "id": 1, "type": "Organization", "site_admin": false }) } else { user };
        json!({ "label": format!("{owner}:{name}"), "ref": name, "sha": sha, "repo": repo, "user": user })
    };
    let merged = request.merged.as_ref();
    let closed = merged.map(|merged| merged.at).or_else(|| request.closed.then_some(request.updated));
    let mut out = json!({
        "id": project.id * 1000 + request.number, "number": request.number, "state": if request.open() { "open" } else { "closed" }, "locked": false, "title": request.title,
        "user": user(state, &request.author), "body": request.body, "labels": request.labels.iter().map(|label| json!({ "name": label })).collect::<Vec<_>>(),
        "created_at": time(request.created), "updated_at": time(request.updated), "closed_at": closed.map(time), "merged_at": merged.map(|merged| time(merged.at)),
        "merge_commit_sha": merged.map(|merged| merged.commit.clone()), "draft": request.draft,
        "head": branch(&request.source_project, &request.source, &request.head), "base": branch(path, &request.target, &request.base),
        "html_url": format!("{host}/{path}/pull/{}", request.number), "url": format!("{host}/api/v3/repos/{path}/pulls/{}", request.number),
    });
    if whole {
        let clean = git::merged_tree(project, request).is_some();
        out["merged"] = merged.is_some().into();
        out["merged_by"] = merged.map_or(Value::Null, |merged| user(state, &merged.by));
        out["mergeable"] = if request.open() { clean.into() } else { Value::Null };
        out["mergeable_state"] = if clean { "blocked" } else { "dirty" }.into();
        out["comments"] = request.comments.len().into();
        out["review_comments"] = request.threads.len().into();
        out["commits"] = git::commits(project, request).len().into();
    }
    out
}

pub fn comment(state: &State, path: &str, number: u64, comment: &Comment, host: &str) -> Value {
    json!({
        "id": comment.id, "node_id": super::graphql::node_id(comment.id), "body": comment.body, "user": user(state, &comment.by), "created_at": time(comment.at), "updated_at": time(comment.edited),
        "html_url": format!("{host}/{path}/pull/{number}#issuecomment-{}", comment.id), "issue_url": format!("{host}/api/v3/repos/{path}/issues/{number}"),
    })
}

pub fn review(state: &State, review: &Review) -> Value {
    let verdict = match review.verdict {
        Verdict::Approved => "APPROVED",
        Verdict::ChangesRequested => "CHANGES_REQUESTED",
        Verdict::Commented => "COMMENTED",
        Verdict::Dismissed => "DISMISSED",
    };
    json!({ "id": review.id, "user": user(state, &review.by), "body": review.body, "state": verdict, "submitted_at": time(review.at), "commit_id": review.head })
}

pub fn status(state: &State, status: &Status) -> Value {
    json!({
        "id": status.id, "state": status.state, "description": status.text, "target_url": status.link, "context": status.context,
        "created_at": time(status.at), "updated_at": time(status.at), "creator": user(state, &status.by),
    })
}

/// In the combined status nobody is told who set it.
pub fn simple_status(status: &Status) -> Value {
    json!({
        "id": status.id, "state": status.state, "description": status.text, "target_url": status.link, "context": status.context,
        "created_at": time(status.at), "updated_at": time(status.at),
    })
}

pub fn run(state: &State, run: &CheckRun, head: &str) -> Value {
    let app = state.app.as_ref().filter(|app| app.slug == run.app).map_or(1, |app| app.id);
    let status = if run.conclusion.is_some() { "completed" } else { "in_progress" };
    json!({
        "id": run.id, "head_sha": head, "name": run.name, "status": status, "conclusion": run.conclusion, "started_at": time(run.at), "external_id": run.external_id,
        "app": { "id": app, "slug": run.app, "name": run.app }, "details_url": run.link,
        "output": { "title": run.title, "summary": run.summary, "text": null, "annotations_count": 0, "annotations_url": "" },
    })
}

pub fn commit(state: &State, parts: &[String; 5]) -> Value {
    let [sha, author, committer, message, parents] = parts;
    let name = |mail: &str| mail.split('@').next().unwrap_or_default().to_owned();
    json!({
        "sha": sha,
        "commit": { "message": message, "author": { "name": name(author), "email": author }, "committer": { "name": name(committer), "email": committer } },
        "author": by_mail(state, author), "committer": by_mail(state, committer),
        "parents": parents.split(' ').filter(|parent| !parent.is_empty()).map(|parent| json!({ "sha": parent })).collect::<Vec<_>>(),
    })
}

pub fn event(state: &State, event: &Event) -> Option<Value> {
    let mut out = json!({ "id": event.id, "actor": user(state, &event.by), "created_at": time(event.at), "commit_id": null });
    let mut named = |kind: &str| out["event"] = kind.into();
    match &event.what {
        What::Labeled(label) => {
            named("labeled");
            out["label"] = json!({ "name": label, "color": "ededed" });
        }
        What::Unlabeled(label) => {
            named("unlabeled");
            out["label"] = json!({ "name": label, "color": "ededed" });
        }
        What::Closed => named("closed"),
        What::Reopened => named("reopened"),
        What::Merged(commit) => {
            named("merged");
            out["commit_id"] = commit.clone().into();
        }
        What::ForcePushed => named("head_ref_force_pushed"),
        // GitHub tells pushes among the branch's activity.
        What::Pushed => return None,
        What::Retargeted => named("base_ref_changed"),
        What::Draft(true) => named("convert_to_draft"),
        What::Draft(false) => named("ready_for_review"),
    }
    Some(out)
}
