//! Commands people say to a change: lines of a comment that start with `/trueup`.

use super::Right;
use crate::core::model::{self, StepId};
use serde::{Deserialize, Serialize};

/// One `/trueup` command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    Plan,
    /// Approves the digest shown last, or the one named (a prefix of at least twelve hex digits), or some steps of it.
    Approve {
        digest: Option<String>,
        steps: Vec<StepId>,
    },
    /// Starts an approved plan where policy says `start: on_command`.
    Start,
    Pause,
    Resume,
    Retry,
    /// An empty reason is a fault that the answer names.
    Skip {
        step: StepId,
        /// How long a merge may leave it out; absent: as long as policy says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
        reason: String,
    },
    Abort,
    Restore,
    /// An empty reason is enough where nothing is written.
    Free {
        reason: String,
    },
    Take,
    /// Answers for what is live of a resource until some time, so that it is no drift and the next change may write over it.
    Override {
        resource: String,
        until: String,
        reason: String,
    },
    /// For the whole server: no new writes, or that they go on.
    Halt {
        on: bool,
    },
    Help,
    /// Nobody says it: the server does, when somebody answers for a drift that may have kept this change from its plan. It vouches for nothing.
    PlanAgain,
    /// Looked like a command and is none: what was written, and the nearest known.
    Unknown {
        text: String,
        nearest: Option<String>,
    },
}

/// How a command is written and what it does.
struct Usage {
    verb: &'static str,
    /// What follows the verb; empty when nothing may.
    args: &'static str,
    does: &'static str,
    needs: Right,
}

impl Command {
    /// The word after `/trueup`; the text itself for an unknown one.
    pub fn verb(&self) -> &str {
        match self {
            Self::Unknown { text, nearest: _ } => text,
            known => known.usage().map_or("", |usage| usage.verb),
        }
    }

    /// The right a person needs to say it.
    pub fn needs(&self) -> Right {
        self.usage().map_or(Right::None, |usage| usage.needs)
    }

    /// Whether it is about the plan that its speaker saw: under another one it would mean something else.
    pub fn is_of_a_plan(&self) -> bool {
        match self {
            Self::Approve { digest, steps: _ } => digest.is_none(),
            Self::Start | Self::Retry | Self::Skip { .. } => true,
            Self::Plan
            | Self::Pause
            | Self::Resume
            | Self::Abort
            | Self::Restore
            | Self::Free { .. }
            | Self::Take
            | Self::Override { .. }
            | Self::Halt { .. }
            | Self::Help
            | Self::PlanAgain
            | Self::Unknown { .. } => false,
        }
    }

    /// Whether it only stops something: who may say it is not kept from it because a forge cannot be asked just now. A way back writes.
    pub fn stops(&self) -> bool {
        match self {
            Self::Pause | Self::Abort => true,
            Self::Halt { on } => *on,
            Self::Plan
            | Self::Approve { .. }
            | Self::Start
            | Self::Resume
            | Self::Retry
            | Self::Skip { .. }
            | Self::Restore
            | Self::Free { .. }
            | Self::Take
            | Self::Override { .. }
            | Self::Help
            | Self::PlanAgain
            | Self::Unknown { .. } => false,
        }
    }

    fn usage(&self) -> Option<Usage> {
        let usage = |verb, args, does, needs| Some(Usage { verb, args, does, needs });
        match self {
            Self::Plan => usage("plan", "", "reads the live systems and plans again; for an author who may not write here, a member's word that it may be read", Right::Write),
            Self::Approve { digest: _, steps: _ } => {
                usage("approve", "[DIGEST | STEP…]", "approves the plan shown now, the plan or the exemption of that digest, or some steps of the plan", Right::Approve)
            }
            Self::Start => usage("start", "", "starts an approved plan where policy says `start: on_command`", Right::Approve),
            Self::Pause => usage("pause", "", "stops at the next safe point; nothing is undone", Right::Approve),
            Self::Resume => usage("resume", "", "goes on after a pause", Right::Approve),
            Self::Retry => usage("retry", "", "tries what failed again, from what is really there", Right::Approve),
            Self::Skip { step: _, until: _, reason: _ } => usage(
                "skip",
                "STEP [until WHEN] REASON…",
                "leaves a failed step out; when all else is done and proven, the change shows what it would merge without, and somebody else who may approve says `/trueup approve` with the digest of that",
                Right::Approve,
            ),
            Self::Abort => usage("abort", "", "stops at the next safe point and ends the run; nothing is undone", Right::Approve),
            Self::Restore => usage("restore", "", "brings back what was there before this run", Right::Approve),
            Self::Free { reason: _ } => {
                usage("free", "[REASON…]", "gives back what this change holds, so that others go on; where it has written something, which then stays, say why", Right::Approve)
            }
            Self::Take => usage("take", "", "makes you responsible for this change", Right::Approve),
            Self::Override { resource: _, until: _, reason: _ } => usage(
                "override",
                "RESOURCE until WHEN REASON…",
                "answers for what is live of `target/kind/name` until then (`1d`, `2026-12-01`): it is no drift, and the next change of it may write over it, which ends the override",
                Right::Approve,
            ),
            Self::Halt { on: _ } => {
                usage("halt", "[lift]", "stops all changes of the whole server at their next safe point, in an emergency; nothing is undone; `lift` lets them go on", Right::Admin)
            }
            Self::Help => usage("help", "", "lists the commands", Right::Read),
            Self::PlanAgain | Self::Unknown { text: _, nearest: _ } => None,
        }
    }

    /// The command after this one in the help; a new variant breaks the build here until it has its place.
    fn next(&self) -> Option<Command> {
        match self {
            Self::Plan => Some(Self::Approve { digest: None, steps: Vec::new() }),
            Self::Approve { digest: _, steps: _ } => Some(Self::Start),
            Self::Start => Some(Self::Pause),
            Self::Pause => Some(Self::Resume),
            Self::Resume => Some(Self::Retry),
            Self::Retry => Some(Self::Skip { step: StepId(1), until: None, reason: String::new() }),
            Self::Skip { step: _, until: _, reason: _ } => Some(Self::Abort),
            Self::Abort => Some(Self::Restore),
            Self::Restore => Some(Self::Free { reason: String::new() }),
            Self::Free { reason: _ } => Some(Self::Take),
            Self::Take => Some(Self::Override { resource: String::new(), until: String::new(), reason: String::new() }),
            Self::Override { resource: _, until: _, reason: _ } => Some(Self::Halt { on: true }),
            Self::Halt { on: _ } => Some(Self::Help),
            Self::Help | Self::PlanAgain | Self::Unknown { text: _, nearest: _ } => None,
        }
    }

    /// Every known command once, in the order of the help.
    pub fn all() -> impl Iterator<Item = Command> {
        std::iter::successors(Some(Self::Plan), Self::next)
    }
}

/// The commands and what they do, one line each, as Markdown.
pub fn help() -> String {
    let mut out = String::from("Each on a line of its own:\n\n");
    for usage in Command::all().filter_map(|command| command.usage()) {
        let form = if usage.args.is_empty() { usage.verb.to_owned() } else { format!("{} {}", usage.verb, usage.args) };
        out.push_str(&format!("- `/trueup {form}` {}\n", usage.does));
    }
    out
}

/// The commands in a comment, in order.
///
/// Only lines that start with `/trueup` count, outside fenced code, quotes and HTML comments.
pub fn parse(body: &str) -> Vec<Command> {
    let mut out = Vec::new();
    let mut fence: Option<(char, usize)> = None;
    let mut hidden = false;
    for line in body.lines() {
        let text = line.trim_start_matches(' ');
        let indent = line.len() - text.len();
        if hidden {
            hidden = !closes_comment(line);
            continue;
        }
        if let Some((mark, length)) = fence {
            let run = run_of(text, mark);
            if indent < 4 && run >= length && text[run..].trim().is_empty() {
                fence = None;
            }
            continue;
        }
        let mark = if text.starts_with('~') { '~' } else { '`' };
        let run = run_of(text, mark);
        if indent < 4 && run >= 3 && (mark == '~' || !text[run..].contains('`')) {
            fence = Some((mark, run));
            continue;
        }
        if indent < 4
            && let Some(said) = text.strip_prefix("/trueup")
            && (said.is_empty() || said.starts_with(char::is_whitespace))
        {
            out.push(read(said.trim()));
            continue;
        }
        hidden = opens_comment(line);
    }
    out
}

fn run_of(text: &str, mark: char) -> usize {
    text.len() - text.trim_start_matches(mark).len()
}

fn closes_comment(line: &str) -> bool {
    line.find("-->").is_some_and(|end| !opens_comment(&line[end + 3..]))
}

/// Whether a line leaves an HTML comment open.
fn opens_comment(line: &str) -> bool {
    let mut rest = line;
    while let Some(open) = rest.find("<!--") {
        match rest[open + 4..].find("-->") {
            Some(close) => rest = &rest[open + 4 + close + 3..],
            None => return true,
        }
    }
    false
}

/// Reads what follows `/trueup`.
fn read(said: &str) -> Command {
    let mut words = said.split_whitespace();
    let verb = words.next().unwrap_or("help").to_lowercase();
    let args: Vec<&str> = words.map(|word| word.trim_matches('`')).filter(|word| !word.is_empty()).collect();
    let known = Command::all().find(|command| command.verb() == verb);
    let parsed = known.as_ref().and_then(|command| match command {
        Command::Approve { .. } => approve(&args),
        Command::Skip { .. } => skip(&args),
        Command::Free { .. } => Some(Command::Free { reason: args.join(" ") }),
        Command::Override { .. } => overrides(&args),
        Command::Halt { .. } => match args[..] {
            [] => Some(Command::Halt { on: true }),
            ["lift"] => Some(Command::Halt { on: false }),
            _ => None,
        },
        Command::Plan
        | Command::Start
        | Command::Pause
        | Command::Resume
        | Command::Retry
        | Command::Abort
        | Command::Restore
        | Command::Take
        | Command::Help
        | Command::PlanAgain
        | Command::Unknown { .. } => args.is_empty().then(|| command.clone()),
    });
    parsed.unwrap_or_else(|| Command::Unknown { text: said.to_owned(), nearest: nearest(&verb) })
}

/// `approve`, `approve DIGEST` or `approve 3 4`; anything else is none, because an approval must not be guessed.
fn approve(args: &[&str]) -> Option<Command> {
    let is_digest = |word: &&str| (12..=64).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_hexdigit());
    if let [digest] = args
        && is_digest(digest)
    {
        return Some(Command::Approve { digest: Some(digest.to_lowercase()), steps: Vec::new() });
    }
    let steps = args.iter().flat_map(|word| word.split(',')).filter(|word| !word.is_empty()).map(step).collect::<Option<Vec<_>>>()?;
    Some(Command::Approve { digest: None, steps })
}

/// A step's number as plans print it; `0123` looks like the start of a digest.
fn step(word: &str) -> Option<StepId> {
    (!word.starts_with(['0', '+'])).then(|| word.parse().ok().map(StepId))?
}

/// `override RESOURCE until WHEN REASON…`; what is missing behind the time is said by whoever carries it out.
fn overrides(args: &[&str]) -> Option<Command> {
    match args {
        [resource, until, when, reason @ ..] if until.eq_ignore_ascii_case("until") => {
            Some(Command::Override { resource: (*resource).to_owned(), until: (*when).to_owned(), reason: reason.join(" ") })
        }
        _ => None,
    }
}

/// `skip STEP REASON…` or `skip STEP until WHEN REASON…`; what is missing is said by whoever carries it out.
fn skip(args: &[&str]) -> Option<Command> {
    let (step, rest) = args.split_first()?;
    let (until, reason) = match rest {
        [until, when, reason @ ..] if until.eq_ignore_ascii_case("until") => (Some((*when).to_owned()), reason),
        reason => (None, reason),
    };
    Some(Command::Skip { step: self::step(step)?, until, reason: reason.join(" ") })
}

/// The known command that was most likely meant, with its arguments.
fn nearest(verb: &str) -> Option<String> {
    let usages: Vec<Usage> = Command::all().filter_map(|command| command.usage()).collect();
    let near = model::nearest(verb, usages.iter().map(|usage| usage.verb))?;
    usages.iter().find(|usage| usage.verb == near).map(|usage| format!("{} {}", usage.verb, usage.args).trim_end().to_owned())
}
