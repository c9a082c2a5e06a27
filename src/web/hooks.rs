//! Webhooks on the wire: bounded in size, time and memory, and answered only after they are on disk.

use super::{answer::Fault, router::App};
use crate::app::{
    config::Limits,
    hooks::{NotTaken, Part, Reception, Taken},
};
use axum::{
    Json,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt as _;
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a whole body may take. Forges give up themselves after five to ten seconds.
const BODY: Duration = Duration::from_secs(10);

/// All bodies together that are held while their senders are not known yet: several of the largest, and two thousand usual ones.
const ROOM: usize = 128 << 20;

/// What one permit of the room stands for.
const PERMIT: usize = 1024;

/// A payload of this size is read in the time of a disk's sync; larger ones must not hold up what else runs on the thread.
const LARGE: usize = 64 << 10;

/// How often one reason for refusing is said in the log: whoever knocks must not fill the disk.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// When a sender that can shall try again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("30");

/// What the door of webhooks keeps.
pub struct Hooks {
    reception: Arc<Reception>,
    room: Arc<Semaphore>,
    largest: u64,
    said: Mutex<BTreeMap<&'static str, Instant>>,
}

impl Hooks {
    pub fn new(reception: Arc<Reception>, limits: &Limits) -> Self {
        Self { reception, room: Arc::new(Semaphore::new(ROOM / PERMIT)), largest: limits.webhook_bytes, said: Mutex::default() }
    }
}

/// `POST /hooks/{forge}`.
pub async fn receive(State(app): State<App>, Path(forge): Path<String>, request: Request) -> Response {
    let hooks = app.hooks;
    let answer = taken(&hooks, &forge, request).await;
    let (outcome, response) = match answer {
        Ok(taken) => {
            let outcome = match taken {
                Taken::Kept => "kept",
                Taken::Known => "known",
                Taken::Nothing => "nothing",
                Taken::NotOurs => "not_ours",
            };
            let status = if taken == Taken::Kept { StatusCode::ACCEPTED } else { StatusCode::OK };
            (outcome, (status, Json(json!({ "taken": outcome }))).into_response())
        }
        Err(refused) => {
            hooks.say(&forge, &refused);
            (refused.reason(), refused.into_response())
        }
    };
    let known = hooks.reception.name(&forge).map_or_else(|| "unknown".to_owned(), ToString::to_string);
    metrics::counter!("trueup_webhook_deliveries_total", "forge" => known, "outcome" => outcome).increment(1);
    response
}

/// Why a delivery is refused.
#[derive(Debug)]
enum Refused {
    ContentType,
    TooLarge(u64),
    Slow,
    Cut,
    Busy,
    Not(NotTaken),
}

impl Refused {
    /// The reason as a label.
    fn reason(&self) -> &'static str {
        match self {
            Self::ContentType => "content_type",
            Self::TooLarge(_) => "too_large",
            Self::Slow => "slow",
            Self::Cut => "cut",
            Self::Busy => "busy",
            Self::Not(NotTaken::Unproven(reason)) => reason,
            Self::Not(NotTaken::Unreadable(_)) => "unreadable",
            Self::Not(NotTaken::Unkept(_)) => "unkept",
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let later = |why: String| {
            let mut response = Fault::new(StatusCode::SERVICE_UNAVAILABLE, why, "deliver it again later").into_response();
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
            response
        };
        let fault = match self {
            Self::ContentType => Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "this is neither JSON nor a form", "set the webhook's content type to `application/json`"),
            Self::TooLarge(most) => {
                Fault::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a delivery has at most {most} bytes"), "raise `limits.webhook_bytes` if the forge sends more")
            }
            Self::Slow => Fault::new(StatusCode::REQUEST_TIMEOUT, format!("the body was not there after {}s", BODY.as_secs()), "deliver it again"),
            Self::Cut => Fault::invalid("the body ended before its end", "deliver it again"),
            // One answer for all, whatever is wrong: it tells nobody which secret, forge or project there is.
            Self::Not(NotTaken::Unproven(_)) => {
                Fault::new(StatusCode::UNAUTHORIZED, "this delivery is not genuine", "check the webhook's URL and secret; the server's log says what is wrong")
            }
            Self::Not(NotTaken::Unreadable(why)) => Fault::invalid(why.0, "deliver it again, or look whether the forge speaks a version that is not known yet"),
            Self::Busy => return later("too many deliveries at once".into()),
            Self::Not(NotTaken::Unkept(why)) => return later(format!("the delivery could not be kept: {why}")),
        };
        fault.into_response()
    }
}

async fn taken(hooks: &Hooks, forge: &str, request: Request) -> Result<Taken, Refused> {
    let (parts, body) = request.into_parts();
    let part = content(&parts.headers).ok_or(Refused::ContentType)?;
    let told: Option<u64> = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if told.is_some_and(|told| told > hooks.largest) {
        return Err(Refused::TooLarge(hooks.largest));
    }
    let (body, _room) = tokio::time::timeout(BODY, collect(hooks, body)).await.map_err(|_| Refused::Slow)??;
    let judged = if body.len() < LARGE {
        judge(&hooks.reception, forge, &parts.headers, part, &body)
    } else {
        let (reception, forge) = (hooks.reception.clone(), forge.to_owned());
        let judged = tokio::task::spawn_blocking(move || judge(&reception, &forge, &parts.headers, part, &body));
        // Reading does not panic; were it cancelled, the process ends and the forge gets no answer.
        judged.await.map_err(|_| Refused::Busy)?
    };
    hooks.reception.keep(judged.map_err(Refused::Not)?).await.map_err(Refused::Not)
}

fn judge(reception: &Reception, forge: &str, headers: &HeaderMap, part: Part, body: &[u8]) -> Result<crate::app::hooks::Judged, NotTaken> {
    reception.judge(forge, |name| headers.get(name)?.to_str().ok(), part, body)
}

/// What the body is.
fn content(headers: &HeaderMap) -> Option<Part> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    match kind.split(';').next()?.trim().to_ascii_lowercase().as_str() {
        "application/json" => Some(Part::Json),
        "application/x-www-form-urlencoded" => Some(Part::Form),
        _ => None,
    }
}

/// Reads a body within its bound and the room that all share; the permits go with it.
async fn collect(hooks: &Hooks, body: Body) -> Result<(Vec<u8>, Vec<OwnedSemaphorePermit>), Refused> {
    let mut bytes: Vec<u8> = Vec::new();
    let (mut room, mut paid) = (Vec::new(), 0);
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Refused::Cut)?;
        if (bytes.len() + chunk.len()) as u64 > hooks.largest {
            return Err(Refused::TooLarge(hooks.largest));
        }
        bytes.extend_from_slice(&chunk);
        // What a vector may have reserved, and not only what it holds.
        let due = bytes.capacity().div_ceil(PERMIT) - paid;
        if due > 0 {
            let permit = u32::try_from(due).ok().and_then(|due| Arc::clone(&hooks.room).try_acquire_many_owned(due).ok());
            room.push(permit.ok_or(Refused::Busy)?);
            paid += due;
        }
    }
    Ok((bytes, room))
}

impl Hooks {
    /// Says in the log what is wrong, each reason once in a while: a wrong secret is found there and nowhere else.
    fn say(&self, forge: &str, refused: &Refused) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = refused.reason();
        if said.get(reason).is_some_and(|at| at.elapsed() < SAY_AGAIN) {
            return;
        }
        said.insert(reason, Instant::now());
        // The forge's name is whoever knocks' own word.
        let forge: String = forge.chars().take(80).flat_map(char::escape_debug).collect();
        tracing::warn!(forge, reason, "a webhook was refused; more of the same are only counted for a while");
    }
}
