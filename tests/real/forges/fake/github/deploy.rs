//! Deployments and their statuses.

use super::{
    super::{
        door::{Answer, Ask, paged},
        state::{Deployment, Role, State},
    },
    answer::API,
    git, json,
};
use serde_json::{Value, json};

/// Answers what is below `deployments`.
pub fn answer(state: &mut State, ask: &Ask<'_>, path: &str, rest: &[&str]) -> Answer {
    if ask.method != "GET" && state.role(path, &ask.who) < Role::Write {
        return Answer::refused(403, "Resource not accessible by personal access token");
    }
    let at = state.at();
    match (ask.method, rest) {
        ("GET", []) => {
            let fits = |one: &&Deployment| {
                let says = |name: &str, known: &str| ask.asks(name).is_none_or(|wanted| wanted == known);
                says("sha", &one.sha) && says("task", &one.task) && says("environment", &one.environment)
            };
            paged(ask, API, state.project(path).deployments.iter().rev().filter(fits).map(|one| told(state, one)).collect())
        }
        ("POST", []) => {
            let sha = ask.says("ref").unwrap_or_default().to_owned();
            if !git::has(state, path, &sha) {
                return Answer::refused(422, format!("No ref found for: {sha}"));
            }
            if ask.body["auto_merge"] != false || !ask.body["required_contexts"].as_array().is_some_and(Vec::is_empty) {
                return Answer::refused(409, "Conflict: Commit status checks failed for the ref");
            }
            let text = |key: &str| ask.says(key).unwrap_or_default().to_owned();
            let made = Deployment { id: state.id(), by: ask.who.clone(), branch: sha.clone(), sha, task: text("task"), environment: text("environment"), states: Vec::new(), at };
            state.project_mut(path).deployments.push(made.clone());
            Answer::new(201, told(state, &made))
        }
        (method, [id, "statuses"]) => {
            let Some(known) = state.project_mut(path).deployments.iter_mut().find(|one| one.id.to_string() == *id) else { return Answer::refused(404, "Not Found") };
            let status = |(name, url): &(String, Option<String>)| {
                let mut out = json!({ "id": at, "state": name, "description": "", "created_at": json::time(at) });
                if let Some(url) = url {
                    out["environment_url"] = url.clone().into();
                }
                out
            };
            if method == "GET" {
                let all: Vec<Value> = known.states.iter().rev().map(status).collect();
                return paged(ask, API, all);
            }
            let said = (ask.says("state").unwrap_or_default().to_owned(), ask.says("environment_url").map(str::to_owned));
            known.states.push(said.clone());
            Answer::new(201, status(&said))
        }
        _ => Answer::refused(404, "Not Found"),
    }
}

fn told(state: &State, one: &Deployment) -> Value {
    json!({
        "id": one.id, "sha": one.sha, "ref": one.branch, "task": one.task, "environment": one.environment, "creator": json::user(state, &one.by),
        "created_at": json::time(one.at), "updated_at": json::time(one.at), "description": null,
    })
}
