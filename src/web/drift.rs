//! Drift over HTTP: a search that tells its rows as it finds them.

use super::{
    answer::{self, Fault, InRepo},
    api::Route,
    auth::Person,
    router::App,
};
use crate::{
    app::drift::Asked,
    core::{
        drift::{Ended, Override, OverrideAsk, Swept},
        model::{RepoId, ResourceId, Str, User},
        review::Right,
    },
};
use axum::{
    Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use futures::stream;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, convert::Infallible};

/// The routes of drift and overrides.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route {
            query: &[("target", &[]), ("unit", &[]), ("pattern", &[])],
            media: "application/x-ndjson",
            ..Route::get(
                "search_drift",
                "/repos/{repo}/drift",
                "Searches the live systems for drift from the effective base, now.",
                "one JSON object a line as it is found: `drift`, `part`, `fault`, and at the end `end` with all in numbers",
                get(search),
            )
        },
        Route::get("show_drift", "/drift", "Shows what the sweep found when it last looked, without reading anything.", "by repository and target", get(swept)),
        Route::post(
            "propose_drift",
            "/repos/{repo}/drift/proposal",
            "Looks at everything now and proposes what is found as a merge request of the server's own.",
            StatusCode::OK,
            "its number, or none",
            post(propose),
        ),
        Route::get("list_overrides", "/overrides", "Lists the overrides you may see: those that stand, and the last that ended.", "overrides", get(overrides)),
        Route::post(
            "claim_override",
            "/repos/{repo}/overrides",
            "Answers for what is live of a resource, so that it is no drift.",
            StatusCode::CREATED,
            "what it covers",
            post(claim),
        )
        .takes::<NewOverride>(),
        Route {
            method: "delete",
            query: &[("resource", &[])],
            ..Route::get("end_override", "/repos/{repo}/overrides", "Ends an override before its time.", "nothing more", delete(end))
        },
    ]
}

/// What sweeps found, of what a person may see.
pub(super) async fn found(app: &App, by: &User) -> Vec<(RepoId, Str, Swept)> {
    let mut seen = Vec::new();
    for ((repo, target), swept) in app.service.sweeps() {
        if app.service.right(by, &repo).await.is_ok_and(|right| right >= Right::Read) {
            seen.push((repo, target, swept));
        }
    }
    seen
}

async fn swept(State(app): State<App>, Person(by): Person) -> Json<Value> {
    let rows: Vec<Value> = found(&app, &by)
        .await
        .iter()
        .map(|(repo, target, swept)| {
            json!({
                "repo": repo, "target": target, "drifted": swept.drifted(), "overridden": swept.overridden(), "compared": swept.compared_last,
                "began": swept.began.map(|at| at.to_string()), "ended": swept.ended.map(|at| at.to_string()),
                "drift": swept.found().collect::<Vec<_>>(), "faults": swept.faults().collect::<Vec<_>>(),
            })
        })
        .collect();
    Json(json!({ "version": 1, "sweeps": rows }))
}

async fn propose(State(app): State<App>, Person(by): Person, InRepo(repo): InRepo) -> Result<Json<Value>, Fault> {
    app.reads(&by, &repo).await?;
    let mr = app.service.propose_drift(&by, &repo).await?;
    Ok(Json(json!({ "version": 1, "repo": repo, "number": mr.map(|mr| mr.number) })))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewOverride {
    /// `target/kind/name`.
    resource: String,
    /// Why, for whoever meets it later.
    reason: String,
    /// A span (`3d`), a day (`2026-12-01`) or an instant (`2026-12-01T18:00:00Z`).
    until: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    resource: String,
}

/// An override as programs read it; the content it covers is not in it.
fn row(known: &Override) -> Value {
    let Override { id, repo, by, reason, until, covers, on, at, noticed } = known;
    json!({
        "resource": id, "repo": repo, "by": by, "reason": reason, "until": until.to_string(), "at": at.to_string(), "covers": if covers.is_some() { "a value" } else { "absence" },
        "said_on": on.as_ref().map(ToString::to_string), "ending": noticed,
    })
}

/// The overrides of what a person may see, those that stand and those that are over.
pub(super) async fn visible(app: &App, by: &User) -> (Vec<Override>, Vec<Ended>) {
    let all = app.service.overrides().await;
    let mut may: BTreeMap<RepoId, bool> = BTreeMap::new();
    for repo in all.standing().map(|known| &known.repo).chain(all.ended().map(|ended| &ended.was.repo)) {
        if !may.contains_key(repo) {
            may.insert(repo.clone(), app.service.right(by, repo).await.is_ok_and(|right| right >= Right::Read));
        }
    }
    let sees = |repo: &RepoId| may.get(repo).copied().unwrap_or(false);
    (all.standing().filter(|known| sees(&known.repo)).cloned().collect(), all.ended().filter(|ended| sees(&ended.was.repo)).cloned().collect())
}

async fn overrides(State(app): State<App>, Person(by): Person) -> Json<Value> {
    let (standing, ended) = visible(&app, &by).await;
    let standing: Vec<Value> = standing.iter().map(row).collect();
    let ended: Vec<Value> = ended.iter().map(|Ended { was, why, at }| json!({ "override": row(was), "why": why, "ended": at.to_string() })).collect();
    Json(json!({ "version": 1, "overrides": standing, "ended": ended }))
}

/// What a button of the page claims: the fields are those of the API, and the repository's name.
pub(super) async fn claim_by_form(app: &App, by: &User, fields: &BTreeMap<String, String>) -> Result<(), Fault> {
    let field = |name: &str| fields.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
    let repo = RepoId::new(field("repo"));
    app.reads(by, &repo).await?;
    let ask = OverrideAsk { by: by.clone(), resource: field("resource"), until: field("until"), reason: field("reason"), at: app.service.world().clock.now() };
    app.service.override_claim(by, &repo, ask, None).await?;
    Ok(())
}

/// What a button of the page ends.
pub(super) async fn end_by_form(app: &App, by: &User, fields: &BTreeMap<String, String>) -> Result<(), Fault> {
    let field = |name: &str| fields.get(name).map(|text| text.trim()).unwrap_or_default();
    let repo = RepoId::new(field("repo"));
    app.reads(by, &repo).await?;
    let id = ResourceId::parse(field("resource")).ok_or_else(|| Fault::invalid("the form names no resource", "reload the page"))?;
    app.service.override_end(by, &repo, &id).await?;
    Ok(())
}

async fn claim(State(app): State<App>, Person(by): Person, InRepo(repo): InRepo, answer::Body(new): answer::Body<NewOverride>) -> Result<Response, Fault> {
    app.reads(&by, &repo).await?;
    let NewOverride { resource, reason, until } = new;
    let ask = OverrideAsk { by: by.clone(), resource, until, reason, at: app.service.world().clock.now() };
    let done = app.service.override_claim(&by, &repo, ask, None).await?;
    Ok((StatusCode::CREATED, Json(json!({ "answer": done }))).into_response())
}

async fn end(State(app): State<App>, Person(by): Person, InRepo(repo): InRepo, named: Result<Query<Named>, QueryRejection>) -> Result<Json<Value>, Fault> {
    app.reads(&by, &repo).await?;
    let Query(Named { resource }) = named.map_err(|error| Fault::invalid(error.body_text().to_lowercase(), "name it with ?resource=target/kind/name"))?;
    let id = ResourceId::parse(&resource).ok_or_else(|| Fault::invalid(format!("`{resource}` names no resource"), "write target/kind/name"))?;
    app.service.override_end(&by, &repo, &id).await?;
    Ok(Json(json!({})))
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
