//! `trueup mr wait`: until a change is in a phase, has ended in another, or the time is up.

use crate::{
    cli::{
        Exit,
        client::{Mr, MrArgs, field},
    },
    core::{
        model::Span,
        review::{Phase, escape},
    },
};
use futures::StreamExt;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup mr wait 7 --for merged --timeout 10m
  trueup mr wait 7 --for awaiting_approval,empty,refused
  trueup mr wait 7 --for refused --head \"$(git rev-parse HEAD)\"

Exit codes: 0 in one of these phases, 3 ended in another (merged, restored, closed, failed, refused, conflicted),
4 the time is up, 1 error.")]
pub struct WaitArgs {
    #[command(flatten)]
    mr: MrArgs,
    /// The phases to wait for, separated by commas.
    #[arg(long = "for", value_name = "PHASE", value_delimiter = ',', required = true, value_parser = phase)]
    phases: Vec<Phase>,
    /// How long to wait: `30s`, `10m`, `2h`.
    #[arg(long, default_value = "60s", value_parser = span)]
    timeout: Span,
    /// Count only phases of this head, so that a push that the server has not read yet is not judged by what was before.
    #[arg(long, value_name = "COMMIT")]
    head: Option<String>,
}

/// How long to wait before a stream that ended is opened again.
const AGAIN: Duration = Duration::from_millis(500);

/// How long a change must rest in a phase that ends a wait. A push, a reopening or a retry right before may not have been read yet.
const REST: Duration = Duration::from_secs(5);

/// Reads a phase's name.
pub fn phase(text: &str) -> Result<Phase, String> {
    Phase::parse(text).ok_or_else(|| format!("no such phase; there are {}", Phase::ALL.map(Phase::as_str).join(", ")))
}

fn span(text: &str) -> Result<Span, String> {
    Span::parse(text).ok_or_else(|| "write a whole number and a unit: `500ms`, `60s`, `10m`, `2h`".to_owned())
}

/// Whether a change stays in a phase until a person does something.
fn ended(phase: Phase) -> bool {
    match phase {
        Phase::Merged | Phase::Restored | Phase::Closed | Phase::Failed | Phase::Refused | Phase::Conflicted => true,
        Phase::Planning | Phase::AwaitingApproval | Phase::Queued | Phase::Rolling | Phase::Verifying | Phase::Merging => false,
        // A pause is meant to go on; an empty plan merges when it is approved.
        Phase::Empty | Phase::Paused | Phase::Restoring => false,
    }
}

pub async fn run(args: &WaitArgs) -> anyhow::Result<Exit> {
    let mr = Mr::find(&args.mr).await?;
    let mut last = Seen::default();
    let waited = tokio::time::timeout(args.timeout.std(), follow(&mr, args, &mut last)).await;
    let (exit, outcome) = match waited {
        Ok(ended) => (ended?, "ended"),
        Err(_) if last.ended => (Exit::Elsewhere, "ended"),
        Err(_) => (Exit::TimedOut, "timed_out"),
    };
    let outcome = if exit == Exit::Ok { "reached" } else { outcome };
    let phase = last.phase.map(Phase::as_str);
    if args.mr.server.json {
        println!("{:#}", json!({ "version": 1, "repo": mr.repo, "number": mr.number.parse::<u64>()?, "outcome": outcome, "phase": phase, "waits_for": last.waits_for }));
    } else {
        let verb = if exit == Exit::TimedOut { format!("is still {} after {}", phase.unwrap_or("unread"), args.timeout) } else { format!("is {}", phase.unwrap_or("unread")) };
        println!("{}!{} {verb}: {}", mr.repo, mr.number, escape::plain(&last.waits_for));
    }
    Ok(exit)
}

#[derive(Default)]
struct Seen {
    phase: Option<Phase>,
    waits_for: String,
    /// It rests in a phase that was not waited for.
    ended: bool,
}

async fn follow(mr: &Mr, args: &WaitArgs, last: &mut Seen) -> anyhow::Result<Exit> {
    let mut connected = false;
    loop {
        let path = mr.path(&["events"]);
        match mr.client.events(&path).await {
            Ok(mut events) => {
                connected = true;
                loop {
                    let rest = if last.ended { REST } else { Duration::MAX };
                    match tokio::time::timeout(rest, events.next()).await {
                        Ok(Some(Ok(event))) => {
                            if judge(&event, args, last) {
                                return Ok(Exit::Ok);
                            }
                        }
                        Ok(Some(Err(_)) | None) => break,
                        Err(_) => return Ok(Exit::Elsewhere),
                    }
                }
            }
            // The first answer tells of a wrong name or token; later ones may be a server that restarts.
            Err(error) if !connected => return Err(error),
            Err(_) => {}
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Takes in what the change shows now; whether it is what was waited for.
fn judge(event: &Value, args: &WaitArgs, last: &mut Seen) -> bool {
    let card = &event["card"];
    let Some(phase) = card["phase"].as_str().and_then(Phase::parse) else { return false };
    let other_head = args.head.as_ref().is_some_and(|head| card["head"].as_str().is_none_or(|seen| !seen.starts_with(head.as_str())));
    if last.phase != Some(phase) && !args.mr.server.json {
        eprintln!("{phase}: {}", field(card, "waits_for"));
    }
    let reached = !other_head && args.phases.contains(&phase);
    *last = Seen { phase: Some(phase), waits_for: field(card, "waits_for"), ended: !other_head && !reached && ended(phase) };
    reached
}
