//! Which request is answered by what, after GitHub's own rule on who may see and do it.

use super::super::state::{How, Linear, Method, Protection, Role, State};
use super::{
    super::door::{Answer, Ask, paged},
    deploy, git, json, pulls, runs, setup,
};
use serde_json::{Value, json};

pub const API: &str = "/api/v3";

/// Answers one request below `/api/v3`.
pub fn answer(state: &mut State, ask: &Ask<'_>) -> Answer {
    match (ask.method, ask.path.as_slice()) {
        ("GET", ["user"]) => Answer::ok(json::user(state, &ask.who)),
        ("GET", ["users", login]) => found(json::user(state, login)),
        ("GET", ["rate_limit"]) => Answer::ok(json!({ "resources": { "core": { "limit": 5000, "remaining": state.calls_left, "reset": 0, "used": 0 } } })),
        ("GET", ["orgs", org, "repos"]) => {
            let theirs = state.projects.values().filter(|project| project.path.starts_with(&format!("{org}/")) && state.role(&project.path, &ask.who) >= Role::Read);
            let short = |mut told: Value| {
                // A list tells less than the repository itself.
                let all = told.as_object_mut().expect("it is an object");
                ["allow_merge_commit", "allow_squash_merge", "allow_rebase_merge"].iter().for_each(|key| drop(all.remove(*key)));
                told
            };
            paged(ask, API, theirs.map(|project| short(json::repository(state, project, &ask.host, &ask.who))).collect())
        }
        ("GET", ["orgs", org, "teams", team, "members"]) => match state.teams.get(&format!("{org}/{team}")) {
            Some(members) => paged(ask, API, members.iter().map(|login| json::user(state, login)).collect()),
            None => Answer::refused(404, "Not Found"),
        },
        (_, ["repos", owner, name, rest @ ..]) => {
            let path = format!("{owner}/{name}");
            if state.role(&path, &ask.who) < Role::Read {
                // What somebody may not see is not there.
                return Answer::refused(404, "Not Found");
            }
            repository(state, ask, &path, rest)
        }
        _ => Answer::refused(404, "Not Found"),
    }
}

fn found(body: Value) -> Answer {
    if body.is_null() { Answer::refused(404, "Not Found") } else { Answer::ok(body) }
}

/// Refuses whoever has less than a role.
pub fn needs(state: &State, ask: &Ask<'_>, path: &str, role: Role, done: impl FnOnce() -> Answer) -> Answer {
    if state.role(path, &ask.who) >= role { done() } else { Answer::refused(403, "Resource not accessible by personal access token") }
}

fn repository(state: &mut State, ask: &Ask<'_>, path: &str, rest: &[&str]) -> Answer {
    match (ask.method, rest) {
        ("GET", []) => Answer::ok(json::repository(state, state.project(path), &ask.host, &ask.who)),
        ("GET", ["collaborators", login, "permission"]) => needs(state, ask, path, Role::Write, || permission(state, path, login)),
        ("GET", ["activity"]) => activity(state, ask, path),
        ("GET", ["rules", "branches", branch]) => {
            let protection = &state.project(path).protection;
            // A pattern has no protection here: what is kept under one is a ruleset.
            let rulesets = protection.iter().filter(|(name, _)| name.strip_suffix('*').is_some_and(|start| branch.starts_with(start)));
            let rulesets = rulesets.flat_map(|(_, rules)| {
                let contexts: Vec<Value> = rules.required_statuses.iter().map(|context| json!({ "context": context })).collect();
                [json!({ "type": "update" }), json!({ "type": "required_status_checks", "parameters": { "required_status_checks": contexts } })]
            });
            let strict = (state.project(path).up_to_date == Linear::Told)
                .then(|| json!({ "type": "required_status_checks", "parameters": { "required_status_checks": [], "strict_required_status_checks_policy": true } }));
            Answer::ok(protection.get(*branch).map_or_else(Vec::new, rules).into_iter().chain(rulesets).chain(strict).collect())
        }
        (_, ["check-runs", ..]) => runs::answer(state, ask, path, &rest[1..]),
        (_, ["deployments", ..]) => deploy::answer(state, ask, path, &rest[1..]),
        (_, ["hooks" | "labels", ..] | ["branches", _, "protection"]) => setup::answer(state, ask, path, rest),
        (_, ["pulls", ..]) => pulls::answer(state, ask, path, &rest[1..]),
        (_, ["issues", ..]) => issues(state, ask, path, &rest[1..]),
        ("GET", ["commits", sha, "statuses"]) => {
            let all = state.project(path).statuses.get(*sha).into_iter().flatten().rev().map(|status| json::status(state, status)).collect();
            paged(ask, API, all)
        }
        ("GET", ["commits", sha, "status"]) => {
            let statuses: Vec<Value> = state.project(path).statuses.get(*sha).into_iter().flatten().map(json::simple_status).collect();
            Answer::ok(json!({ "sha": sha, "total_count": statuses.len(), "statuses": statuses, "state": "pending" }))
        }
        ("GET", ["commits", sha, "check-runs"]) => {
            let runs: Vec<Value> = runs::newest(state, ask, path, sha).into_iter().map(|run| json::run(state, run, sha)).collect();
            let total = runs.len();
            let mut page = paged(ask, API, runs);
            page.body = json!({ "total_count": total, "check_runs": page.body });
            page
        }
        ("POST", ["statuses", sha]) => {
            if state.role(path, &ask.who) < Role::Write {
                return Answer::refused(403, "Resource not accessible by personal access token");
            }
            if !git::has(state, path, sha) {
                return Answer::refused(422, format!("No commit found for SHA: {sha}"));
            }
            let (text, link) = (ask.says("description").unwrap_or_default().to_owned(), ask.says("target_url").map(str::to_owned));
            if text.chars().count() > 140 {
                return Answer::refused(422, "Validation Failed: description is too long (maximum is 140 characters)");
            }
            let context = ask.says("context").unwrap_or("default");
            if state.project(path).statuses.get(*sha).into_iter().flatten().filter(|known| known.context == context).count() >= 1000 {
                return Answer::refused(422, "Validation Failed: This SHA and context has reached the maximum number of statuses.");
            }
            let status = state.status(path, sha, &ask.who, context, ask.says("state").unwrap_or_default(), &text, link);
            Answer::new(201, json::status(state, &status))
        }
        ("GET", ["commits", sha]) => match git::commit_of(state, path, sha) {
            Some(parts) => Answer::ok(json::commit(state, &parts)),
            None => Answer::refused(404, "Not Found"),
        },
        (_, ["git", ..]) => git::answer(state, ask, path, &rest[1..]),
        _ => Answer::refused(404, "Not Found"),
    }
}

/// The rules that everybody may read.
fn rules(of: &Protection) -> Vec<Value> {
    let queue = of.queue.then(|| json!({ "type": "merge_queue" }));
    let linear = (of.linear == Linear::Told).then(|| json!({ "type": "required_linear_history" }));
    let ways: Vec<&str> = of.ways.iter().map(|way| if *way == Method::Squash { "squash" } else { "merge" }).collect();
    let ways = (!ways.is_empty()).then(|| {
        let parameters = json!({
            "allowed_merge_methods": ways, "dismiss_stale_reviews_on_push": false, "require_code_owner_review": false, "require_last_push_approval": false,
            "required_approving_review_count": 0, "required_review_thread_resolution": false,
        });
        json!({ "type": "pull_request", "parameters": parameters })
    });
    queue.into_iter().chain(linear).chain(ways).collect()
}

fn permission(state: &State, path: &str, login: &str) -> Answer {
    if !state.users.contains_key(login) {
        return Answer::refused(404, format!("{login} is not a user"));
    }
    let (permission, role) = match state.role(path, login) {
        Role::None => ("none", "none"),
        Role::Read => ("read", "read"),
        Role::Triage => ("read", "triage"),
        Role::Write => ("write", "write"),
        Role::Maintain => ("write", "maintain"),
        Role::Admin => ("admin", "admin"),
    };
    Answer::ok(json!({ "permission": permission, "role_name": role, "user": json::user(state, login) }))
}

/// Newest first, all in one answer here.
fn activity(state: &State, ask: &Ask<'_>, path: &str) -> Answer {
    let wanted = ask.asks("ref").map(|name| name.trim_start_matches("refs/heads/").to_owned());
    let zero = "0".repeat(40);
    let all = state.project(path).pushes.iter().rev().filter(|push| wanted.as_ref().is_none_or(|wanted| *wanted == push.branch)).map(|push| {
        let kind = match (push.before == zero, push.after == zero, push.forced, push.how) {
            (true, _, _, _) => "branch_creation",
            (_, true, _, _) => "branch_deletion",
            (_, _, true, _) => "force_push",
            (false, false, false, How::Merged) => "pr_merge",
            (false, false, false, How::Pushed | How::AtOnce(_)) => "push",
        };
        json!({
            "id": push.id, "before": push.before, "after": push.after, "ref": format!("refs/heads/{}", push.branch), "timestamp": json::time(push.at),
            "activity_type": kind, "actor": json::user(state, &push.by),
        })
    });
    Answer::ok(all.collect())
}

/// What pull requests share with issues: comments, labels, events.
fn issues(state: &mut State, ask: &Ask<'_>, path: &str, rest: &[&str]) -> Answer {
    if let ["comments", id, ..] = rest {
        let Ok(id) = id.parse::<u64>() else { return Answer::refused(404, "Not Found") };
        return comment(state, ask, path, id, &rest[2..]);
    }
    let number = rest.first().and_then(|number| number.parse::<u64>().ok());
    let Some((number, request)) = number.and_then(|number| Some((number, state.project(path).requests.get(&number)?.clone()))) else { return Answer::refused(404, "Not Found") };
    match (ask.method, &rest[1..]) {
        ("GET", ["comments"]) => {
            let all = request.comments.iter().filter(|comment| ask.asks("since").is_none_or(|since| *json::time(comment.edited) >= *since));
            paged(ask, API, all.map(|comment| json::comment(state, path, number, comment, &ask.host)).collect())
        }
        ("POST", ["comments"]) => {
            let body = ask.says("body").unwrap_or_default();
            if body.chars().count() > 65_536 {
                return Answer::refused(422, "Validation Failed: body is too long (maximum is 65536 characters)");
            }
            let id = state.comment(path, number, &ask.who, body);
            let made = state.project(path).requests[&number].comments.iter().find(|comment| comment.id == id).unwrap().clone();
            Answer::new(201, json::comment(state, path, number, &made, &ask.host))
        }
        ("GET", ["events"]) => paged(ask, API, request.events.iter().filter_map(|event| json::event(state, event)).collect()),
        (method, ["labels", ..]) => {
            if state.role(path, &ask.who) < Role::Triage {
                return Answer::refused(403, "Resource not accessible by personal access token");
            }
            match (method, &rest[2..]) {
                ("GET", []) => {}
                ("POST", []) => {
                    for label in ask.body["labels"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                        state.label(path, number, &ask.who, label, true);
                    }
                }
                ("DELETE", [label]) => {
                    if !request.labels.contains(*label) {
                        return Answer::refused(404, "Label does not exist");
                    }
                    state.label(path, number, &ask.who, label, false);
                }
                _ => return Answer::refused(404, "Not Found"),
            }
            let now = &state.project(path).requests[&number].labels;
            Answer::ok(now.iter().map(|label| json!({ "name": label })).collect())
        }
        _ => Answer::refused(404, "Not Found"),
    }
}

fn comment(state: &mut State, ask: &Ask<'_>, path: &str, id: u64, rest: &[&str]) -> Answer {
    let found = state.project(path).requests.values().find_map(|request| Some((request.number, request.comments.iter().find(|comment| comment.id == id)?.clone())));
    let Some((number, known)) = found else { return Answer::refused(404, "Not Found") };
    let at = state.at();
    match (ask.method, rest) {
        ("GET", []) => Answer::ok(json::comment(state, path, number, &known, &ask.host)),
        ("PATCH", []) => {
            if known.by != ask.who {
                return Answer::refused(403, "Must have admin rights to Repository.");
            }
            let body = ask.says("body").unwrap_or_default().to_owned();
            if body.chars().count() > 65_536 {
                return Answer::refused(422, "Validation Failed: body is too long (maximum is 65536 characters)");
            }
            let request = state.request_mut(path, number);
            request.updated = at;
            let edited = request.comments.iter_mut().find(|comment| comment.id == id).unwrap();
            edited.body = body;
            edited.edited = at;
            let edited = edited.clone();
            Answer::ok(json::comment(state, path, number, &edited, &ask.host))
        }
        ("POST", ["reactions"]) => {
            let content = ask.says("content").unwrap_or_default().to_owned();
            let request = state.request_mut(path, number);
            let comment = request.comments.iter_mut().find(|comment| comment.id == id).unwrap();
            let new = comment.reactions.insert((ask.who.clone(), content.clone()));
            let user = json::user(state, &ask.who);
            Answer::new(if new { 201 } else { 200 }, json!({ "id": id, "user": user, "content": content, "created_at": json::time(at) }))
        }
        _ => Answer::refused(404, "Not Found"),
    }
}
