//! Drift over HTTP: a search that tells its rows as it finds them.

use super::{
    answer::{Fault, InRepo},
    api::Route,
    auth::Person,
    router::App,
};
use crate::app::drift::Asked;
use axum::{
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use futures::stream;
use serde::Deserialize;
use std::convert::Infallible;

/// The routes of drift and overrides.
pub(super) fn routes() -> Vec<Route> {
    vec![Route {
        query: &[("target", &[]), ("unit", &[]), ("pattern", &[])],
        media: "application/x-ndjson",
        ..Route::get(
            "search_drift",
            "/repos/{repo}/drift",
            "Searches the live systems for drift from the effective base, now.",
            "one JSON object a line as it is found: `drift`, `part`, `fault`, and at the end `end` with all in numbers",
            get(search),
        )
    }]
}

/// What may be asked for; see `Asked`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Narrowed {
    target: Option<String>,
    unit: Option<String>,
    pattern: Option<String>,
}

/// `GET /repos/{repo}/drift`: one JSON object a line, the last of which is `end`; an answer without it broke off.
async fn search(State(app): State<App>, Person(by): Person, InRepo(repo): InRepo, asked: Result<Query<Narrowed>, QueryRejection>) -> Result<Response, Fault> {
    app.reads(&by, &repo).await?;
    let Query(Narrowed { target, unit, pattern }) = asked.map_err(|error| Fault::invalid(error.body_text().to_lowercase(), "narrow with ?target=, ?unit= or ?pattern="))?;
    let text = |text: Option<String>| text.filter(|text| !text.is_empty()).map(Into::into);
    let rows = app.service.drift(&by, &repo, Asked { target: text(target), unit: text(unit), pattern: text(pattern) }).await?;
    let lines = stream::unfold(rows, |mut rows| async move {
        let row = rows.recv().await?;
        // A row is made of text and numbers, which are always JSON.
        let mut line = serde_json::to_vec(&row).unwrap_or_default();
        line.push(b'\n');
        Some((Ok::<_, Infallible>(line), rows))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}
