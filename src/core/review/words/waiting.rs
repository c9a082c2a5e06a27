//! What a change waits for and who can unblock it.

use super::{code, count, list, short, steps_list, when};
use crate::core::{
    gate::Unmet,
    model::{CommitId, Digest, MrId, Refusal, RefusalKind, Span, StepId, Str, Time, User},
    review::{Depended, Dependency},
};
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
        /// Why these people cannot give them, where that is known.
        cannot: Option<String>,
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
    /// The forge takes only what holds the newest of the branch.
    Behind {
        branch: Str,
        why: Str,
    },
    /// What the forge does not tell of it, each with why.
    Unread {
        what: Vec<Str>,
    },
    /// What policy requires of every merge request and this one does not keep.
    Rules {
        unmet: Vec<Unmet>,
    },
    Freeze {
        reason: Str,
        until: Str,
    },
    Claims {
        ahead: Vec<MrId>,
    },
    /// Its description says that these come first.
    DependsOn {
        first: Vec<Dependency>,
    },
    /// What it asks for is live because these wrote it, and they are not merged.
    Unmerged {
        by: Vec<MrId>,
    },
    /// Reading the targets again before the start.
    PreImages,
    Halted,
    Rolling {
        done: usize,
        all: usize,
    },
    /// Nothing is left to do but to let time pass, until caches have forgotten what was replaced.
    Caches {
        done: usize,
        all: usize,
        until: Time,
    },
    /// Rolling out or going back, and something did not answer as it should.
    Slow {
        done: usize,
        all: usize,
        why: String,
    },
    /// A step waits for what is not so yet.
    Fact {
        done: usize,
        all: usize,
        why: String,
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
    /// A probe does not hold, or does not answer.
    Probe {
        probe: String,
        saw: Str,
        since: Time,
        silent: bool,
    },
    /// Health or equality was lost; samples start again.
    Unhealthy {
        what: String,
    },
    Merge,
    /// Something else comes first.
    MergeAfter {
        why: String,
    },
    /// The forge will not merge now.
    MergeRefused {
        why: String,
    },
    Merged {
        commit: CommitId,
        /// Whose merge brought it in, where it was not its own.
        with: Option<MrId>,
    },
    /// Bad input, or a live system that is not as base says.
    Refused(Mend),
    Conflicts {
        paths: usize,
    },
    Paused {
        by: Option<User>,
        in_flight: Vec<StepId>,
        /// A run is under way: it can be aborted.
        running: bool,
        /// Something is written: it can be restored.
        wrote: bool,
    },
    Failed {
        items: usize,
        blocked: usize,
        wrote: bool,
    },
    /// All else is done and proven: it merges without what was skipped, if people say so.
    Exemption {
        items: usize,
        missing: u32,
        digest: Digest,
        /// How long what stays unwritten may stay so.
        until: Option<Time>,
        /// It stands still, so that it can be tried again.
        failed: bool,
        wrote: bool,
    },
    /// The same without so many items, by an approved exemption.
    Exempted {
        items: usize,
        then: Box<Waiting>,
    },
    /// It stopped for a reason that is no failed item.
    Broken {
        why: String,
        wrote: bool,
    },
    Aborted {
        by: Option<User>,
        wrote: bool,
    },
    /// The way back would write over what somebody else wrote since, or make the branch false.
    RestoreStopped {
        items: usize,
        /// The rest went back.
        partly: bool,
    },
    /// What was written stays and is held by nobody.
    Freed {
        by: User,
        reason: String,
        left: usize,
        /// The merge request is open: it can be planned again.
        open: bool,
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

/// What a refused change needs, by who can do it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mend {
    /// Faults that a push mends.
    pub push: usize,
    /// Resources that somebody changed on the live system.
    pub drift: usize,
    /// What a live system cannot do yet.
    pub target: usize,
}

impl Mend {
    /// Sorts refusals by who mends them.
    pub fn of(refusals: &[Refusal]) -> Self {
        let mut mend = Self::default();
        for refusal in refusals {
            *match refusal.kind {
                RefusalKind::Drift => &mut mend.drift,
                RefusalKind::Target => &mut mend.target,
                RefusalKind::Syntax
                | RefusalKind::Schema
                | RefusalKind::Value
                | RefusalKind::Path
                | RefusalKind::Unknown
                | RefusalKind::Grant
                | RefusalKind::Overlap
                | RefusalKind::Cycle
                | RefusalKind::Budget
                | RefusalKind::Protected => &mut mend.push,
            } += 1;
        }
        mend
    }
}

impl fmt::Display for Mend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { push, drift, target } = *self;
        let mut parts = Vec::new();
        if push > 0 {
            parts.push(format!("for the author to push a fix for {}", count(push, "fault")));
        }
        if drift > 0 {
            let was = if drift == 1 { "1 resource was".to_owned() } else { format!("{drift} resources were") };
            parts.push(format!("because {was} changed on the live system by somebody else: undo that there and say `/trueup plan`, or push a commit that asks for what is live"));
        }
        if target > 0 {
            parts.push(format!("for an operator of the live system to mend {}, then say `/trueup plan`", count(target, "fault")));
        }
        write!(f, "Waiting {}.", parts.join("; and "))
    }
}

/// What one rule of policy asks, and what would keep it.
fn rule(unmet: &Unmet) -> String {
    match unmet {
        Unmet::Task => "policy wants a task named in branch, title or a commit message, as `policy.links` writes it; name it in the title".to_owned(),
        Unmet::Branch { branch, pattern } => {
            format!("policy wants source branches like {}, and this is {}; push to a branch of another name and open it anew", code(pattern), code(branch))
        }
        Unmet::Title { pattern } => format!("policy wants titles like {}; change the title", code(pattern)),
        Unmet::Commit { line, pattern } => format!("policy wants commit messages that begin like {}, and one begins {}; reword it and push again", code(pattern), code(line)),
        Unmet::Files { files, most } => format!("{} differ from the base branch, and policy wants at most {most}; split it", count(*files as usize, "file")),
        Unmet::Commits { commits, most } => format!("it brings {}, and policy wants at most {most}; squash or split it", count(*commits as usize, "commit")),
        Unmet::Unsaid { read, commits } => format!(
            "policy wants every commit message to be like a pattern, and of {} only {read} say what they say within what is read; squash or split it, and keep first lines short",
            count(*commits as usize, "commit")
        ),
        Unmet::Unread => "what git says of its commits is not read yet, which policy asks for; `/trueup plan` reads it again".to_owned(),
    }
}

/// The first dependency that needs a person, or all that are on their way.
fn depends(first: &[Dependency]) -> String {
    for Dependency { said, state } in first {
        match state {
            Depended::Unknown => return format!("Stuck: its description depends on {}, which nobody here knows; the author edits the description.", code(said)),
            Depended::Closed(_) => {
                return format!("Stuck: its description depends on {}, which is closed and not merged; reopen that one, or the author edits the description.", code(said));
            }
            Depended::Cycle(by) => {
                let by: Vec<Str> = by.iter().map(|mr| mr.to_string().into()).collect();
                return format!("Stuck: it depends on itself, by way of {}; one of the descriptions must lose its `Depends-On`.", list(&by, "and"));
            }
            Depended::Merged | Depended::Open(_) => {}
        }
    }
    let said: Vec<Str> = first.iter().map(|other| other.said.clone()).collect();
    format!("Waiting for {} to be merged first, as its description says; it goes on by itself.", list(&said, "and"))
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan => f.write_str("Reading the live systems and making the plan; nobody needs to do anything."),
            Self::Trust { author } => write!(f, "Waiting for a member to say `/trueup plan` on this head, because {} may not write this repository.", code(author.as_str())),
            Self::World { why } => write!(f, "Something it needs did not answer ({}); tried again by itself, or now with `/trueup plan`.", code(why)),
            Self::Approvals { missing, by, digest: _, cannot: Some(why) } => {
                let people = if by.is_empty() { "anyone who may approve here".to_owned() } else { list(by, "or") };
                write!(f, "Stuck: {} by {people} missing, and {why}.", count(*missing as usize, "approval"))
            }
            Self::Approvals { missing, by, digest, cannot: None } => {
                let people = if by.is_empty() { "anyone who may approve here".to_owned() } else { list(by, "or") };
                write!(f, "Waiting for {} by {people}: `/trueup approve {}`.", count(*missing as usize, "approval"), digest.short())
            }
            Self::Start => f.write_str("Approved; waiting for `/trueup start` by anyone who may approve, because policy says `start: on_command`."),
            Self::Draft => f.write_str("Waiting for the author to mark the merge request as ready; a draft is planned and never run."),
            Self::Checks { pending } => write!(f, "Waiting for {} to pass on this head.", list(pending, "and")),
            Self::ChecksFailed { failed } => write!(f, "Waiting for the author: {} failed on this head.", list(failed, "and")),
            Self::Threads { open } => write!(f, "Waiting for {} to be resolved by the author or the reviewers.", count(*open as usize, "open thread")),
            Self::Behind { branch, why } => write!(
                f,
                "Waiting for the author to rebase it onto {0} or to merge {0} into it: {why}, and this one lacks its newest commit. Approvals stay where the plan stays the same.",
                code(branch)
            ),
            Self::Unread { what } => write!(f, "Waiting for the forge to tell what it does not tell now, on which this rests; it is asked again by itself: {}.", list(what, "and")),
            Self::Rules { unmet } => write!(f, "Waiting for the author: {}.", unmet.iter().map(rule).collect::<Vec<_>>().join("; ")),
            Self::Freeze { reason, until } => write!(f, "Waiting until {}: frozen by policy ({}).", code(until), code(reason)),
            Self::Claims { ahead } => match ahead.first() {
                Some(first) => {
                    let (others, have) = if ahead.len() > 1 { (format!(" and {} more", ahead.len() - 1), "hold") } else { (String::new(), "holds") };
                    write!(f, "Queued behind {}{others}, which {have} or asked first for what this plan needs; it starts by itself.", code(&first.to_string()))
                }
                None => f.write_str("Waiting for the claims board to answer; it starts by itself."),
            },
            Self::DependsOn { first } => f.write_str(&depends(first)),
            Self::Unmerged { by } => {
                let others: Vec<Str> = by.iter().map(|mr| mr.to_string().into()).collect();
                let is = if by.len() == 1 { "is" } else { "are" };
                write!(
                    f,
                    "Waiting for {}, which wrote what this asks for and {is} not merged; it goes on by itself once merged, restored or freed. Where that one waits for this one, `/trueup free REASON` on either lets both go on.",
                    list(&others, "and")
                )
            }
            Self::PreImages => f.write_str("Reading the live systems again before the first write; nobody needs to do anything."),
            Self::Halted => f.write_str("Halted by an operator: nothing new is written until the halt is lifted."),
            Self::Rolling { done, all } => write!(f, "Rolling out: {done} of {all} done and proven; nobody needs to do anything."),
            Self::Caches { done, all, until } => {
                write!(f, "{done} of {all} done and proven; the rest goes on by itself at {until}, when no cache remembers any more what was replaced.")
            }
            Self::Slow { done, all, why } => write!(f, "{done} of {all} done and proven; the last try came to nothing ({}) and is made again by itself.", code(why)),
            Self::Fact { done, all, why } => write!(f, "{done} of {all} done and proven; waiting for what is not so yet ({}); it is asked again by itself.", code(why)),
            Self::Samples { taken, needed, every } => {
                write!(f, "Everything is true; waiting for it to stay healthy: {taken} of {needed} samples, one every {every}.")
            }
            Self::Blind { why } => write!(f, "Written and proven, but the live systems cannot be looked at now, so the samples start again: {}.", code(why)),
            Self::Probe { probe, saw, since, silent: false } => {
                let (probe, saw, since) = (code(probe), code(saw), when(*since));
                write!(f, "Waiting for health: {probe} is not so since {since} ({saw}); it goes on once that has held; a new push mends it, and `/trueup restore` goes back.")
            }
            Self::Probe { probe, saw, since, silent: true } => {
                let (probe, saw, since) = (code(probe), code(saw), when(*since));
                write!(f, "Waiting for health: nothing tells whether {probe} since {since} ({saw}); whoever runs what it asks can mend that, and `/trueup restore` goes back.")
            }
            Self::Unhealthy { what } => write!(f, "Waiting for health, samples start again: {}; `/trueup restore` goes back.", code(what)),
            Self::Merge => f.write_str("True and healthy; merging now."),
            Self::MergeAfter { why } => write!(f, "True and healthy, and waits for its turn to merge: {}.", code(why)),
            Self::MergeRefused { why } => write!(f, "True and healthy, but the forge does not merge it ({}); tried again by itself.", code(why)),
            Self::Merged { commit, with: Some(with) } => write!(f, "Merged with {} as {}; nothing is left to do.", code(&with.to_string()), code(short(commit))),
            Self::Merged { commit, with: None } => write!(f, "Merged as {}; nothing is left to do.", code(short(commit))),
            Self::Refused(mend) => mend.fmt(f),
            Self::Conflicts { paths } => write!(f, "Waiting for the author to rebase or merge the base branch: {} in conflict.", count(*paths, "path")),
            Self::Paused { by, in_flight, running, wrote } => {
                let who = by.as_ref().map_or(String::new(), |by| format!(" by {}", code(by.as_str())));
                match in_flight.as_slice() {
                    [] => {
                        let others = match (running, wrote) {
                            (true, true) => "; `/trueup abort` ends the run and `/trueup restore` goes back",
                            (true, false) => "; `/trueup abort` ends the run",
                            (false, true) => "; `/trueup restore` goes back",
                            (false, false) => "; nothing is written yet",
                        };
                        write!(f, "Paused{who}; anyone who may approve can say `/trueup resume` to go on{others}.")
                    }
                    steps => write!(f, "Pausing{who} as soon as {} has answered; `/trueup resume` goes on.", steps_list(steps)),
                }
            }
            Self::Failed { items, blocked, wrote } => {
                let behind = if *blocked > 0 { format!(" and {blocked} behind it") } else { String::new() };
                write!(
                    f,
                    "{} failed{behind}; anyone who may approve can say {}, and a new push amends.",
                    count(*items, "item"),
                    if *wrote { "`/trueup retry`, `/trueup skip STEP reason` or `/trueup restore`" } else { "`/trueup retry` or `/trueup skip STEP reason`" }
                )
            }
            Self::Exemption { items, missing, digest, until, failed, wrote } => write!(
                f,
                "All is done and proven except {}: to merge without{}, {} by those who may approve the plan and skipped nothing: `/trueup approve {}`; {}{}a new push amends.",
                count(*items, "skipped item"),
                until.map_or_else(String::new, |until| format!(" until {until}")),
                count(*missing as usize, "approval"),
                digest.short(),
                if *failed { "`/trueup retry` tries it again, " } else { "" },
                if *wrote { "`/trueup restore` goes back, " } else { "" }
            ),
            Self::Exempted { items, then } => match &**then {
                Self::Samples { taken, needed, every } => write!(
                    f,
                    "Everything is true except {}, which may be left out; waiting for the rest to stay healthy: {taken} of {needed} samples, one every {every}.",
                    count(*items, "skipped item")
                ),
                Self::Merged { commit, with: _ } => {
                    write!(f, "Merged as {}, converged except {}, for which whoever skipped it answers; nothing is left to do here.", code(short(commit)), count(*items, "item"))
                }
                then => write!(f, "{then} It goes without {}, as approved.", count(*items, "skipped item")),
            },
            Self::Broken { why, wrote } => {
                let ways = if *wrote { "`/trueup retry`, `/trueup plan` or `/trueup restore`" } else { "`/trueup retry` or `/trueup plan`" };
                write!(f, "Stopped: {}; anyone who may approve can say {ways}, and a new push amends.", code(why))
            }
            Self::Aborted { by, wrote: false } => {
                let who = by.as_ref().map_or(String::new(), |by| format!(" by {}", code(by.as_str())));
                write!(f, "Aborted{who} before anything was written; a new approval starts it again.")
            }
            Self::RestoreStopped { items, partly: true } => {
                let stays = if *items == 1 { "which stays as it is" } else { "which stay as they are" };
                write!(
                    f,
                    "Restored but for {}, {stays}: the faults say why, and the ways on; then `/trueup restore` puts the rest back, or `/trueup free REASON` leaves it.",
                    count(*items, "resource")
                )
            }
            Self::RestoreStopped { items, partly: false } => {
                let what = count(*items, "resource");
                write!(f, "Restore stopped, nothing was written: {what} cannot simply be put back; the faults say why, and the ways on.")
            }
            Self::Freed { by, reason, left, open } => write!(
                f,
                "Freed by {} ({}): this change left {} as it is, held by nobody; `/trueup restore` goes back while nobody changed it{}.",
                code(by.as_str()),
                code(reason),
                count(*left, "written item"),
                if *open { ", `/trueup plan` plans again from what is there" } else { "" }
            ),
            Self::Aborted { by, wrote: true } => {
                let who = by.as_ref().map_or(String::new(), |by| format!(" by {}", code(by.as_str())));
                write!(f, "Aborted{who}; what was written stays until `/trueup restore`, or a new approval runs on.")
            }
            Self::Restoring { done, all } => write!(f, "Going back: {done} of {all} restored; nobody needs to do anything."),
            Self::Restored => f.write_str("Restored: what this run wrote is as it was before; a new push or `/trueup plan` starts over."),
            Self::Closed => f.write_str("Closed; it holds nothing."),
            Self::ClosedHolding { written } => write!(
                f,
                "Closed with {} in production; anyone who may approve can say `/trueup restore`, or `/trueup free REASON` to leave it, or reopen it and approve again.",
                count(*written, "written item")
            ),
        }
    }
}
