//! `trueup mr wait`: until a change is in a phase, has ended in another, or the time is up.

use crate::{
    cli::{
        Exit,
        client::{Mr, MrArgs, field},
        live::{self, End, Screen, Stream, Verdict},
        term::Color,
    },
    core::{
        model::Span,
        review::{Phase, escape},
    },
};
use serde_json::{Value, json};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup mr wait 7 --for merged --timeout 10m
  trueup mr wait 7 --for awaiting_approval,empty,refused
  trueup mr wait 7 --for refused --head \"$(git rev-parse HEAD)\"

Phases: planning, awaiting_approval, queued, rolling, verifying, merging, merged; empty (nothing to do, merges \
when approved), refused, conflicted, paused, failed, restoring, restored, closed.

The steps and what it waits for go to standard error: live on a terminal, elsewhere a line for each news. The end goes to \
standard output.

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

/// Reads a phase's name.
pub fn phase(text: &str) -> Result<Phase, String> {
    Phase::parse(text).ok_or_else(|| format!("no such phase; there are {}", Phase::ALL.map(Phase::as_str).join(", ")))
}

/// Reads a length of time.
pub fn span(text: &str) -> Result<Span, String> {
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

pub async fn run(args: &WaitArgs, color: Color) -> anyhow::Result<Exit> {
    let mr = Mr::find(&args.mr).await?;
    let mut screen = if args.mr.server.json { Screen::quiet() } else { Screen::new(Stream::Stderr, color.on_stderr(), "") };
    let mut last = Seen::default();
    let waited = tokio::time::timeout(args.timeout.std(), live::follow(&mr, &mut screen, &mut |change| judge(change, args, &mut last))).await;
    screen.end(false);
    let (exit, outcome) = match waited {
        Ok(ended) => match ended? {
            End::Reached => (Exit::Ok, "reached"),
            End::Rested => (Exit::Elsewhere, "ended"),
        },
        Err(_) if last.ended => (Exit::Elsewhere, "ended"),
        Err(_) => (Exit::TimedOut, "timed_out"),
    };
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

/// Takes in what the change shows now; whether it is what was waited for.
fn judge(change: &Value, args: &WaitArgs, last: &mut Seen) -> Verdict {
    let Some(phase) = change["phase"].as_str().and_then(Phase::parse) else { return Verdict::GoOn };
    let other_head = args.head.as_ref().is_some_and(|head| change["head"].as_str().is_none_or(|seen| !seen.starts_with(head.as_str())));
    let reached = !other_head && args.phases.contains(&phase);
    *last = Seen { phase: Some(phase), waits_for: field(change, "waits_for"), ended: !other_head && !reached && ended(phase) };
    match (reached, last.ended) {
        (true, _) => Verdict::Reached,
        (false, true) => Verdict::Resting,
        (false, false) => Verdict::GoOn,
    }
}
