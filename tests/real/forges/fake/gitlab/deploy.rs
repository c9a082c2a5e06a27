//! Deployments, whose state moves on and never back.

use super::{
    super::{
        door::{Answer, Ask, paged},
        git,
        state::{Deployment, Role, State},
    },
    json,
    requests::API,
};
use serde_json::{Value, json};

/// Answers what is below `deployments`.
pub fn answer(state: &mut State, ask: &Ask<'_>, path: &str, rest: &[&str]) -> Answer {
    if ask.method != "GET" && state.role(path, &ask.who) < Role::Write {
        return Answer::new(403, json!({ "message": "403 Forbidden" }));
    }
    let at = state.at();
    let text = |key: &str| ask.says(key).unwrap_or_default().to_owned();
    match (ask.method, rest) {
        ("GET", []) => {
            let fits = |one: &&Deployment| ask.asks("environment").is_none_or(|wanted| wanted == one.environment);
            paged(ask, API, state.project(path).deployments.iter().rev().filter(fits).map(|one| told(state, one)).collect())
        }
        ("POST", []) => {
            let sha = text("sha");
            if git::asked(&state.project(path).dir, &["cat-file", "-e", &format!("{sha}^{{commit}}")]).is_none() {
                return Answer::new(400, json!({ "message": { "sha": ["The commit does not exist"] } }));
            }
            let states = vec![(text("status"), None)];
            let made = Deployment { id: state.id(), by: ask.who.clone(), sha, branch: text("ref"), task: String::new(), environment: text("environment"), states, at };
            state.project_mut(path).deployments.push(made.clone());
            Answer::new(201, told(state, &made))
        }
        ("PUT", [id]) => {
            let Some(known) = state.project_mut(path).deployments.iter_mut().find(|one| one.id.to_string() == *id) else {
                return Answer::new(404, json!({ "message": "404 Not found" }));
            };
            let wanted = text("status");
            let is = known.states.last().map(|(name, _)| name.clone()).unwrap_or_default();
            if is == wanted || wanted == "running" {
                return Answer::new(400, json!({ "message": format!("Cannot transition status from {is} to {wanted}") }));
            }
            known.states.push((wanted, None));
            let now = known.clone();
            Answer::ok(told(state, &now))
        }
        _ => Answer::new(404, json!({ "message": "404 Not Found" })),
    }
}

fn told(state: &State, one: &Deployment) -> Value {
    json!({
        "id": one.id, "iid": 1, "sha": one.sha, "ref": one.branch, "status": one.states.last().map(|(name, _)| name), "user": json::user(state, &one.by),
        "environment": { "id": 1, "name": one.environment }, "created_at": json::time(one.at),
    })
}
