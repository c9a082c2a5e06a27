//! What a change waits for and who can unblock it.

use super::{code, count, list, short, steps_list};
use crate::core::model::{CommitId, Digest, MrId, Span, StepId, Str, User};
use std::fmt;

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
    /// The last sample saw nothing.
    Blind {
        why: String,
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
    /// It stopped for a reason that is no failed item.
    Broken {
        why: String,
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
            Self::World { why } => write!(f, "Something it needs did not answer ({}); tried again by itself, or now with `/trueup plan`.", code(why)),
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
                    let (others, have) = if ahead.len() > 1 { (format!(" and {} more", ahead.len() - 1), "hold") } else { (String::new(), "holds") };
                    write!(f, "Queued behind {}{others}, which {have} or asked first for what this plan needs; it starts by itself.", code(&first.to_string()))
                }
                None => f.write_str("Waiting for the claims board to answer; it starts by itself."),
            },
            Self::PreImages => f.write_str("Reading the live systems again before the first write; nobody needs to do anything."),
            Self::Halted => f.write_str("Halted by an operator: nothing new is written until the halt is lifted."),
            Self::Rolling { done, all } => write!(f, "Rolling out: {done} of {all} done and proven; nobody needs to do anything."),
            Self::Samples { taken, needed, every } => {
                write!(f, "Everything is true; waiting for it to stay healthy: {taken} of {needed} samples, one every {every}.")
            }
            Self::Blind { why } => write!(f, "Written and proven, but the live systems cannot be looked at now, so the samples start again: {}.", code(why)),
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
            Self::Broken { why } => {
                write!(f, "Stopped: {}; anyone who may approve can say `/trueup retry`, `/trueup plan` or `/trueup restore`, and a new push amends.", code(why))
            }
            Self::Aborted { by } => {
                let who = by.as_ref().map_or(String::new(), |by| format!(" by {}", code(by.as_str())));
                write!(f, "Aborted{who}; what was written stays until `/trueup restore`, or a new approval runs on.")
            }
            Self::Restoring { done, all } => write!(f, "Going back: {done} of {all} restored; nobody needs to do anything."),
            Self::Restored => f.write_str("Restored: what this run wrote is as it was before; a new push or `/trueup plan` starts over."),
            Self::Closed => f.write_str("Closed; it holds nothing."),
            Self::ClosedHolding { written } => write!(
                f,
                "Closed with {} in production; anyone who may approve can say `/trueup restore` or `/trueup free`, or reopen it and approve again.",
                count(*written, "written item")
            ),
        }
    }
}
