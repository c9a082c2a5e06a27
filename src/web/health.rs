//! Is the process alive, and can it take work?

use super::{answer::Fault, router::App};
use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// A store that answers no read for this long takes no work either.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process runs.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// The store answers, so requests can be kept.
pub async fn ready(State(app): State<App>) -> Result<Json<Value>, Fault> {
    if let Some(why) = app.service.world().trouble.what() {
        return Err(Fault::new(StatusCode::SERVICE_UNAVAILABLE, why, "requests go on by themselves once it is mended"));
    }
    let unready = |why: String| Fault::new(StatusCode::SERVICE_UNAVAILABLE, why, "look at the server's log and its disk");
    let answer = tokio::time::timeout(PATIENCE, app.service.world().store.answers()).await;
    match answer {
        Ok(Ok(())) => Ok(Json(json!({ "ready": true, "halted": app.service.is_halted() }))),
        Ok(Err(error)) => Err(unready(error.to_string())),
        Err(_) => Err(unready(format!("the store has not answered for {}s", PATIENCE.as_secs()))),
    }
}
