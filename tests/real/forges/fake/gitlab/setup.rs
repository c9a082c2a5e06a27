//! What a maintainer sets in a project: webhooks, labels, the protection of a branch, and how it merges and approves.

use super::{
    super::{
        door::{Answer, Ask, paged},
        git,
        state::{Hook, Protection, Role, State},
    },
    json,
    requests::API,
};
use serde_json::{Value, json};

fn missing() -> Answer {
    Answer::new(404, json!({ "message": "404 Not Found" }))
}

/// Answers what is below `hooks`, `labels`, `protected_branches` and `approvals`, and edits of the project.
pub fn answer(state: &mut State, ask: &Ask<'_>, path: &str, rest: &[&str]) -> Answer {
    let may = state.role(path, &ask.who);
    if (ask.method != "GET" || rest.first() == Some(&"hooks")) && may < if rest.first() == Some(&"labels") { Role::Write } else { Role::Maintain } {
        return Answer::new(403, json!({ "message": "403 Forbidden" }));
    }
    match (ask.method, rest) {
        ("GET", ["hooks"]) => paged(ask, API, state.project(path).hooks.iter().map(hook).collect()),
        ("POST", ["hooks"]) => {
            let made = edited(Hook { id: state.id(), active: true, json: true, verified: true, ..Hook::default() }, ask);
            state.project_mut(path).hooks.push(made.clone());
            Answer::new(201, hook(&made))
        }
        ("PUT", ["hooks", id]) => match state.project_mut(path).hooks.iter_mut().find(|hook| hook.id.to_string() == *id) {
            Some(known) => {
                *known = edited(known.clone(), ask);
                Answer::ok(hook(known))
            }
            None => missing(),
        },
        ("GET", ["labels"]) => paged(ask, API, state.project(path).labels.iter().map(|name| json!({ "name": name, "color": "#ededed" })).collect()),
        ("POST", ["labels"]) => {
            let name = ask.says("name").unwrap_or_default().to_owned();
            if !state.project_mut(path).labels.insert(name.clone()) {
                return Answer::new(409, json!({ "message": "Label already exists" }));
            }
            Answer::new(201, json!({ "name": name, "color": ask.says("color") }))
        }
        ("GET", ["protected_branches"]) => paged(ask, API, state.project(path).protection.iter().map(|(branch, rules)| protected(state, branch, rules)).collect()),
        ("GET", ["protected_branches", branch]) => state.project(path).protection.get(*branch).map_or_else(missing, |rules| Answer::ok(protected(state, branch, rules))),
        ("POST", ["protected_branches"]) => {
            let branch = ask.says("name").unwrap_or_default().to_owned();
            if state.project(path).protection.contains_key(&branch) {
                return Answer::new(409, json!({ "message": format!("Protected branch '{branch}' already exists") }));
            }
            let rules = Protection { may_push: people(state, &ask.body["allowed_to_merge"]).collect(), for_admins: true, ..Protection::default() };
            let told = protected(state, &branch, &rules);
            state.project_mut(path).protection.insert(branch, rules);
            git::guard(state, path);
            Answer::new(201, told)
        }
        ("PATCH", ["protected_branches", branch]) => {
            let people: Vec<String> = people(state, &ask.body["allowed_to_merge"]).collect();
            let Some(rules) = state.project_mut(path).protection.get_mut(*branch) else { return missing() };
            rules.may_push.extend(people);
            let rules = rules.clone();
            git::guard(state, path);
            Answer::ok(protected(state, branch, &rules))
        }
        ("PUT", []) => {
            if let Some(must) = ask.body["only_allow_merge_if_pipeline_succeeds"].as_bool() {
                state.project_mut(path).pipelines_must_pass = Some(must);
            }
            Answer::ok(json::project(state, state.project(path), &ask.who))
        }
        ("GET", ["approvals"]) => state.project(path).reset_approvals.map_or_else(missing, |reset| Answer::ok(json!({ "reset_approvals_on_push": reset }))),
        ("POST", ["approvals"]) => match state.project_mut(path).reset_approvals.as_mut() {
            Some(reset) => {
                *reset = ask.body["reset_approvals_on_push"] == true;
                Answer::new(201, json!({ "reset_approvals_on_push": reset }))
            }
            None => missing(),
        },
        _ => missing(),
    }
}

/// The accounts that a rule names.
fn people(state: &State, levels: &Value) -> impl Iterator<Item = String> {
    let ids: Vec<u64> = levels.as_array().into_iter().flatten().filter_map(|level| level["user_id"].as_u64()).collect();
    let logins: Vec<String> = state.users.values().filter(|user| ids.contains(&user.id)).map(|user| user.login.clone()).collect();
    logins.into_iter()
}

fn protected(state: &State, branch: &str, rules: &Protection) -> Value {
    let level = |level: u32, said: &str| json!({ "id": 1, "access_level": level, "access_level_description": said, "user_id": null });
    let one = |login: &String| json!({ "id": state.users[login].id, "access_level": 40, "access_level_description": login, "user_id": state.users[login].id });
    let merges: Vec<Value> = if rules.may_push.is_empty() { vec![level(40, "Maintainers")] } else { rules.may_push.iter().map(one).collect() };
    json!({ "id": 1, "name": branch, "push_access_levels": [level(0, "No one")], "merge_access_levels": merges })
}

fn edited(mut hook: Hook, ask: &Ask<'_>) -> Hook {
    let text = |key: &str| ask.says(key).map(str::to_owned);
    hook.url = text("url").unwrap_or(hook.url);
    hook.secret = text("token").or(text("signing_token")).or(hook.secret);
    hook.verified = ask.body["enable_ssl_verification"].as_bool().unwrap_or(hook.verified);
    for event in ["push_events", "merge_requests_events", "note_events", "pipeline_events"] {
        match ask.body[event].as_bool() {
            Some(true) => drop(hook.events.insert(event.to_owned())),
            Some(false) => drop(hook.events.remove(event)),
            None => {}
        }
    }
    hook
}

fn hook(hook: &Hook) -> Value {
    let mut out = json!({ "id": hook.id, "url": hook.url, "enable_ssl_verification": hook.verified, "push_events_branch_filter": "", "token_present": hook.secret.is_some() });
    for event in ["push_events", "merge_requests_events", "note_events", "pipeline_events"] {
        out[event] = hook.events.contains(event).into();
    }
    out
}
