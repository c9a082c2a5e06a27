//! `trueup mr wait`: until a change is in a phase, has ended in another, or the time is up.

use crate::{
    cli::{
        Exit,
        client::{Mr, MrArgs, field},
        term,
    },
    core::{
        model::Span,
        review::{Phase, escape},
    },
};
use futures::StreamExt;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use std::{io::IsTerminal as _, time::Duration};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup mr wait 7 --for merged --timeout 10m
  trueup mr wait 7 --for awaiting_approval,empty,refused
  trueup mr wait 7 --for refused --head \"$(git rev-parse HEAD)\"

Phases: planning, awaiting_approval, queued, rolling, verifying, merging, merged; empty (nothing to do, merges
when approved), refused, conflicted, paused, failed, restoring, restored, closed.

What it waits for goes to standard error as it changes, the end to standard output.

Exit codes:
  0  it is in one of these phases
  1  an error
  3  it ended in another: merged, restored, closed, failed, refused, conflicted
  4  the time is up")]
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
    let mut last = Seen::new(args.mr.server.json);
    let waited = tokio::time::timeout(args.timeout.std(), follow(&mr, args, &mut last)).await;
    let (exit, outcome) = match waited {
        Ok(ended) => (ended?, "ended"),
        Err(_) if last.ended => (Exit::Elsewhere, "ended"),
        Err(_) => (Exit::TimedOut, "timed_out"),
    };
    last.progress.clear();
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

/// What is told while waiting: on a terminal one line that is rewritten, elsewhere a line for every news.
enum Progress {
    Quiet,
    Line(ProgressBar),
    Lines { told: String },
}

impl Progress {
    fn new(quiet: bool) -> Self {
        match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Line(term::spinner()),
            (false, false) => Self::Lines { told: String::new() },
        }
    }

    fn tell(&mut self, phase: Phase, waits_for: &str) {
        let line = format!("{phase}: {waits_for}");
        match self {
            Self::Quiet => {}
            Self::Line(bar) => bar.set_message(line),
            Self::Lines { told } => {
                let gist = gist(&line);
                if *told != gist {
                    eprintln!("{line}");
                    *told = gist;
                }
            }
        }
    }

    fn clear(&self) {
        if let Self::Line(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// A sentence without its numbers: a count that goes up is no news for a log.
fn gist(line: &str) -> String {
    line.chars().filter(|c| !c.is_ascii_digit()).collect()
}

struct Seen {
    progress: Progress,
    phase: Option<Phase>,
    waits_for: String,
    /// It rests in a phase that was not waited for.
    ended: bool,
}

impl Seen {
    fn new(quiet: bool) -> Self {
        Self { progress: Progress::new(quiet), phase: None, waits_for: String::new(), ended: false }
    }
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
    let reached = !other_head && args.phases.contains(&phase);
    (last.phase, last.waits_for, last.ended) = (Some(phase), field(card, "waits_for"), !other_head && !reached && ended(phase));
    last.progress.tell(phase, &last.waits_for);
    reached
}

#[cfg(test)]
mod tests {
    use super::gist;

    #[test]
    fn a_count_that_goes_up_is_no_news() {
        assert_eq!(gist("rolling: 1 of 10 done"), gist("rolling: 2 of 10 done"));
        assert_ne!(gist("rolling: 1 of 10 done"), gist("failed: 1 item failed"));
    }
}
