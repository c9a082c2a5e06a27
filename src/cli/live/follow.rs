//! Follows a change over the server's events, across restarts of the server, and draws it.

use super::screen::Screen;
use crate::{
    cli::client::{Mr, field},
    core::review::Phase,
};
use futures::StreamExt;
use serde_json::Value;
use std::time::{Duration, Instant};

/// What a reader of events says to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    GoOn,
    /// It is where it will stay unless a person acts; if it still is a while later, following ends.
    Resting,
    /// It is what was waited for.
    Reached,
}

/// How following ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Rested,
    Reached,
}

/// How long to wait before a stream that ended is opened again.
const AGAIN: Duration = Duration::from_millis(300);

/// How long a change must rest before following ends. A push, a reopening or a retry right before may not have been read yet.
const REST: Duration = Duration::from_secs(5);

/// How often a picture that moves is drawn.
const DRAW: Duration = Duration::from_millis(120);

/// A picture is asked for at most so often, and never more than a fifth of the time: the whole change of a large plan is megabytes.
const ASK: Duration = Duration::from_millis(120);

/// Follows until `judge` says so. It is handed cards as they come, and whole changes, which have the same `phase`, `waits_for` and `head`.
pub async fn follow(mr: &Mr, screen: &mut Screen, judge: &mut dyn FnMut(&Value) -> Verdict) -> anyhow::Result<End> {
    let mut connected = false;
    let mut rested: Option<Instant> = None;
    let mut next_ask = Instant::now();
    loop {
        let path = mr.path(&["events"]);
        match mr.client.events(&path).await {
            Ok(mut events) => {
                connected = true;
                let mut stale = true;
                loop {
                    let now = Instant::now();
                    if rested.is_some_and(|since| now - since >= REST) {
                        return Ok(End::Rested);
                    }
                    let mut wake = if screen.moves() { DRAW } else { REST };
                    if stale && screen.draws() {
                        wake = wake.min(next_ask.saturating_duration_since(now));
                    }
                    if let Some(since) = rested {
                        wake = wake.min((since + REST).saturating_duration_since(now));
                    }
                    match tokio::time::timeout(wake, events.next()).await {
                        Ok(Some(Ok(event))) => {
                            stale = true;
                            let verdict = heard(&event["card"], screen, judge);
                            rested = if verdict == Verdict::Resting { rested.or(Some(Instant::now())) } else { None };
                            if verdict == Verdict::Reached {
                                draw(mr, screen).await;
                                return Ok(End::Reached);
                            }
                        }
                        Ok(Some(Err(_)) | None) => break,
                        Err(_) => screen.draw(),
                    }
                    if stale && screen.draws() && Instant::now() >= next_ask {
                        let asked = Instant::now();
                        if let Some(change) = draw(mr, screen).await {
                            stale = false;
                            if judge(&change) == Verdict::Reached {
                                return Ok(End::Reached);
                            }
                        }
                        next_ask = Instant::now() + ASK.max(asked.elapsed() * 4);
                    }
                }
            }
            // The first answer tells of a wrong name or token; later ones may be a server that restarts.
            Err(error) if !connected => return Err(error),
            Err(_) => {}
        }
        screen.draw();
        tokio::time::sleep(AGAIN).await;
    }
}

fn heard(card: &Value, screen: &mut Screen, judge: &mut dyn FnMut(&Value) -> Verdict) -> Verdict {
    if let Some(phase) = card["phase"].as_str().and_then(Phase::parse) {
        screen.card(phase, &field(card, "waits_for"));
    }
    judge(card)
}

/// Asks for the whole change and draws it; none when the server does not answer now.
async fn draw(mr: &Mr, screen: &mut Screen) -> Option<Value> {
    if !screen.draws() {
        return None;
    }
    let change = mr.show().await.ok()?;
    screen.change(&change);
    Some(change)
}
