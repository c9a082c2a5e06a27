//! The journal as people read it.

use super::{code, count, list, phase_words, short, steps_list};
use crate::core::{
    gate::Reason,
    model::{ResourceId, Time},
    review::Phase,
    run::{ClaimAnswer, Event, MergeAnswer, PlanResult, PlanWhy, Sample, Stop},
};

/// One event in words with its time, where it has one; none for what only the machine needs.
pub fn journal(event: &Event) -> Option<(Option<Time>, String)> {
    let (at, text) = match event {
        Event::LookAsked
        | Event::Heard { .. }
        | Event::Replying { .. }
        | Event::Replied { .. }
        | Event::ClaimAsked { .. }
        | Event::UnclaimAsked
        | Event::StartAsked { .. }
        | Event::ProofAsked { .. }
        | Event::Parked { .. }
        | Event::Elapsed { .. }
        | Event::SampleAsked { .. }
        | Event::MergeDue { .. } => return None,
        Event::Held { reasons, until: _ } if reasons.is_empty() => return None,
        Event::Waited { step: _, attempt: _, good: true, why: _, at: _ } => return None,
        Event::Sighted { sighting, at } => (Some(*at), format!("saw head {}", code(short(&sighting.head)))),
        Event::Vouched { by, head } => (None, format!("{} vouched for head {}", code(by.as_str()), code(short(head)))),
        Event::ReplanAsked { base: _, head, restore, why } => {
            (None, format!("planning {}{}", if *restore { "the way back".to_owned() } else { format!("head {}", code(short(head))) }, because(why)))
        }
        Event::Planned { answer, at } => (Some(*at), planned(&answer.result)),
        Event::Approved { by, digest, steps, review, at } => {
            let what = if steps.is_empty() { String::new() } else { format!(" for {}", steps_list(steps)) };
            let how = if *review { " by a review" } else { "" };
            (Some(*at), format!("{} approved `{}`{what}{how}", code(by.as_str()), digest.short()))
        }
        Event::Withdrawn { by } => (None, format!("the review of {} no longer stands", code(by.as_str()))),
        Event::StartSaid { by, at } => (Some(*at), format!("{} said start", code(by.as_str()))),
        Event::Held { reasons, until: _ } => (None, format!("held back: {}", reasons.iter().map(held).collect::<Vec<_>>().join("; "))),
        Event::Claimed { n: _, answer: ClaimAnswer::Granted } => (None, "everything it needs is granted".to_owned()),
        Event::Claimed { n: _, answer: ClaimAnswer::Queued { ahead } } => (None, format!("queued behind {}", count(ahead.len(), "change"))),
        Event::Unclaimed => (None, "gave back what it held".to_owned()),
        Event::StartUnread { n: _, why, again } => (None, format!("could not read before the start, again at {again}: {}", code(why))),
        Event::StartMoved { n: _, moved } => (None, format!("not started: {} changed since approval", resources(moved))),
        Event::Started { at } => (Some(*at), "started".to_owned()),
        Event::ActIntended { step, attempt, skip: _, at } => (Some(*at), format!("step {step}: acting (attempt {attempt})")),
        Event::Acted { step, attempt: _, outcome, at } => (Some(*at), format!("step {step}: answered for {}", count(outcome.items.len(), "item"))),
        Event::Proven { step, attempt: _, at } => (Some(*at), format!("step {step}: proven by reading it again")),
        Event::ProofRead { step, attempt: _, items, at } => (Some(*at), format!("step {step}: {} not as planned", count(items.len(), "item"))),
        Event::Waited { step, attempt: _, good: false, why, at } => (Some(*at), format!("step {step}: not yet: {}", code(why))),
        Event::StepApproved { step, by, at } => (Some(*at), format!("{} approved step {step}", code(by.as_str()))),
        Event::StepBlocked { step } => (None, format!("step {step}: blocked by a failure before it")),
        Event::Skipped { step, by, reason } => (None, format!("{} skipped step {step}: {}", code(by.as_str()), code(reason))),
        Event::Retried { by, at } => (Some(*at), format!("{} said retry", code(by.as_str()))),
        Event::Finished { at } => (Some(*at), "the run is over".to_owned()),
        Event::Sampled { n: _, sample, at } => (Some(*at), sampled(sample)?),
        Event::GaveUp { why, at } => (Some(*at), format!("gave up waiting for health: {}", code(why))),
        Event::MergeAsked { pin: _, at } => (Some(*at), "merging".to_owned()),
        Event::MergeAnswered { answer, at } => (Some(*at), merge(answer)),
        Event::Paused { by } => (None, format!("{} paused it", code(by.as_str()))),
        Event::Resumed { by, at } => (Some(*at), format!("{} resumed it", code(by.as_str()))),
        Event::Stopping { why } => (None, stopping(why)),
        Event::Stopped { at } => (Some(*at), "stopped at a safe point".to_owned()),
        Event::Freed { by, reason } if reason.is_empty() => (None, format!("{} freed what it held", code(by.as_str()))),
        Event::Freed { by, reason } => (None, format!("{} freed what it held: {}", code(by.as_str()), code(reason))),
        Event::Taken { by } => (None, format!("{} answers for it from here on", code(by.as_str()))),
        Event::Halted(true) => (None, "halted by an operator".to_owned()),
        Event::Halted(false) => (None, "the halt was lifted".to_owned()),
        Event::ClockBack { now } => (Some(*now), "the clock went back; timers start again".to_owned()),
    };
    Some((at, text))
}

/// What kept a gate shut, in a few words.
fn held(reason: &Reason) -> String {
    match reason {
        Reason::NotOpen => "not open".to_owned(),
        Reason::Conflict => "in conflict with the base branch".to_owned(),
        Reason::Outdated => "head or base is not what was planned".to_owned(),
        Reason::Draft => "a draft".to_owned(),
        Reason::Approvals { missing, by: _ } => format!("{} missing", count(*missing as usize, "approval")),
        Reason::ChecksPending(checks) => format!("waiting for {}", list(checks, "and")),
        Reason::ChecksFailed(checks) => format!("{} failed", list(checks, "and")),
        Reason::Threads(open) => format!("{} open", count(*open as usize, "thread")),
        Reason::Frozen { reason, until, ends: _ } => format!("frozen until {} ({})", code(until), code(reason)),
        Reason::NotStarted => "nobody said start".to_owned(),
        Reason::Queued { ahead } => format!("queued behind {}", count(ahead.len(), "change")),
        Reason::Halted => "halted by an operator".to_owned(),
        Reason::NotConverged { samples, needed } => format!("{samples} of {needed} samples"),
        Reason::Stale => "the last look is too old".to_owned(),
        Reason::Skipped(items) => format!("{} skipped", count(*items as usize, "item")),
    }
}

fn because(why: &PlanWhy) -> String {
    match why {
        PlanWhy::Moved => String::new(),
        PlanWhy::Said(by) | PlanWhy::Restore(by) => format!(", because {} said so", code(by.as_str())),
        PlanWhy::Again => ", again".to_owned(),
        PlanWhy::PreImages(ids) => format!(", because {} changed before the start", resources(ids)),
        PlanWhy::Drift(ids) => format!(", because {} changed after being written", resources(ids)),
    }
}

fn planned(result: &PlanResult) -> String {
    match result {
        PlanResult::Plan { plan, .. } => format!("planned: {}", crate::core::render::Summary::of(plan)),
        PlanResult::Refused(faults) => format!("{}: {}", phase_words(Phase::Refused), count(faults.len(), "fault")),
        PlanResult::Conflicted(paths) => format!("{}: {}", phase_words(Phase::Conflicted), count(paths.len(), "path")),
        PlanResult::Failed { why } => format!("could not plan: {}", code(why)),
    }
}

/// A good sample is the ordinary case and not worth a line.
fn sampled(sample: &Sample) -> Option<String> {
    match sample {
        Sample::Good => None,
        Sample::Unhealthy(what) => Some(format!("not healthy: {}", count(what.len(), "resource"))),
        Sample::Drift(ids) => Some(format!("not true any more: {}", resources(ids))),
        Sample::Gap(why) => Some(format!("no answer: {}", code(why))),
    }
}

fn merge(answer: &MergeAnswer) -> String {
    match answer {
        MergeAnswer::Merged { commit, parents: _, tree: _ } => format!("merged as {}", code(short(commit))),
        MergeAnswer::Moved { why } => format!("not merged, base or head moved: {}", code(why)),
        MergeAnswer::Refused { transient: _, why } => format!("not merged, the forge refused: {}", code(why)),
    }
}

fn stopping(why: &Stop) -> String {
    match why {
        Stop::Abort(by) => format!("{} aborted it", code(by.as_str())),
        Stop::Restore(by) => format!("{} asked to restore", code(by.as_str())),
        Stop::Close => "stopping, because the merge request was closed".to_owned(),
        Stop::Alarm(what) => format!("stopping under alarm: {}", code(what)),
        Stop::Amend => "stopping to amend for a new head".to_owned(),
    }
}

fn resources(ids: &[ResourceId]) -> String {
    match ids {
        [one] => code(&one.to_string()),
        many => count(many.len(), "resource"),
    }
}
