//! What an administrator sets in a repository: webhooks, labels and the protection of a branch.

use super::{
    super::{
        door::{Answer, Ask, paged},
        git,
        state::{Hook, Linear, Protection, Role, State},
    },
    answer::{API, needs},
    json,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Answers what is below `hooks`, `labels` and `branches/…/protection`.
pub fn answer(state: &mut State, ask: &Ask<'_>, path: &str, rest: &[&str]) -> Answer {
    match (ask.method, rest) {
        // What somebody may not see is not there.
        (_, ["hooks", ..]) if state.role(path, &ask.who) < Role::Admin => Answer::refused(404, "Not Found"),
        ("GET", ["hooks"]) => paged(ask, API, state.project(path).hooks.iter().map(hook).collect()),
        ("POST", ["hooks"]) => {
            let id = state.id();
            let made = edited(Hook { id, ..Hook::default() }, ask);
            state.project_mut(path).hooks.push(made.clone());
            Answer::new(201, hook(&made))
        }
        ("PATCH", ["hooks", id]) => match state.project_mut(path).hooks.iter_mut().find(|hook| hook.id.to_string() == *id) {
            Some(known) => {
                *known = edited(known.clone(), ask);
                Answer::ok(hook(known))
            }
            None => Answer::refused(404, "Not Found"),
        },
        ("GET", ["labels"]) => paged(ask, API, state.project(path).labels.iter().map(|name| json!({ "name": name, "color": "ededed" })).collect()),
        ("POST", ["labels"]) => {
            let name = ask.says("name").unwrap_or_default().to_owned();
            if !state.project_mut(path).labels.insert(name.clone()) {
                return Answer::refused(422, "Validation Failed: already_exists");
            }
            Answer::new(201, json!({ "name": name, "color": ask.says("color") }))
        }
        ("GET", ["branches", branch, "protection"]) => needs(state, ask, path, Role::Admin, || protection(state, path, branch)),
        ("PUT", ["branches", branch, "protection"]) => {
            if state.role(path, &ask.who) < Role::Admin {
                return Answer::refused(404, "Not Found");
            }
            let texts = |list: &Value| list.as_array().into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect::<BTreeSet<_>>();
            let checks = ask.body["required_status_checks"]["checks"].as_array().into_iter().flatten();
            let bound = checks.filter_map(|check| Some((check["context"].as_str()?.to_owned(), check["app_id"].as_u64()?)));
            let known = state.project(path).protection.get(*branch).cloned().unwrap_or_default();
            let rules = Protection {
                required_statuses: texts(&ask.body["required_status_checks"]["contexts"]),
                required_approvals: ask.body["required_pull_request_reviews"]["required_approving_review_count"].as_u64().unwrap_or(0) as usize,
                dismiss_stale: ask.body["required_pull_request_reviews"]["dismiss_stale_reviews"] == true,
                may_push: texts(&ask.body["restrictions"]["users"]).into_iter().chain(texts(&ask.body["restrictions"]["apps"]).iter().map(|slug| format!("{slug}[bot]"))).collect(),
                bound: bound.collect(),
                for_admins: ask.body["enforce_admins"] == true,
                linear: match (ask.body["required_linear_history"] == true, known.linear) {
                    (true, Linear::No | Linear::Untold) => Linear::Untold,
                    (false, Linear::No | Linear::Untold) => Linear::No,
                    // Of another set of rules.
                    (_, Linear::Told) => Linear::Told,
                },
                queue: known.queue,
                ways: known.ways,
            };
            state.project_mut(path).protection.insert((*branch).to_owned(), rules);
            git::guard(state, path);
            Answer::ok(json!({ "url": format!("{}{API}/repos/{path}/branches/{branch}/protection", ask.host) }))
        }
        _ => Answer::refused(404, "Not Found"),
    }
}

fn edited(hook: Hook, ask: &Ask<'_>) -> Hook {
    let mut hook = configured(hook, &ask.body["config"]);
    hook.active = ask.body["active"].as_bool().unwrap_or(hook.active);
    if let Some(events) = ask.body["events"].as_array() {
        hook.events = events.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect();
    }
    hook
}

/// Where a webhook leads and how, edited.
pub fn configured(mut hook: Hook, config: &Value) -> Hook {
    let text = |key: &str| config[key].as_str().map(str::to_owned);
    hook.url = text("url").unwrap_or(hook.url);
    hook.secret = text("secret").or(hook.secret);
    hook.json = text("content_type").map_or(hook.json, |kind| kind == "json");
    hook.verified = text("insecure_ssl").map_or(hook.verified, |insecure| insecure == "0");
    hook
}

pub fn hook(hook: &Hook) -> Value {
    let mut config = json!({ "url": hook.url, "content_type": if hook.json { "json" } else { "form" }, "insecure_ssl": if hook.verified { "0" } else { "1" } });
    if hook.secret.is_some() {
        config["secret"] = "********".into();
    }
    json!({ "type": "Repository", "id": hook.id, "name": "web", "active": hook.active, "events": hook.events, "config": config })
}

fn protection(state: &State, path: &str, branch: &str) -> Answer {
    let Some(rules) = state.project(path).protection.get(branch) else { return Answer::refused(404, "Branch not protected") };
    let checks: Vec<Value> = rules.required_statuses.iter().map(|context| json!({ "context": context, "app_id": rules.bound.get(context) })).collect();
    let mut out = json!({
        "required_status_checks": { "strict": state.project(path).up_to_date == Linear::Untold, "contexts": rules.required_statuses, "checks": checks }, "enforce_admins": { "enabled": rules.for_admins },
        "required_pull_request_reviews": { "dismiss_stale_reviews": rules.dismiss_stale, "required_approving_review_count": rules.required_approvals },
    });
    if rules.linear == Linear::Untold {
        out["required_linear_history"] = json!({ "enabled": true });
    }
    if !rules.may_push.is_empty() {
        let users: Vec<Value> = rules.may_push.iter().filter(|login| !login.ends_with("[bot]")).map(|login| json::user(state, login)).collect();
        let apps: Vec<Value> = rules.may_push.iter().filter_map(|login| Some(json!({ "slug": login.strip_suffix("[bot]")? }))).collect();
        out["restrictions"] = json!({ "users": users, "teams": [], "apps": apps });
    }
    Answer::ok(out)
}
