//! Check runs, which apps alone make and change.

use super::{
    super::{
        door::{Answer, Ask},
        state::{CheckRun, State},
    },
    git, json,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// The runs on a commit that are asked for: without another word the newest of each app and name.
pub fn newest<'a>(state: &'a State, ask: &Ask<'_>, path: &str, sha: &str) -> Vec<&'a CheckRun> {
    let id = |run: &CheckRun| state.app.as_ref().filter(|app| app.slug == run.app).map_or(1, |app| app.id);
    let all = state.project(path).runs.get(sha).into_iter().flatten();
    let all = all.filter(|run| ask.asks("app_id").is_none_or(|wanted| *wanted == id(run).to_string())).filter(|run| ask.asks("check_name").is_none_or(|name| name == run.name));
    if ask.asks("filter") == Some("all") {
        return all.collect();
    }
    all.map(|run| ((&run.app, &run.name), run)).collect::<BTreeMap<_, _>>().into_values().collect()
}

/// Answers what is below `/repos/…/check-runs`.
pub fn answer(state: &mut State, ask: &Ask<'_>, path: &str, rest: &[&str]) -> Answer {
    let Some(slug) = ask.who.strip_suffix("[bot]").map(str::to_owned) else { return Answer::refused(403, "You must authenticate via a GitHub App.") };
    match (ask.method, rest) {
        ("POST", []) => {
            let sha = ask.says("head_sha").unwrap_or_default().to_owned();
            if !git::has(state, path, &sha) {
                return Answer::refused(422, format!("No commit found for SHA: {sha}"));
            }
            state.run(path, &sha, &slug, ask.says("name").unwrap_or_default(), None);
            change(state, ask, path, |run| *run.0 == sha, 201)
        }
        ("PATCH", [id]) => {
            let id = (*id).to_owned();
            let theirs = state.project(path).runs.values().flatten().any(|run| run.id.to_string() == id && run.app != slug);
            if theirs {
                return Answer::refused(403, "Invalid app_id. This check run was not created by your app.");
            }
            change(state, ask, path, |run| run.1.id.to_string() == id, 200)
        }
        _ => Answer::refused(404, "Not Found"),
    }
}

/// Takes over what is said of the newest run that is meant.
fn change(state: &mut State, ask: &Ask<'_>, path: &str, meant: impl Fn((&String, &CheckRun)) -> bool, status: u16) -> Answer {
    let all = state.project_mut(path).runs.iter_mut().flat_map(|(sha, runs)| runs.iter_mut().map(move |run| (sha, run)));
    let Some((sha, run)) = all.filter(|(sha, run)| meant((*sha, &**run))).max_by_key(|(_, run)| run.id) else { return Answer::refused(404, "Not Found") };
    let output = &ask.body["output"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    run.conclusion = if ask.says("status") == Some("completed") { text(&ask.body["conclusion"]) } else { None };
    run.title = text(&output["title"]);
    run.summary = text(&output["summary"]).unwrap_or_default();
    run.link = text(&ask.body["details_url"]);
    run.external_id = text(&ask.body["external_id"]).or(run.external_id.take());
    let (sha, run) = (sha.clone(), run.clone());
    Answer::new(status, json::run(state, &run, &sha))
}
