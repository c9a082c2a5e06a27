//! Every sentence we say to people: what a change waits for, and answers to commands.
//!
//! A sentence is plain text whose code spans hold everything that came from outside: the same text stands in comments
//! (where nothing in a code span is active), in terminals and in JSON; `escape::sentence_html` brings it onto pages.

use super::escape::code;
use crate::core::model::{CommitId, Digest, MrId, ResourceId, Span, StepId, Str, Time, User};
use std::{collections::BTreeSet, fmt};

/// What a change waits for and who can unblock it; one a situation, its text one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The plan is being made.
    Plan,
    /// The author may not write the repository (I10).
    Trust {
        author: User,
    },
    /// A live system or the repository did not answer.
    World {
        why: String,
    },
    Approvals {
        missing: u32,
        by: Vec<Str>,
        digest: Digest,
    },
    /// Approved; policy says `start: on_command`.
    Start,
    Draft,
    Checks {
        pending: Vec<Str>,
    },
    ChecksFailed {
        failed: Vec<Str>,
    },
    Threads {
        open: u32,
    },
    Freeze {
        reason: Str,
        until: Str,
    },
    Claims {
        ahead: Vec<MrId>,
    },
    /// Reading the targets again before the start.
    PreImages,
    Halted,
    Rolling {
        done: usize,
        all: usize,
    },
    Samples {
        taken: u32,
        needed: u32,
        every: Span,
    },
    /// Health or equality was lost; samples start again.
    Unhealthy {
        what: String,
    },
    Merge,
    /// The forge will not merge now.
    MergeRefused {
        why: String,
    },
    Merged {
        commit: CommitId,
    },
    /// Bad input.
    Push {
        faults: usize,
    },
    Conflicts {
        paths: usize,
    },
    Paused {
        by: Option<User>,
        in_flight: Vec<StepId>,
    },
    Failed {
        items: usize,
        blocked: usize,
    },
    Aborted {
        by: Option<User>,
    },
    Restoring {
        done: usize,
        all: usize,
    },
    Restored,
    /// Closed before anything was written.
    Closed,
    /// Closed after something was written: claims and effective base stay.
    ClosedHolding {
        written: usize,
    },
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan => f.write_str("Reading the live systems and making the plan; nobody needs to do anything."),
            Self::Trust { author } => write!(f, "Waiting for a member to say `/trueup plan` on this head, because {} may not write this repository.", code(author.as_str())),
            Self::World { why } => write!(f, "Waiting for the world to answer ({}); tried again by itself, or now with `/trueup plan`.", code(why)),
            Self::Approvals { missing, by, digest } => {
                let people = if by.is_empty() { "anyone who may approve here".to_owned() } else { list(by, "or") };
                write!(f, "Waiting for {} by {people}: `/trueup approve {}`.", count(*missing as usize, "approval"), digest.short())
            }
            Self::Start => f.write_str("Approved; waiting for `/trueup start` by anyone who may approve, because policy says `start: on_command`."),
            Self::Draft => f.write_str("Waiting for the author to mark the merge request as ready; a draft is planned and never run."),
            Self::Checks { pending } => write!(f, "Waiting for {} to pass on this head.", list(pending, "and")),
            Self::ChecksFailed { failed } => write!(f, "Waiting for the author: {} failed on this head.", list(failed, "and")),
            Self::Threads { open } => write!(f, "Waiting for {} to be resolved by the author or the reviewers.", count(*open as usize, "open thread")),
            Self::Freeze { reason, until } => write!(f, "Waiting until {}: frozen by policy ({}).", code(until), code(reason)),
            Self::Claims { ahead } => match ahead.first() {
                Some(first) => {
                    let others = if ahead.len() > 1 { format!(" and {} more", ahead.len() - 1) } else { String::new() };
                    write!(f, "Queued behind {}{others}, which hold or asked first for what this plan needs; it starts by itself.", code(&first.to_string()))
                }
                None => f.write_str("Waiting for the claims board to answer; it starts by itself."),
            },
            Self::PreImages => f.write_str("Reading the live systems again before the first write; nobody needs to do anything."),
            Self::Halted => f.write_str("Halted by an operator: nothing new is written until the halt is lifted."),
            Self::Rolling { done, all } => write!(f, "Rolling out: {done} of {all} done and proven; nobody needs to do anything."),
            Self::Samples { taken, needed, every } => {
                write!(f, "Everything is true; waiting for it to stay healthy: {taken} of {needed} samples, one every {every}.")
            }
            Self::Unhealthy { what } => write!(f, "Waiting for health, samples start again: {}; `/trueup restore` goes back.", code(what)),
            Self::Merge => f.write_str("True and healthy; merging now."),
            Self::MergeRefused { why } => write!(f, "True and healthy, but the forge does not merge it ({}); tried again by itself.", code(why)),
            Self::Merged { commit } => write!(f, "Merged as {}; nothing is left to do.", code(short(commit))),
            Self::Push { faults } => write!(f, "Waiting for the author to push a fix for {}.", count(*faults, "fault")),
            Self::Conflicts { paths } => write!(f, "Waiting for the author to rebase or merge the base branch: {} in conflict.", count(*paths, "path")),
            Self::Paused { by, in_flight } => {
                let who = by.as_ref().map_or(String::new(), |by| format!(" by {}", code(by.as_str())));
                match in_flight.as_slice() {
                    [] => write!(f, "Paused{who}; `/trueup resume`, `/trueup abort` or `/trueup restore` by anyone who may approve goes on."),
                    steps => write!(f, "Pausing{who} as soon as {} has answered; `/trueup resume` goes on.", steps_list(steps)),
                }
            }
            Self::Failed { items, blocked } => {
                let behind = if *blocked > 0 { format!(" and {blocked} behind it") } else { String::new() };
                write!(
                    f,
                    "{} failed{behind}; anyone who may approve can say `/trueup retry`, `/trueup skip STEP reason` or `/trueup restore`, and a new push amends.",
                    count(*items, "item")
                )
            }
            Self::Aborted { by } => {
                let who = by.as_ref().map_or(String::new(), |by| format!(" by {}", code(by.as_str())));
                write!(f, "Aborted{who}; what was written stays until `/trueup restore`, or a new approval runs on.")
            }
            Self::Restoring { done, all } => write!(f, "Going back: {done} of {all} restored; nobody needs to do anything."),
            Self::Restored => f.write_str("Restored: what this run wrote is as it was before; a new push or `/trueup plan` starts over."),
            Self::Closed => f.write_str("Closed; nothing was written."),
            Self::ClosedHolding { written } => write!(
                f,
                "Closed with {} in production; anyone who may approve can say `/trueup restore` or `/trueup free`, or reopen it and approve again.",
                count(*written, "written item")
            ),
        }
    }
}

/// An answer to a command, posted below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The commands and what they do.
    Help,
    Approved {
        by: User,
        digest: Digest,
        missing: u32,
    },
    ApprovedAlready {
        digest: Digest,
    },
    /// The named digest is not the plan's.
    StaleDigest {
        asked: String,
        now: Digest,
    },
    NoSuchStep {
        step: StepId,
        last: StepId,
    },
    NothingToApprove,
    /// The approver pushed to it, or made the bot open it.
    OwnChange {
        by: User,
    },
    /// The right is missing.
    NotAllowed {
        by: User,
        needs: &'static str,
    },
    /// The rule names people, and this is none of them.
    NotNamed {
        by: User,
        named: Vec<Str>,
    },
    /// The phase does not know the command.
    NotNow {
        command: &'static str,
        phase: super::Phase,
    },
    Replanning,
    Starting,
    Pausing {
        in_flight: Vec<StepId>,
    },
    Resumed,
    Retrying {
        items: usize,
    },
    Skipped {
        step: StepId,
        reason: String,
    },
    /// A skip needs a reason, because it ends in an exemption.
    SkipNeedsReason {
        step: StepId,
    },
    Aborted {
        in_flight: Vec<StepId>,
    },
    Restoring {
        items: usize,
    },
    NothingToRestore,
    Freed,
    Taken {
        by: User,
    },
    Unknown {
        text: String,
        nearest: Option<String>,
    },
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Help => f.write_str(&super::command::help()),
            Self::Approved { by, digest, missing: 0 } => write!(f, "{} approved `{}`; that is all it needs.", code(by.as_str()), digest.short()),
            Self::Approved { by, digest, missing } => {
                write!(f, "{} approved `{}`; {} still missing.", code(by.as_str()), digest.short(), count(*missing as usize, "approval"))
            }
            Self::ApprovedAlready { digest } => write!(f, "You approved `{}` before; it still counts.", digest.short()),
            Self::StaleDigest { asked, now } => {
                write!(f, "Not approved: {} is not the plan shown now. Read it again, then say `/trueup approve {}`.", code(asked), now.short())
            }
            Self::NoSuchStep { step, last } => write!(f, "There is no step {step}; the plan's last step is {last}."),
            Self::NothingToApprove => f.write_str("There is no plan to approve now."),
            Self::OwnChange { by } => write!(f, "Not approved: {} pushed to this merge request, and nobody approves their own change.", code(by.as_str())),
            Self::NotAllowed { by, needs } => write!(f, "Not done: {} needs the right to {needs} in this repository.", code(by.as_str())),
            Self::NotNamed { by, named } => write!(f, "Not counted: the rule asks for {}, and {} is not among them.", list(named, "or"), code(by.as_str())),
            Self::NotNow { command, phase } => write!(f, "`/trueup {command}` does nothing while the change is {}.", phase_words(*phase)),
            Self::Replanning => f.write_str("Planning again from live state."),
            Self::Starting => f.write_str("Starting as soon as the start gate says go."),
            Self::Pausing { in_flight } if in_flight.is_empty() => f.write_str("Paused; nothing is in flight."),
            Self::Pausing { in_flight } => write!(f, "Pausing as soon as {} has answered.", steps_list(in_flight)),
            Self::Resumed => f.write_str("Going on."),
            Self::Retrying { items } => write!(f, "Trying {} again, from what is really there.", count(*items, "failed item")),
            Self::Skipped { step, reason } => write!(f, "Step {step} is skipped ({}); merging now needs an approved exemption.", code(reason)),
            Self::SkipNeedsReason { step } => write!(f, "Say why: `/trueup skip {step} REASON`."),
            Self::Aborted { in_flight } if in_flight.is_empty() => f.write_str("Aborted; nothing is in flight and nothing is undone by itself. `/trueup restore` goes back."),
            Self::Aborted { in_flight } => write!(f, "Aborting as soon as {} has answered; nothing is undone by itself.", steps_list(in_flight)),
            Self::Restoring { items } => write!(f, "Going back: {} to restore.", count(*items, "item")),
            Self::NothingToRestore => f.write_str("Nothing to restore: this change has written nothing."),
            Self::Freed => f.write_str("Its claims are free for other changes."),
            Self::Taken { by } => write!(f, "{} is responsible for this change now.", code(by.as_str())),
            Self::Unknown { text, nearest: Some(nearest) } => write!(f, "{} is no command; did you mean `/trueup {nearest}`? `/trueup help` lists all.", code(text)),
            Self::Unknown { text, nearest: None } => write!(f, "{} is no command; `/trueup help` lists all.", code(text)),
        }
    }
}

/// What a change ahead in the queue keeps from one behind it.
pub fn keeps(holds: bool, ids: &BTreeSet<&ResourceId>) -> String {
    let verb = if holds { "holds" } else { "asked first for" };
    match (ids.first(), ids.len()) {
        (None, _) => verb.to_owned(),
        (Some(one), 1) => format!("{verb} {}", code(&one.to_string())),
        (Some(first), n) => format!("{verb} {} and {} more", code(&first.to_string()), n - 1),
    }
}

/// A phase as words in a sentence.
pub fn phase_words(phase: super::Phase) -> &'static str {
    match phase {
        super::Phase::AwaitingApproval => "awaiting approval",
        super::Phase::Planning
        | super::Phase::Queued
        | super::Phase::Rolling
        | super::Phase::Verifying
        | super::Phase::Merging
        | super::Phase::Merged
        | super::Phase::Empty
        | super::Phase::Refused
        | super::Phase::Conflicted
        | super::Phase::Paused
        | super::Phase::Failed
        | super::Phase::Restoring
        | super::Phase::Restored
        | super::Phase::Closed => phase.as_str(),
    }
}

/// `1 fault`, `3 faults`.
pub fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// A commit for people.
pub fn short(commit: &CommitId) -> &str {
    commit.as_str().get(..12).unwrap_or(commit.as_str())
}

/// An instant for people.
pub fn when(time: Time) -> String {
    time.to_string()
}

/// `a, b or c`, each escaped.
pub fn list(items: &[Str], last: &str) -> String {
    match items {
        [] => "nobody".to_owned(),
        [one] => code(one),
        [init @ .., end] => format!("{} {last} {}", init.iter().map(|item| code(item)).collect::<Vec<_>>().join(", "), code(end)),
    }
}

fn steps_list(steps: &[StepId]) -> String {
    match steps {
        [one] => format!("step {one}"),
        [first, ..] => format!("step {first} and {} more", steps.len() - 1),
        [] => "no step".to_owned(),
    }
}
