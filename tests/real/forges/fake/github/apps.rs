//! What an app asks about itself, where it is installed, and what it may there.

use super::{
    super::{
        apps::Installation,
        door::{Answer, Ask, paged},
        state::State,
    },
    answer::API,
    json, setup,
};
use serde_json::{Value, json};

/// Answers what the app asks under its own name.
pub fn of_itself(state: &mut State, ask: &Ask<'_>) -> Answer {
    let Some(app) = &mut state.app else { return Answer::refused(401, "Bad credentials") };
    match (ask.method, ask.path.as_slice()) {
        ("GET", ["app"]) => {
            let page = format!("{}/apps/{}", ask.host, app.slug);
            Answer::ok(json!({ "id": app.id, "slug": app.slug, "client_id": app.client_id, "name": app.slug, "html_url": page, "events": app.events, "permissions": {} }))
        }
        ("GET", ["app", "hook", "config"]) => Answer::ok(config(&setup::hook(&app.hook))),
        ("PATCH", ["app", "hook", "config"]) => {
            app.hook = setup::configured(app.hook.clone(), &ask.body);
            Answer::ok(config(&setup::hook(&app.hook)))
        }
        ("GET", ["repos", owner, name, "installation"]) => installed(app.of(&format!("{owner}/{name}")), ask),
        ("GET", ["orgs" | "users", owner, "installation"]) => installed(app.installations.iter().find(|one| one.owner == *owner), ask),
        ("POST", ["app", "installations", id, "access_tokens"]) => match app.installations.iter().find(|one| one.id.to_string() == *id) {
            None => Answer::refused(404, "Not Found"),
            Some(one) if one.suspended => Answer::refused(403, "This installation has been suspended"),
            Some(one) => {
                let (token, until) = app.token(one.id);
                Answer::new(201, json!({ "token": token, "expires_at": json::time(until * 1000), "repository_selection": "all" }))
            }
        },
        _ => Answer::refused(401, "A JSON web token could not be decoded"),
    }
}

fn config(hook: &Value) -> Value {
    let mut config = hook["config"].clone();
    if config["url"] == "" {
        config.as_object_mut().expect("it is an object").remove("url");
    }
    config
}

fn installed(found: Option<&Installation>, ask: &Ask<'_>) -> Answer {
    let Some(found) = found else { return Answer::refused(404, "Not Found") };
    let since = found.suspended.then(|| json::time(0));
    let page = format!("{}/organizations/{}/settings/installations/{}", ask.host, found.owner, found.id);
    Answer::ok(json!({ "id": found.id, "permissions": found.permissions, "suspended_at": since, "html_url": page }))
}

/// Answers what an installation alone may ask, and refuses what it may not; `None`: it is answered as anybody.
pub fn of_installation(state: &State, ask: &Ask<'_>, installed: &Installation) -> Option<Answer> {
    let refused = || Answer::refused(403, "Resource not accessible by integration");
    match (ask.method, ask.path.as_slice()) {
        ("GET", ["installation", "repositories"]) => {
            let theirs = state.projects.values().filter(|project| installed.has(&project.path));
            let all: Vec<Value> = theirs.map(|project| json!({ "id": project.id, "full_name": project.path, "archived": false })).collect();
            let total = all.len();
            let mut page = paged(ask, API, all);
            page.body = json!({ "total_count": total, "repositories": page.body });
            Some(page)
        }
        (_, ["user", ..]) => Some(refused()),
        ("GET", ["orgs", _, "teams", ..]) if !installed.may("members", false) => Some(refused()),
        (_, ["repos", owner, name, rest @ ..]) => {
            if !installed.has(&format!("{owner}/{name}")) {
                return Some(Answer::refused(404, "Not Found"));
            }
            let (permission, write) = needs(ask.method, rest);
            (!installed.may(permission, write)).then(|| {
                let mut answer = refused();
                answer.headers.push(("x-accepted-github-permissions".into(), format!("{permission}={}", if write { "write" } else { "read" })));
                answer
            })
        }
        _ => None,
    }
}

/// The permission that a request wants, as GitHub's pages list them.
fn needs(method: &str, rest: &[&str]) -> (&'static str, bool) {
    let write = method != "GET";
    match rest {
        ["pulls", _, "merge"] => ("contents", true),
        ["pulls", ..] => ("pull_requests", write),
        ["issues", ..] | ["labels", ..] => ("issues", write),
        ["statuses", ..] => ("statuses", true),
        ["commits", _, "statuses" | "status"] => ("statuses", false),
        ["commits", _, "check-runs"] => ("checks", false),
        ["check-runs", ..] => ("checks", write),
        ["deployments", ..] => ("deployments", write),
        ["branches", _, "protection"] => ("administration", write),
        ["hooks", ..] => ("repository_hooks", write),
        ["git", ..] | ["commits", ..] | ["activity", ..] => ("contents", write),
        _ => ("metadata", false),
    }
}
