//! Our own check runs: what an app says of a head where an account sets statuses.

use super::{
    app::App,
    forge::{GitHub, Place},
    wire::{CheckRun, CheckRuns},
    writer::DESCRIPTION,
};
use crate::{
    core::{
        model::MrId,
        review::{Face, Status, StatusState},
    },
    forges::net::{NetError, Weight},
};
use reqwest::Method;
use serde_json::{Value as Json, json};

/// The status whose run holds the plan as it was when it was made.
const PLAN: &str = "trueup/plan";

impl GitHub {
    /// Makes our runs say what the face says; `link` leads to the comment, which stays current.
    pub(super) async fn show_runs(&self, app: &App, mr: &MrId, place: &Place, face: &Face, link: &str) -> Result<(), NetError> {
        let me = app.me().await?;
        // One page: of each name the newest, and four names are ours.
        let there: CheckRuns = place.api.get(&place.path(format!("/commits/{}/check-runs?app_id={}&filter=latest&per_page=100", face.head, me.id))).await?;
        for status in &face.statuses {
            let known = there.check_runs.iter().filter(|run| *run.name == *status.context).max_by_key(|run| run.id);
            let about = about(mr, status, face);
            if known.is_some_and(|run| says(run, status, &about)) {
                continue;
            }
            let mut body = said(status, face, link);
            body["external_id"] = about.into();
            match known {
                // What is over stays over: another begins, and the newest of a name counts.
                Some(run) if !(run.is_over() && status.state == StatusState::Pending) => {
                    place.api.send(Weight::Status, Method::PATCH, &place.path(format!("/check-runs/{}", run.id)), &body).await?;
                }
                Some(_) | None => {
                    body["name"] = (*status.context).into();
                    body["head_sha"] = face.head.as_str().into();
                    place.api.send(Weight::Status, Method::POST, &place.path("/check-runs"), &body).await?;
                }
            }
        }
        Ok(())
    }
}

/// What a run speaks of: the change; of the one that holds the plan, which plan, too, as two plans of one head may have the same title.
fn about(mr: &MrId, status: &Status, face: &Face) -> String {
    match (&*status.context, face.plan) {
        (PLAN, Some(digest)) => format!("{mr} {digest}"),
        _ => mr.to_string(),
    }
}

/// Whether a run says what is wanted of it.
fn says(run: &CheckRun, status: &Status, about: &str) -> bool {
    let (state, conclusion) = words(status.state);
    // Of the others, the state and the title are all there is.
    if &*status.context == PLAN && run.external_id.as_deref() != Some(about) {
        return false;
    }
    run.status == state && run.conclusion.as_deref() == conclusion && run.output.as_ref().and_then(|output| output.title.as_deref()) == Some(&*title(status))
}

fn words(state: StatusState) -> (&'static str, Option<&'static str>) {
    match state {
        StatusState::Pending => ("in_progress", None),
        StatusState::Success => ("completed", Some("success")),
        StatusState::Failure => ("completed", Some("failure")),
    }
}

fn title(status: &Status) -> String {
    status.text.chars().take(DESCRIPTION).collect()
}

fn said(status: &Status, face: &Face, link: &str) -> Json {
    let (state, conclusion) = words(status.state);
    let summary = match &*status.context {
        // The comment goes on; this stays what it was when the plan was made.
        PLAN => {
            let comment = face.comment.split_once('\n').map_or("", |(_, comment)| comment);
            format!("As it was when this was said; [the comment]({link}) stays current.\n\n{comment}")
        }
        _ => format!("{}\n\n[The comment]({link}) has the plan, and says what it waits for.", crate::core::review::escape::code(&status.text)),
    };
    let mut body = json!({ "status": state, "details_url": link, "output": { "title": title(status), "summary": summary } });
    if let Some(conclusion) = conclusion {
        body["conclusion"] = conclusion.into();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::CommitId;

    #[test]
    fn another_plan_of_the_same_title_is_said_anew() {
        let mr = MrId { repo: crate::core::model::RepoId::new("dns"), number: 7 };
        let face = |plan: &str| Face {
            head: CommitId::new("1"),
            plan: Some(crate::core::model::Digest::of("plan", &[plan.as_bytes()])),
            comment: String::new(),
            statuses: Vec::new(),
            labels: Vec::new(),
            deployments: Vec::new(),
        };
        let status = |context: &str| Status { context: context.into(), state: StatusState::Success, text: "1 update".into() };
        let told = |context: &str| {
            let run =
                CheckRun { external_id: Some(about(&mr, &status(context), &face("one"))), status: "completed".into(), conclusion: Some("success".into()), ..CheckRun::default() };
            CheckRun { output: serde_json::from_value(json!({ "title": "1 update" })).unwrap(), ..run }
        };
        let stands = |context: &str, plan: &str| says(&told(context), &status(context), &about(&mr, &status(context), &face(plan)));
        assert_eq!([stands(PLAN, "one"), stands(PLAN, "another"), stands("trueup/converged", "another")], [true, false, true]);
    }

    #[test]
    fn the_plan_stands_in_its_own_run_without_our_mark_and_within_what_github_takes() {
        let face = |comment: String| Face { head: CommitId::new("1"), plan: None, comment, statuses: Vec::new(), labels: Vec::new(), deployments: Vec::new() };
        let status = |context: &str| Status { context: context.into(), state: StatusState::Success, text: "1 update".into() };
        let long = face(format!("<!-- trueup:change dns!1 -->\n{}", "x".repeat(59_900)));
        let summary = said(&status(PLAN), &long, "https://x.example/1")["output"]["summary"].as_str().unwrap().to_owned();
        assert!(!summary.contains("<!--") && summary.contains("xxx") && summary.len() < 65_535, "{}", summary.len());
        let other = said(&status("trueup/converged"), &long, "https://x.example/1");
        assert_eq!((&other["output"]["title"], &other["conclusion"]), (&json!("1 update"), &json!("success")));
        assert!(!other["output"]["summary"].as_str().unwrap().contains("xxx"));
    }
}
