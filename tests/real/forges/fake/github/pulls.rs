//! Pull requests: listed, opened, edited, and merged as GitHub merges them, with its refusals.

use super::{
    super::{
        door::{Answer, Ask, paged},
        git, people,
        state::{Linear, Method, Request, Role, State, Verdict, What},
    },
    answer::API,
    json,
};
use serde_json::{Value, json};

/// Answers what is below `/repos/…/pulls`.
pub fn answer(state: &mut State, ask: &Ask<'_>, path: &str, rest: &[&str]) -> Answer {
    match (ask.method, rest) {
        ("GET", []) => return list(state, ask, path),
        ("POST", []) => return open(state, ask, path),
        _ => {}
    }
    let number = rest.first().and_then(|number| number.parse::<u64>().ok());
    let Some((number, request)) = number.and_then(|number| Some((number, state.project(path).requests.get(&number)?.clone()))) else { return Answer::refused(404, "Not Found") };
    match (ask.method, &rest[1..]) {
        ("GET", []) => Answer::ok(json::pull(state, path, &request, &ask.host, true)),
        ("PATCH", []) => edit(state, ask, path, number),
        // GitHub tells 250 and no more.
        ("GET", ["commits"]) => {
            let commits = git::commits(state.project(path), &request);
            paged(ask, API, commits.iter().take(250).map(|commit| json::commit(state, commit)).collect())
        }
        ("GET", ["reviews"]) => paged(ask, API, request.reviews.iter().map(|review| json::review(state, review)).collect()),
        ("PUT", ["merge"]) => merge(state, ask, path, number),
        _ => Answer::refused(404, "Not Found"),
    }
}

fn list(state: &State, ask: &Ask<'_>, path: &str) -> Answer {
    let project = state.project(path);
    let mut all: Vec<&Request> = project
        .requests
        .values()
        .filter(|request| match ask.asks("state").unwrap_or("open") {
            "open" => request.open(),
            "closed" => !request.open(),
            _ => true,
        })
        .filter(|request| ask.asks("base").is_none_or(|base| base == request.target))
        .filter(|request| ask.asks("head").is_none_or(|head| head == format!("{}:{}", request.source_project.split('/').next().unwrap(), request.source)))
        .collect();
    match ask.asks("sort") {
        Some("updated") => all.sort_by_key(|request| request.updated),
        _ => all.sort_by_key(|request| request.created),
    }
    if ask.asks("direction").unwrap_or(if ask.asks("sort").is_none() { "desc" } else { "asc" }) == "desc" {
        all.reverse();
    }
    paged(ask, API, all.into_iter().map(|request| json::pull(state, path, request, &ask.host, false)).collect())
}

fn open(state: &mut State, ask: &Ask<'_>, path: &str) -> Answer {
    let (head, base) = (ask.says("head").unwrap_or_default(), ask.says("base").unwrap_or_default());
    let (source_project, branch) = match head.split_once(':') {
        Some((owner, branch)) if !path.starts_with(&format!("{owner}/")) => (format!("{owner}/{}", path.rsplit('/').next().unwrap()), branch),
        Some((_, branch)) => (path.to_owned(), branch),
        None => (path.to_owned(), head),
    };
    let known = |project: &str, branch: &str| state.projects.get(project).is_some_and(|project| git::tip(&project.dir, branch).is_some());
    if !known(&source_project, branch) || !known(path, base) {
        return Answer::refused(422, "Validation Failed: head is invalid");
    }
    if state.project(path).requests.values().any(|request| request.open() && request.source == branch && request.source_project == source_project && request.target == base) {
        return Answer::refused(422, format!("Validation Failed: A pull request already exists for {head}."));
    }
    let draft = ask.body["draft"].as_bool().unwrap_or(false);
    let (branch, base) = (branch.to_owned(), base.to_owned());
    let number = people::open(state, path, &source_project, &ask.who, &branch, &base, ask.says("title").unwrap_or_default(), ask.says("body").unwrap_or_default(), draft);
    let request = state.project(path).requests[&number].clone();
    Answer::new(201, json::pull(state, path, &request, &ask.host, true))
}

fn edit(state: &mut State, ask: &Ask<'_>, path: &str, number: u64) -> Answer {
    let request = state.project(path).requests[&number].clone();
    if request.author != ask.who && state.role(path, &ask.who) < Role::Write {
        return Answer::refused(403, "Resource not accessible by personal access token");
    }
    let at = state.at();
    let edited = state.request_mut(path, number);
    edited.updated = at;
    if let Some(title) = ask.says("title") {
        title.clone_into(&mut edited.title);
    }
    if let Some(body) = ask.says("body") {
        body.clone_into(&mut edited.body);
    }
    let mut what = None;
    match ask.says("state") {
        Some("closed") if request.open() => {
            edited.closed = true;
            what = Some(What::Closed);
        }
        Some("open") if request.closed => {
            edited.closed = false;
            what = Some(What::Reopened);
        }
        _ => {}
    }
    if let Some(what) = what {
        state.happened(path, number, &ask.who, what);
    }
    let request = state.project(path).requests[&number].clone();
    Answer::ok(json::pull(state, path, &request, &ask.host, true))
}

/// Why GitHub would not merge, in its words.
fn against(state: &State, ask: &Ask<'_>, path: &str, request: &Request) -> Option<(u16, String)> {
    if state.role(path, &ask.who) < Role::Write {
        return Some((403, "Resource not accessible by personal access token".into()));
    }
    if !request.open() || request.draft {
        return Some((405, if request.draft { "Pull Request is still a draft" } else { "Pull Request is not mergeable" }.into()));
    }
    if ask.says("sha").is_some_and(|sha| sha != request.head) {
        return Some((409, "Head branch was modified. Review and try the merge again.".into()));
    }
    let project = state.project(path);
    let method = ask.says("merge_method").unwrap_or("merge");
    let allowed = match method {
        "merge" => project.methods.contains(&Method::Merge),
        "squash" => project.methods.contains(&Method::Squash),
        _ => false,
    };
    if !allowed {
        return Some((405, format!("{}s are not allowed on this repository.", if method == "merge" { "Merge commit" } else { "Squash merge" })));
    }
    if git::merged_tree(project, request).is_none() {
        return Some((405, "Pull Request is not mergeable".into()));
    }
    if git::is_outdated(project, request) {
        return Some((405, "Head branch is out of date with the base branch.".into()));
    }
    let rules = project.protection.get(&request.target)?;
    if state.role(path, &ask.who) == Role::Admin && !rules.for_admins {
        return None;
    }
    if method == "merge" && rules.linear != Linear::No {
        return Some((405, "This branch must not contain merge commits.".into()));
    }
    if !rules.ways.is_empty() && !rules.ways.contains(if method == "squash" { &Method::Squash } else { &Method::Merge }) {
        return Some((405, "Repository rule violations found".into()));
    }
    let by_status = |context: &String| project.statuses.get(&request.head).into_iter().flatten().rfind(|status| status.context == *context).map(|status| status.state == "success");
    let by_run = |context: &String| {
        let bound = rules.bound.get(context).and_then(|id| state.app.as_ref().filter(|app| app.id == *id));
        let last = project.runs.get(&request.head).into_iter().flatten().rfind(|run| run.name == *context && bound.is_none_or(|app| app.slug == run.app));
        last.map(|run| run.conclusion.as_deref() == Some("success"))
    };
    // One that an app alone may set is set by nobody else's status.
    let green = |context: &String| match (by_run(context), by_status(context).filter(|_| !rules.bound.contains_key(context))) {
        (Some(run), status) => run && status.unwrap_or(true),
        (None, status) => status.unwrap_or(false),
    };
    if let Some(missing) = rules.required_statuses.iter().find(|context| !green(context)) {
        return Some((405, format!("Required status check \"{missing}\" is expected.")));
    }
    let approved = request.reviews.iter().filter(|review| review.verdict == Verdict::Approved && state.role(path, &review.by) >= Role::Write).count();
    if approved < rules.required_approvals {
        return Some((405, "At least 1 approving review is required by reviewers with write access.".into()));
    }
    None
}

fn merge(state: &mut State, ask: &Ask<'_>, path: &str, number: u64) -> Answer {
    let request = state.project(path).requests[&number].clone();
    if let Some((status, why)) = against(state, ask, path, &request) {
        return Answer::refused(status, why);
    }
    let method = if ask.says("merge_method") == Some("squash") { Method::Squash } else { Method::Merge };
    let title = ask.says("commit_title").map_or_else(|| format!("Merge pull request #{number} from {}", request.source), str::to_owned);
    let message = format!("{title}\n\n{}", ask.says("commit_message").unwrap_or(&request.title));
    match git::merge(state, path, number, &ask.who, method, &message) {
        Some(commit) => Answer::ok(json!({ "sha": commit, "merged": true, "message": "Pull Request successfully merged" })),
        None => Answer { body: Value::Null, ..Answer::refused(405, "") },
    }
}
