//! What people edit of a merge request beside its commits: its description and its labels.

use super::{
    answer::{At, Body, Fault},
    api::Route,
    auth::Person,
    router::App,
};
use axum::{Json, extract::State, http::StatusCode, routing::post};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// The routes of descriptions and labels.
pub(super) fn routes() -> Vec<Route> {
    const OK: StatusCode = StatusCode::OK;
    vec![
        Route::post(
            "describe",
            "/repos/{repo}/mrs/{number}/description",
            "Replaces the description; a line `Depends-On: !7` holds it until that one is merged.",
            OK,
            "nothing more",
            post(describe),
        )
        .takes::<Description>(),
        Route::post(
            "label",
            "/repos/{repo}/mrs/{number}/labels",
            "Adds and removes labels; `incident`, set by an approver, goes first in the queue.",
            OK,
            "nothing more",
            post(label),
        )
        .takes::<Labels>(),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Description {
    /// Markdown.
    description: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Labels {
    #[serde(default)]
    add: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

async fn describe(State(app): State<App>, Person(by): Person, At(mr): At, Body(new): Body<Description>) -> Result<Json<Value>, Fault> {
    app.sees(&by, &mr).await?;
    app.service.describe(&by, &mr, &new.description).await?;
    Ok(Json(json!({})))
}

async fn label(State(app): State<App>, Person(by): Person, At(mr): At, Body(new): Body<Labels>) -> Result<Json<Value>, Fault> {
    app.sees(&by, &mr).await?;
    app.service.label(&by, &mr, &new.add, &new.remove).await?;
    Ok(Json(json!({})))
}
