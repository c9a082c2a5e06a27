//! Answers to commands.

use super::{code, count, list, phase_words, short, steps_list};
use crate::core::{
    model::{CommitId, Digest, StepId, Str, Time, User},
    review::{Phase, command},
};
use serde::{Deserialize, Serialize};
use std::fmt;

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
    /// It names no digest, and was said before the forge showed the plan that stands now.
    NotRead {
        now: Digest,
    },
    /// A stranger's head that came after it was written, or may have.
    HeadIsNew {
        head: CommitId,
    },
    /// Another plan stands than the one it was said of.
    PlanChanged {
        command: String,
        now: Option<Digest>,
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
        phase: Phase,
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
        until: Time,
    },
    /// The time or the reason of a skip is none.
    SkipTerms {
        fault: String,
    },
    /// Then nothing would be left to merge.
    SkipsAll,
    /// Who must say yes between two steps is not left out by others.
    SkipsApproval {
        step: StepId,
    },
    /// Somebody said yes to merging without what was skipped.
    Exempted {
        by: User,
        digest: Digest,
        items: usize,
        missing: u32,
    },
    /// What there is to approve is an exemption, and it was not named.
    NotTheExemption {
        now: Digest,
        items: usize,
    },
    /// Whoever skipped does not exempt.
    OwnSkip {
        by: User,
    },
    /// What was skipped may not be left out any longer.
    ExemptionOver {
        over: Time,
    },
    /// A skip needs a reason, for whoever decides what becomes of it.
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
    /// What it wrote stays, held by nobody; titles.
    Freed {
        left: Vec<String>,
    },
    /// Something is written: freeing must say why.
    FreeNeedsReason {
        left: Vec<String>,
    },
    Taken {
        by: User,
    },
    /// What became of claiming an override.
    Overridden {
        text: String,
    },
    /// For the whole server.
    Halting {
        on: bool,
    },
    Unknown {
        text: String,
        nearest: Option<String>,
    },
    /// Commands of one comment beyond those that are heard.
    TooMany {
        heard: usize,
    },
    /// What another replica of the server answered, in its words.
    Relayed {
        upshot: Upshot,
        text: String,
    },
}

/// What an answer means for a program that asked; of several the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Upshot {
    /// What was asked holds now.
    Done,
    /// This person may not.
    Denied,
    /// Not in this state, or not said like this; nothing changed.
    Refused,
}

impl Answer {
    /// Whether what was asked holds now, and if not, whose fault it is.
    pub fn upshot(&self) -> Upshot {
        match self {
            Self::Help
            | Self::Approved { .. }
            | Self::ApprovedAlready { .. }
            | Self::Replanning
            | Self::Starting
            | Self::Pausing { .. }
            | Self::Resumed
            | Self::Retrying { .. }
            | Self::Skipped { .. }
            | Self::Exempted { .. }
            | Self::Aborted { .. }
            | Self::Restoring { .. }
            | Self::Freed { .. }
            | Self::Taken { .. }
            | Self::Overridden { .. }
            | Self::Halting { .. } => Upshot::Done,
            Self::OwnChange { .. } | Self::OwnSkip { .. } | Self::NotAllowed { .. } | Self::NotNamed { .. } => Upshot::Denied,
            Self::StaleDigest { .. }
            | Self::NotRead { .. }
            | Self::HeadIsNew { .. }
            | Self::PlanChanged { .. }
            | Self::NoSuchStep { .. }
            | Self::NothingToApprove
            | Self::NotNow { .. }
            | Self::SkipNeedsReason { .. }
            | Self::SkipTerms { .. }
            | Self::SkipsAll
            | Self::SkipsApproval { .. }
            | Self::NotTheExemption { .. }
            | Self::ExemptionOver { .. }
            | Self::NothingToRestore
            | Self::FreeNeedsReason { .. }
            | Self::Unknown { .. }
            | Self::TooMany { .. } => Upshot::Refused,
            Self::Relayed { upshot, text: _ } => *upshot,
        }
    }
}

/// What is left behind, and its verb.
fn items(titles: &[String]) -> (String, &'static str) {
    let names: Vec<Str> = titles.iter().map(|title| title.as_str().into()).collect();
    (list(&names, "and"), if titles.len() == 1 { "stays" } else { "stay" })
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Help => f.write_str(&command::help()),
            Self::Approved { by, digest, missing: 0 } => write!(f, "{} approved `{}`; that is all it needs.", code(by.as_str()), digest.short()),
            Self::Approved { by, digest, missing } => {
                write!(f, "{} approved `{}`; {} still missing.", code(by.as_str()), digest.short(), count(*missing as usize, "approval"))
            }
            Self::ApprovedAlready { digest } => write!(f, "You approved `{}` before; it still counts.", digest.short()),
            Self::StaleDigest { asked, now } => {
                write!(f, "Not approved: {} is not the plan shown now. Read it again, then say `/trueup approve {}`.", code(asked), now.short())
            }
            Self::NotRead { now } => {
                write!(
                    f,
                    "Not approved: the plan `{}` was shown, or this change was stopped, only after you wrote that. Read it, then say `/trueup approve {}`.",
                    now.short(),
                    now.short()
                )
            }
            Self::HeadIsNew { head } => {
                write!(f, "Not planned: the head is {} by now, and may have been pushed after you wrote that. Look at it, then say `/trueup plan` again.", code(short(head)))
            }
            Self::PlanChanged { command, now } => {
                let now = now.map_or_else(|| "there is no plan now".to_owned(), |now| format!("the plan is `{}` now", now.short()));
                write!(f, "Not done: the plan changed since `/trueup {command}` was said, and {now}. Read it, then say it again.")
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
            Self::Skipped { step, reason, until } => {
                write!(
                    f,
                    "Step {step} is skipped ({}); merging without it, until {until}, needs an exemption: when all else is done and proven, this change shows what it would leave out, and somebody else approves that.",
                    code(reason)
                )
            }
            Self::SkipTerms { fault } => write!(f, "Not skipped: {}.", code(fault)),
            Self::SkipsApproval { step } => {
                write!(f, "Not skipped: step {step} is an approval, and nobody gives it by leaving it out. `/trueup retry` asks for it again, `/trueup restore` goes back.")
            }
            Self::SkipsAll => {
                f.write_str("Not skipped: nothing else is done, so nothing would be left to merge. `/trueup retry` tries it again, a new push amends, or close the merge request.")
            }
            Self::Exempted { by, digest, items, missing: 0 } => {
                write!(
                    f,
                    "{} approved the exemption `{}`: it merges without {}, once the rest has stayed true and healthy.",
                    code(by.as_str()),
                    digest.short(),
                    count(*items, "item")
                )
            }
            Self::Exempted { by, digest, items: _, missing } => {
                write!(f, "{} approved the exemption `{}`; {} still missing.", code(by.as_str()), digest.short(), count(*missing as usize, "approval"))
            }
            Self::NotTheExemption { now, items } => write!(
                f,
                "Not approved: what there is to approve is to merge without {}. Read what that leaves out, then say `/trueup approve {}`.",
                count(*items, "skipped item"),
                now.short()
            ),
            Self::OwnSkip { by } => write!(f, "Not approved: {} skipped some of it, and nobody exempts what they skipped.", code(by.as_str())),
            Self::ExemptionOver { over } => write!(f, "Not approved: what was skipped could be left out until {over}. Say `/trueup retry`, and skip it again with a later time."),
            Self::SkipNeedsReason { step } => write!(f, "Say why: `/trueup skip {step} REASON`."),
            Self::Aborted { in_flight } if in_flight.is_empty() => f.write_str("Aborted; nothing is in flight and nothing is undone by itself. `/trueup restore` goes back."),
            Self::Aborted { in_flight } => write!(f, "Aborting as soon as {} has answered; nothing is undone by itself.", steps_list(in_flight)),
            Self::Restoring { items } => write!(f, "Going back: {} to restore.", count(*items, "item")),
            Self::NothingToRestore => f.write_str("Nothing to restore: this change has written nothing."),
            Self::Freed { left } if left.is_empty() => f.write_str("Its claims are free for other changes; it has written nothing."),
            Self::Freed { left } => {
                let (what, stays) = items(left);
                write!(
                    f,
                    "Freed. {what} {stays} as it is, held by nobody: other changes may write over it. `/trueup restore` still goes back while nobody changed it; `/trueup plan` plans again, and merging makes what is live the base."
                )
            }
            Self::FreeNeedsReason { left } => {
                let (what, _) = items(left);
                write!(
                    f,
                    "Not freed: this change wrote {what} and it is not merged, so freeing leaves it live and lets other changes write over it. To go back first, say `/trueup restore`; to let go all the same, say why: `/trueup free REASON`."
                )
            }
            Self::Overridden { text } => f.write_str(text),
            Self::Taken { by } => write!(f, "{} is responsible for this change now.", code(by.as_str())),
            Self::Halting { on: true } => {
                f.write_str("Halting the whole server: no change writes anything new from here on, and nothing is undone. `/trueup halt lift` lets them go on.")
            }
            Self::Halting { on: false } => f.write_str("Lifting the halt: all changes go on."),
            Self::Unknown { text, nearest: Some(nearest) } => write!(f, "{} is no command; did you mean `/trueup {nearest}`? `/trueup help` lists all.", code(text)),
            Self::TooMany { heard } => write!(f, "Only the first {heard} commands of a comment are heard; say the rest in another one."),
            Self::Relayed { upshot: _, text } => f.write_str(text),
            Self::Unknown { text, nearest: None } => write!(f, "{} is no command; `/trueup help` lists all.", code(text)),
        }
    }
}
