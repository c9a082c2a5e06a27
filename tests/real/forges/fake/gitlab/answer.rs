//! Which request is answered by what, after GitLab's own rule on who may see and do it.

use super::{
    super::{
        door::{Answer, Ask, paged, paged_by},
        git,
        state::{How, Push, Role, State},
    },
    deploy, json,
    requests::{self, API},
    setup,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Answers one request below `/api/v4`.
pub fn answer(state: &mut State, ask: &Ask<'_>) -> Answer {
    match (ask.method, ask.path.as_slice()) {
        ("GET", ["user"]) => Answer::ok(json::user(state, &ask.who)),
        ("GET", ["users"]) => {
            let by_mail = ask.asks("search").and_then(|mail| state.users.values().find(|user| user.email == mail)).map(|user| user.login.as_str());
            let found: Vec<Value> = ask.asks("username").or(by_mail).into_iter().map(|login| json::user(state, login)).filter(|user| !user.is_null()).collect();
            Answer::ok(found.into())
        }
        ("GET", ["groups", group, "projects"]) => {
            let theirs = state.projects.values().filter(|project| project.path.starts_with(&format!("{group}/")) && state.role(&project.path, &ask.who) >= Role::Read);
            paged(ask, API, theirs.map(|project| json::project(state, project, &ask.who)).collect())
        }
        ("GET", ["groups", path, "members"]) => match state.teams.get(*path) {
            Some(members) => {
                let member = |login: &String| json!({ "id": state.users[login].id, "username": login, "state": "active", "access_level": 30 });
                paged(ask, API, members.iter().map(member).chain([json!({ "id": 1, "username": "guest", "state": "active", "access_level": 10 })]).collect())
            }
            None => missing(),
        },
        (_, ["projects", id, rest @ ..]) => {
            let found = state.projects.values().find(|project| project.path == *id || project.id.to_string() == *id).map(|project| project.path.clone());
            match found.filter(|path| state.role(path, &ask.who) >= Role::Read) {
                Some(path) => project(state, ask, &path, rest),
                // What somebody may not see is not there.
                None => Answer::new(404, json!({ "message": "404 Project Not Found" })),
            }
        }
        _ => missing(),
    }
}

fn missing() -> Answer {
    Answer::new(404, json!({ "message": "404 Not Found" }))
}

fn project(state: &mut State, ask: &Ask<'_>, path: &str, rest: &[&str]) -> Answer {
    match (ask.method, rest) {
        ("GET", []) => Answer::ok(json::project(state, state.project(path), &ask.who)),
        (_, ["deployments", rest @ ..]) => deploy::answer(state, ask, path, rest),
        (_, ["hooks" | "labels" | "protected_branches" | "approvals", ..]) | ("PUT", []) => setup::answer(state, ask, path, rest),
        (_, ["merge_requests", rest @ ..]) => requests::answer(state, ask, path, rest),
        ("GET", ["members", "all", id]) => {
            let user = state.users.values().find(|user| user.id.to_string() == *id).map(|user| user.login.clone());
            let role = user.as_ref().map_or(Role::None, |login| state.role(path, login));
            match user.filter(|_| role > Role::None) {
                Some(login) => Answer::ok(json!({ "id": state.users[&login].id, "username": login, "access_level": json::level(role) })),
                None => missing(),
            }
        }
        ("GET", ["repository", "branches", branch]) => match git::tip(&state.project(path).dir, branch) {
            Some(tip) => Answer::ok(json!({ "name": branch, "commit": { "id": tip } })),
            None => Answer::new(404, json!({ "message": "404 Branch Not Found" })),
        },
        ("GET", ["repository", "commits", sha, "statuses"]) => {
            let project = state.project(path);
            let mut latest: BTreeMap<&str, Value> = BTreeMap::new();
            for status in project.statuses.get(*sha).into_iter().flatten() {
                latest.insert(&status.context, json::status(state, status));
            }
            for run in project.runs.get(*sha).into_iter().flatten() {
                let stands = match run.conclusion.as_deref() {
                    None => "running",
                    Some("success") => "success",
                    Some("skipped") => "skipped",
                    Some(_) => "failed",
                };
                latest.insert(
                    &run.name,
                    json!({ "id": run.id, "status": stands, "name": run.name, "description": null, "author": json::user(state, "ada"), "allow_failure": false }),
                );
            }
            paged(ask, API, latest.into_values().collect())
        }
        ("GET", ["jobs", id]) => match state.project(path).runs.values().flatten().find(|run| run.id.to_string() == *id) {
            Some(run) => Answer::ok(json!({ "id": run.id, "name": run.name })),
            None => missing(),
        },
        ("POST", ["statuses", sha]) => set_status(state, ask, path, sha),
        ("GET", ["events"]) => events(state, ask, path),
        _ => missing(),
    }
}

/// What a push did to its branch.
fn action(push: &Push) -> &'static str {
    let none = |commit: &str| commit.bytes().all(|byte| byte == b'0');
    match (none(&push.before), none(&push.after)) {
        (true, _) => "created",
        (_, true) => "removed",
        (false, false) => "pushed",
    }
}

/// Who pushed what, newest first. What was pushed with many others is one event that names none of them.
fn events(state: &State, ask: &Ask<'_>, path: &str) -> Answer {
    let pushes = &state.project(path).pushes;
    let mut told = BTreeSet::new();
    let first = |push: &&Push| match push.how {
        How::Pushed | How::Merged => true,
        How::AtOnce(n) => told.insert((n, action(push))),
    };
    let all: Vec<&Push> = pushes.iter().rev().filter(first).collect();
    paged_by(ask, API, all, |push| {
        let pushed = match push.how {
            How::Pushed | How::Merged => json!({ "commit_count": 1, "commit_from": push.before, "commit_to": push.after, "ref": push.branch, "ref_count": null }),
            How::AtOnce(_) => {
                let count = pushes.iter().filter(|other| other.how == push.how && action(other) == action(push)).count();
                json!({ "commit_count": 0, "commit_from": null, "commit_to": null, "ref": null, "commit_title": null, "ref_count": count })
            }
        };
        let mut event = json!({ "id": push.id, "action_name": "pushed to", "author_username": push.by, "created_at": json::time(push.at), "push_data": pushed });
        (event["push_data"]["action"], event["push_data"]["ref_type"]) = (action(push).into(), "branch".into());
        if push.by.is_empty() {
            event["author_username"] = Value::Null;
        }
        event
    })
}

fn set_status(state: &mut State, ask: &Ask<'_>, path: &str, sha: &str) -> Answer {
    if state.role(path, &ask.who) < Role::Write {
        return Answer::new(403, json!({ "message": "403 Forbidden" }));
    }
    if git::asked(&state.project(path).dir, &["cat-file", "-e", &format!("{sha}^{{commit}}")]).is_none() {
        return Answer::new(404, json!({ "message": "404 Commit Not Found" }));
    }
    let name = ask.says("name").or_else(|| ask.says("context")).unwrap_or("default").to_owned();
    let wanted = match ask.says("state").unwrap_or_default() {
        "failed" => "failure",
        other => other,
    };
    let last = state.project(path).statuses.get(sha).into_iter().flatten().rfind(|status| status.context == name && status.by == ask.who);
    if wanted == "pending" && last.is_some_and(|last| last.state == "pending") {
        return Answer::new(400, json!({ "message": "Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via \"enqueue\")" }));
    }
    let (text, link, wanted) = (ask.says("description").unwrap_or_default().to_owned(), ask.says("target_url").map(str::to_owned), wanted.to_owned());
    let status = state.status(path, sha, &ask.who, &name, &wanted, &text, link);
    Answer::new(201, json::status(state, &status))
}
