//! Merge requests: listed, opened, edited, talked in, and merged as GitLab merges them, with its refusals.

use super::{
    super::{
        door::{Answer, Ask, paged},
        git, people,
        state::{Method, Request, Role, State, Verdict, What},
    },
    json,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub const API: &str = "/api/v4";

/// Answers what is below `/projects/…/merge_requests`.
pub fn answer(state: &mut State, ask: &Ask<'_>, path: &str, rest: &[&str]) -> Answer {
    match (ask.method, rest) {
        ("GET", []) => return list(state, ask, path),
        ("POST", []) => return open(state, ask, path),
        _ => {}
    }
    let number = rest.first().and_then(|number| number.parse::<u64>().ok());
    let Some((number, request)) = number.and_then(|number| Some((number, state.project(path).requests.get(&number)?.clone()))) else { return missing() };
    match (ask.method, &rest[1..]) {
        ("GET", []) => Answer::ok(json::request(state, path, &request, &ask.host)),
        ("PUT", []) => edit(state, ask, path, number),
        ("PUT", ["merge"]) => merge(state, ask, path, number),
        ("GET", ["versions"]) => {
            let project = state.projects.get(&request.source_project);
            let pushed = project.and_then(|project| project.pushes.iter().rev().find(|push| push.branch == request.source && push.after == request.head)).map(|push| push.at);
            Answer::ok(json!([{ "id": 1, "head_commit_sha": request.head, "base_commit_sha": request.base, "created_at": json::time(pushed.unwrap_or(request.created)) }]))
        }
        ("GET", ["approvals"]) => {
            let people: BTreeSet<&String> = request.reviews.iter().map(|review| &review.by).collect();
            let last = |by: &String| request.reviews.iter().rfind(|review| review.by == *by && review.verdict != Verdict::Commented).map(|review| review.verdict);
            let by: Vec<Value> = people.into_iter().filter(|by| last(by) == Some(Verdict::Approved)).map(|by| json!({ "user": json::user(state, by) })).collect();
            Answer::ok(json!({ "approved": !by.is_empty(), "approved_by": by }))
        }
        ("GET", ["reviewers"]) => {
            let people: BTreeSet<&String> = request.reviews.iter().map(|review| &review.by).collect();
            let stands = |by: &String| match request.reviews.iter().rfind(|review| review.by == *by).map(|review| review.verdict) {
                Some(Verdict::Approved) => "approved",
                Some(Verdict::ChangesRequested) => "requested_changes",
                Some(Verdict::Commented) => "reviewed",
                Some(Verdict::Dismissed) | None => "unreviewed",
            };
            Answer::ok(people.into_iter().map(|by| json!({ "user": json::user(state, by), "state": stands(by), "created_at": json::time(request.created) })).collect())
        }
        ("GET", ["resource_label_events"]) => {
            let event = |event: &super::super::state::Event| {
                let (action, label) = match &event.what {
                    What::Labeled(label) => ("add", label),
                    What::Unlabeled(label) => ("remove", label),
                    _ => return None,
                };
                Some(json!({ "id": event.id, "user": json::user(state, &event.by), "created_at": json::time(event.at), "action": action, "label": { "id": 1, "name": label } }))
            };
            paged(ask, API, request.events.iter().filter_map(event).collect())
        }
        ("GET", ["discussions"]) => {
            let all = json::notes(state, &request).into_iter().map(|note| json!({ "id": note["id"].to_string(), "individual_note": note["type"].is_null(), "notes": [note] }));
            paged(ask, API, all.collect())
        }
        ("GET", ["notes"]) => {
            let mut all = json::notes(state, &request);
            if ask.asks("sort").unwrap_or("desc") == "desc" {
                all.reverse();
            }
            paged(ask, API, all)
        }
        ("POST", ["notes"]) => {
            let id = state.comment(path, number, &ask.who, ask.says("body").unwrap_or_default());
            note(state, ask, path, number, id, 201)
        }
        (_, ["notes", id, rest @ ..]) => match id.parse() {
            Ok(id) => one_note(state, ask, path, number, id, rest),
            Err(_) => missing(),
        },
        _ => missing(),
    }
}

fn missing() -> Answer {
    Answer::new(404, json!({ "message": "404 Not found" }))
}

fn forbidden() -> Answer {
    Answer::new(403, json!({ "message": "403 Forbidden" }))
}

fn note(state: &State, _: &Ask<'_>, path: &str, number: u64, id: u64, status: u16) -> Answer {
    let found = state.project(path).requests[&number].comments.iter().find(|comment| comment.id == id);
    found.map_or_else(missing, |comment| Answer::new(status, json::note(state, comment)))
}

fn one_note(state: &mut State, ask: &Ask<'_>, path: &str, number: u64, id: u64, rest: &[&str]) -> Answer {
    let at = state.at();
    let who = ask.who.clone();
    let Some(comment) = state.request_mut(path, number).comments.iter_mut().find(|comment| comment.id == id) else { return missing() };
    match (ask.method, rest) {
        ("GET", []) => {}
        ("PUT", []) => {
            if comment.by != who {
                return forbidden();
            }
            ask.says("body").unwrap_or_default().clone_into(&mut comment.body);
            comment.edited = at;
            state.request_mut(path, number).updated = at;
        }
        ("POST", ["award_emoji"]) => {
            let name = ask.says("name").unwrap_or_default().to_owned();
            if !comment.reactions.insert((who, name.clone())) {
                return Answer::new(404, json!({ "message": "404 Award Emoji Name has already been taken Not Found" }));
            }
            // As GitLab does it: whoever reacts changes it.
            comment.edited = at;
            return Answer::new(201, json!({ "id": id, "name": name }));
        }
        _ => return missing(),
    }
    note(state, ask, path, number, id, 200)
}

fn list(state: &State, ask: &Ask<'_>, path: &str) -> Answer {
    let fits = |request: &&Request| {
        let stands = match (request.closed, &request.merged) {
            (_, Some(_)) => "merged",
            (true, None) => "closed",
            (false, None) => "opened",
        };
        ask.asks("state").is_none_or(|wanted| wanted == "all" || wanted == stands)
            && ask.asks("source_branch").is_none_or(|branch| branch == request.source)
            && ask.asks("target_branch").is_none_or(|branch| branch == request.target)
            && ask.asks("author_username").is_none_or(|login| login == request.author)
            && ask.asks("updated_after").is_none_or(|after| *json::time(request.updated) >= *json::time(after.parse::<jiff::Timestamp>().unwrap().as_millisecond()))
    };
    let mut all: Vec<&Request> = state.project(path).requests.values().filter(fits).collect();
    match ask.asks("order_by") {
        Some("updated_at") => all.sort_by_key(|request| request.updated),
        _ => all.sort_by_key(|request| request.created),
    }
    if ask.asks("sort").unwrap_or("desc") == "desc" {
        all.reverse();
    }
    paged(ask, API, all.into_iter().map(|request| json::request(state, path, request, &ask.host)).collect())
}

fn open(state: &mut State, ask: &Ask<'_>, path: &str) -> Answer {
    let (source, target) = (ask.says("source_branch").unwrap_or_default().to_owned(), ask.says("target_branch").unwrap_or_default().to_owned());
    if state.role(path, &ask.who) < Role::Write {
        return forbidden();
    }
    if git::tip(&state.project(path).dir, &source).is_none() {
        return Answer::new(400, json!({ "message": ["Source branch does not exist"] }));
    }
    if let Some(known) = state.project(path).requests.values().find(|request| request.open() && request.source == source && request.target == target) {
        return Answer::new(409, json!({ "message": [format!("Another open merge request already exists for this source branch: !{}", known.number)] }));
    }
    let number = people::open(state, path, path, &ask.who, &source, &target, ask.says("title").unwrap_or_default(), ask.says("description").unwrap_or_default(), false);
    let request = state.project(path).requests[&number].clone();
    Answer::new(201, json::request(state, path, &request, &ask.host))
}

fn edit(state: &mut State, ask: &Ask<'_>, path: &str, number: u64) -> Answer {
    if state.role(path, &ask.who) < Role::Write {
        return forbidden();
    }
    let at = state.at();
    let request = state.request_mut(path, number);
    request.updated = at;
    if let Some(title) = ask.says("title") {
        title.clone_into(&mut request.title);
    }
    if let Some(description) = ask.says("description") {
        description.clone_into(&mut request.body);
    }
    let was_open = request.open();
    let what = match ask.says("state_event") {
        Some("close") if was_open => {
            request.closed = true;
            Some(What::Closed)
        }
        Some("reopen") if request.closed => {
            request.closed = false;
            Some(What::Reopened)
        }
        _ => None,
    };
    if let Some(what) = what {
        state.happened(path, number, &ask.who, what);
    }
    for (key, on) in [("add_labels", true), ("remove_labels", false)] {
        for label in ask.says(key).unwrap_or_default().split(',').filter(|label| !label.is_empty()) {
            state.label(path, number, &ask.who, label, on);
        }
    }
    let request = state.project(path).requests[&number].clone();
    Answer::ok(json::request(state, path, &request, &ask.host))
}

fn merge(state: &mut State, ask: &Ask<'_>, path: &str, number: u64) -> Answer {
    let request = state.project(path).requests[&number].clone();
    let role = state.role(path, &ask.who);
    let project = state.project(path);
    if role < Role::Write {
        return Answer::new(401, json!({ "message": "401 Unauthorized" }));
    }
    let rules = project.protection.get(&request.target).filter(|rules| role < Role::Admin || rules.for_admins);
    let green =
        |context: &String| project.statuses.get(&request.head).into_iter().flatten().rfind(|status| status.context == *context).is_some_and(|status| status.state == "success");
    let approved = request.reviews.iter().filter(|review| review.verdict == Verdict::Approved).count();
    let blocked = rules.is_some_and(|rules| !rules.required_statuses.iter().all(green) || approved < rules.required_approvals);
    if !request.open() || request.draft || blocked || git::is_outdated(project, &request) {
        return Answer::new(405, json!({ "message": "405 Method Not Allowed" }));
    }
    if ask.says("sha").is_some_and(|sha| sha != request.head) {
        return Answer::new(409, json!({ "message": format!("SHA does not match HEAD of source branch: {}", request.head) }));
    }
    let squash = ask.body["squash"] == true;
    let message = ask.says(if squash { "squash_commit_message" } else { "merge_commit_message" }).unwrap_or(&request.title).to_owned();
    match git::merge(state, path, number, &ask.who, if squash { Method::Squash } else { Method::Merge }, &message) {
        Some(_) => {
            let request = state.project(path).requests[&number].clone();
            Answer::ok(json::request(state, path, &request, &ask.host))
        }
        None => Answer::new(422, json!({ "message": "Branch cannot be merged" })),
    }
}
