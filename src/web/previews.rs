//! Previews for jobs of CI: asked with the job's own token, answered with the change's plan.

use super::{
    answer::{Body, Fault},
    api::Route,
    router::App,
};
use crate::{
    app::{
        ci::{About, Asker, Refused},
        preview::{self, Answer, Question},
    },
    core::{
        model::{CommitId, RepoId, User},
        review::Right,
    },
};
use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::post,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// The routes of previews.
pub(super) fn routes() -> Vec<Route> {
    let what = "the preview (version 1: outcome, observed, digest, page, plan, refusals, text, markdown); 202 and what it waits for while the plan is being made: ask again";
    vec![
        Route::post("preview", "/previews", "Shows a job of CI what its merge request would change; approves and runs nothing.", StatusCode::OK, what, post(preview))
            .takes::<Preview>(),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Preview {
    /// The repository's name, where the token may ask about several.
    repo: Option<String>,
    /// The merge request; without it, the one that the token is of, or the open one with this head.
    number: Option<u64>,
    /// The head of the merge request: all hex digits of the commit.
    head: String,
}

/// Whoever asks, by the token of a job, or of a person about what they may read.
struct By(Asker);

impl FromRequestParts<App> for By {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|text| text.split_once(' '));
        let Some((_, token)) = value.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
            return Err(Fault::new(
                StatusCode::UNAUTHORIZED,
                "nobody asks",
                "send `Authorization: Bearer TOKEN` with the job's token; `trueup preview` takes it from the job, or from TRUEUP_TOKEN",
            ));
        };
        let token = token.trim();
        if let Some(user) = app.people.by_token(token) {
            return Ok(Self(person(app, user).await?));
        }
        app.jobs.asker(token).await.map(Self).map_err(|refused| {
            // The job is told itself; whoever knocks must not fill the log.
            tracing::debug!("a job of CI was not let in: {refused}");
            match refused {
                Refused::Unproven(what, advice) => Fault::new(StatusCode::UNAUTHORIZED, what, advice),
                Refused::NotHere(what, advice) => Fault::new(StatusCode::FORBIDDEN, what, advice),
                Refused::Away(what, advice) => Fault::new(StatusCode::SERVICE_UNAVAILABLE, what, advice),
            }
        })
    }
}

async fn person(app: &App, user: User) -> Result<Asker, Fault> {
    let mut repos: Vec<RepoId> = Vec::new();
    for repo in app.service.world().repositories.keys() {
        if app.service.right(&user, repo).await? >= Right::Read {
            repos.push(repo.clone());
        }
    }
    Ok(Asker { name: user.to_string(), repos, about: About::Anything })
}

async fn preview(State(app): State<App>, By(asker): By, Body(asked): Body<Preview>) -> Result<Response, Fault> {
    let Preview { repo, number, head } = asked;
    let question = Question { repo: repo.map(RepoId::new), number, head: CommitId::new(head.to_ascii_lowercase()) };
    Ok(match preview::asked(&app.service, &asker, &question).await? {
        Answer::Preview(answer) => Json(answer).into_response(),
        Answer::Waiting { mr, waits_for } => (StatusCode::ACCEPTED, Json(json!({ "repo": mr.repo, "number": mr.number, "waits_for": waits_for }))).into_response(),
    })
}
