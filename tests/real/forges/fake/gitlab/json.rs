//! GitLab's JSON of what a fake forge holds: the fields that a driver may want.

use super::super::{
    git,
    state::{Comment, Linear, Project, Request, Role, State, Status, Verdict, What},
};
use serde_json::{Value, json};

pub fn time(at: i64) -> String {
    let text = jiff::Timestamp::from_millisecond(at).unwrap().to_string();
    // Always with its milliseconds.
    if text.contains('.') { text } else { text.replace('Z', ".000Z") }
}

pub fn user(state: &State, login: &str) -> Value {
    state.users.get(login).map_or(Value::Null, |account| json!({ "id": account.id, "username": login, "name": login, "state": "active" }))
}

pub fn project(state: &State, project: &Project, who: &str) -> Value {
    let mut out = json!({
        "id": project.id, "path_with_namespace": project.path, "default_branch": project.default_branch, "merge_method": if project.up_to_date == Linear::No { "merge" } else { "rebase_merge" }, "archived": false,
        "merge_trains_enabled": project.protection.values().any(|rules| rules.queue),
        "permissions": { "project_access": { "access_level": level(state.role(&project.path, who)) }, "group_access": null },
        "forked_from_project": project.fork_of.as_ref().map(|path| json!({ "id": state.project(path).id })),
    });
    if let Some(must) = project.pipelines_must_pass {
        out["only_allow_merge_if_pipeline_succeeds"] = must.into();
    }
    out
}

pub fn level(role: Role) -> u32 {
    match role {
        Role::None => 0,
        Role::Read | Role::Triage => 20,
        Role::Write => 30,
        Role::Maintain => 40,
        Role::Admin => 50,
    }
}

pub fn request(state: &State, path: &str, request: &Request, host: &str) -> Value {
    let project = state.project(path);
    let merged = request.merged.as_ref();
    let two = merged.is_some_and(|merged| git::asked(&project.dir, &["rev-parse", "-q", "--verify", &format!("{}^2", merged.commit)]).is_some());
    let stands = match (request.closed, merged) {
        (_, Some(_)) => "merged",
        (true, None) => "closed",
        (false, None) => "opened",
    };
    json!({
        "id": project.id * 1000 + request.number, "iid": request.number, "project_id": project.id, "title": request.title, "description": request.body, "state": stands,
        "draft": request.draft, "author": user(state, &request.author), "source_branch": request.source, "target_branch": request.target,
        "source_project_id": state.projects.get(&request.source_project).map(|project| project.id), "target_project_id": project.id, "sha": request.head,
        "merge_commit_sha": merged.filter(|_| two).map(|merged| merged.commit.clone()), "squash_commit_sha": merged.filter(|_| !two).map(|merged| merged.commit.clone()),
        "merge_user": merged.map_or(Value::Null, |merged| user(state, &merged.by)), "labels": request.labels, "squash": !project.methods.contains(&super::super::state::Method::Merge),
        "created_at": time(request.created), "updated_at": time(request.updated), "merged_at": merged.map(|merged| time(merged.at)),
        "web_url": format!("{host}/{path}/-/merge_requests/{}", request.number), "detailed_merge_status": "ci_must_pass", "user_notes_count": request.comments.len(),
    })
}

pub fn note(state: &State, comment: &Comment) -> Value {
    line(state, comment.id, &comment.by, &comment.body, comment.at, comment.edited, false)
}

fn line(state: &State, id: u64, by: &str, body: &str, at: i64, edited: i64, system: bool) -> Value {
    json!({
        "id": id, "type": null, "body": body, "author": user(state, by), "created_at": time(at), "updated_at": time(edited), "system": system,
        "noteable_type": "MergeRequest", "resolvable": false, "internal": false,
    })
}

/// Comments, threads and GitLab's own lines, oldest first.
pub fn notes(state: &State, request: &Request) -> Vec<Value> {
    let mut all: Vec<(u64, Value)> = request.comments.iter().map(|comment| (comment.id, note(state, comment))).collect();
    for thread in &request.threads {
        let mut said = line(state, thread.id, &thread.by, &thread.body, thread.at, thread.at, false);
        (said["type"], said["resolvable"], said["resolved"]) = ("DiffNote".into(), true.into(), thread.resolved.into());
        all.push((thread.id, said));
    }
    for event in &request.events {
        let body = match &event.what {
            What::Pushed => "added 1 commit",
            What::Closed => "closed",
            What::Reopened => "reopened",
            What::Merged(_) => "merged",
            What::Retargeted => "changed target branch",
            What::Draft(true) => "marked this merge request as **draft**",
            What::Draft(false) => "marked this merge request as **ready**",
            // Labels have events of their own, and a forced push is one line of the push.
            What::Labeled(_) | What::Unlabeled(_) | What::ForcePushed => continue,
        };
        all.push((event.id, line(state, event.id, &event.by, body, event.at, event.at, true)));
    }
    for review in request.reviews.iter().filter(|review| review.verdict != Verdict::Commented) {
        let body = if review.verdict == Verdict::ChangesRequested { "requested changes" } else { "approved this merge request" };
        all.push((review.id, line(state, review.id, &review.by, body, review.at, review.at, true)));
    }
    all.sort_by_key(|(id, _)| *id);
    all.into_iter().map(|(_, note)| note).collect()
}

pub fn status(state: &State, status: &Status) -> Value {
    json!({
        "id": status.id, "status": if status.state == "failure" { "failed" } else { &status.state }, "name": status.context, "description": status.text,
        "target_url": status.link, "author": user(state, &status.by), "allow_failure": false, "created_at": time(status.at),
    })
}
