//! The journal as people read it.

use super::{code, count, list, phase_words, short, steps_list};
use crate::core::{
    gate::Reason,
    model::{MrId, ResourceId, Saw, Str, Time, User},
    review::{Check, MrState, Phase, Sighting},
    run::{ClaimAnswer, Event, MergeAnswer, PlanResult, PlanWhy, Sample, Spoken, Stop},
};
use serde::Serialize;

/// One line of the journal as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The record's number in the journal.
    pub seq: u64,
    /// When it happened, or the last time known before.
    pub at: Option<Time>,
    /// Whose deed it was; none for the server's own.
    pub who: Option<User>,
    /// A sentence without its subject.
    pub text: String,
    /// How often the same happened in a row, with what stands around it.
    pub times: u32,
    /// When it happened last.
    pub until: Option<Time>,
}

impl Row {
    fn same(&self, other: &Self) -> bool {
        (&self.who, &self.text) == (&other.who, &other.text)
    }
}

/// The longest run of lines whose repetition is told by a count: looked, planned, refused.
const LONGEST_REPEAT: usize = 4;

/// The events worth reading, oldest first; what repeats stands once.
pub fn journal(events: &[Event]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let (mut last, mut seen): (Option<Time>, Option<&Sighting>) = (None, None);
    for (seq, event) in (1..).zip(events) {
        let line = match event {
            Event::Sighted { sighting, at } => {
                let text = sighted(seen, sighting);
                seen = Some(sighting);
                text.map(|text| (Some(*at), None, text))
            }
            // Whoever asks for a plan vouches for its head; that is news only where somebody must.
            Event::Vouched { .. } if seen.is_some_and(|seen| seen.author_trusted) => None,
            other => words(other),
        };
        let Some((at, who, text)) = line else { continue };
        last = at.or(last);
        rows.push(Row { seq, at: last, who: who.cloned(), text, times: 1, until: last });
        merge_repeat(&mut rows);
    }
    merge_begun(&mut rows);
    rows
}

/// Where the last lines repeat those before them, counts them there.
fn merge_repeat(rows: &mut Vec<Row>) {
    let repeated = |n: usize| rows.len() >= 2 * n && (1..=n).all(|back| rows[rows.len() - back].same(&rows[rows.len() - n - back]));
    let Some(n) = (1..=LONGEST_REPEAT).find(|n| repeated(*n)) else { return };
    let again = rows.split_off(rows.len() - n);
    let from = rows.len() - n;
    for (row, again) in rows[from..].iter_mut().zip(again) {
        row.times += again.times;
        row.until = again.until;
    }
}

/// Where the last lines begin another round of a repeat that is counted already, counts them there too.
fn merge_begun(rows: &mut Vec<Row>) {
    let all = rows.len();
    let begun = |n: usize, p: usize| all >= n + p && (0..p).all(|at| rows[all - n - p + at].times > 1 && rows[all - n - p + at].same(&rows[all - p + at]));
    let Some((n, p)) = (2..=LONGEST_REPEAT).flat_map(|n| (1..n).rev().map(move |p| (n, p))).find(|(n, p)| begun(*n, *p)) else { return };
    let again = rows.split_off(all - p);
    for (row, again) in rows[all - n - p..].iter_mut().zip(again) {
        row.times += again.times;
        row.until = again.until;
    }
}

/// What a look at the forge showed that the one before did not.
fn sighted(before: Option<&Sighting>, now: &Sighting) -> Option<String> {
    let Some(before) = before else { return Some(format!("saw head {} on base {}", code(short(&now.head)), code(short(&now.base)))) };
    let mut news = Vec::new();
    if before.head != now.head {
        news.push(format!("saw the new head {}", code(short(&now.head))));
    }
    if before.base != now.base {
        // Without its commit, so that a change that only follows a busy branch tells it once, with a count.
        news.push("the base branch moved".to_owned());
    }
    if before.draft != now.draft {
        news.push(if now.draft { "it is a draft now" } else { "it is no draft any more" }.to_owned());
    }
    if before.state != now.state {
        news.push(match &now.state {
            MrState::Open => "it was reopened".to_owned(),
            MrState::Closed => "it was closed".to_owned(),
            MrState::Merged { commit, by: _, with: Some(with) } => format!("the forge shows it merged with {} as {}", code(&with.to_string()), code(short(commit))),
            MrState::Merged { commit, by, with: None } => format!("the forge shows it merged as {} by {}", code(short(commit)), code(by.as_str())),
        });
    }
    for (name, check) in now.checks.iter().filter(|(name, check)| before.checks.get(*name) != Some(check)) {
        let is = match check {
            Check::Pending => "is pending",
            Check::Success => "passed",
            Check::Failure => "failed",
        };
        news.push(format!("{} {is}", code(name)));
    }
    if before.unresolved_threads != now.unresolved_threads {
        news.push(format!("{} open", count(now.unresolved_threads as usize, "thread")));
    }
    if before.unread != now.unread {
        news.push(match now.unread.as_slice() {
            [] => "the forge tells all of it again".to_owned(),
            what => format!("the forge does not tell all of it ({})", list(what, "and")),
        });
    }
    (!news.is_empty()).then(|| news.join("; "))
}

/// When, by whom and what; none for what only the machine needs.
type Words<'a> = (Option<Time>, Option<&'a User>, String);

fn words(event: &Event) -> Option<Words<'_>> {
    Some(match event {
        Event::LookAsked
        | Event::Sighted { .. }
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
        | Event::ProbeAsked { .. }
        | Event::Probed { saw: Saw::Good(_), .. }
        | Event::MergeDue { .. } => return None,
        Event::Held { reasons, until: _ } if reasons.is_empty() => return None,
        // The board has not answered yet; when it has, the next line says what.
        Event::Held { reasons, until: _ } if matches!(reasons.as_slice(), [Reason::Queued { ahead }] if ahead.is_empty()) => return None,
        Event::StartMoved { n: _, moved } if moved.is_empty() => return None,
        Event::Waited { step: _, attempt: _, good: true, why: _, at: _ } => return None,
        Event::Vouched { by, head, at } => (*at, Some(by), format!("vouched for head {}", code(short(head)))),
        Event::ReplanAsked { base: _, head, restore, why, at } => {
            let (who, because) = because(why);
            (
                *at,
                who,
                format!(
                    "{} {}{because}",
                    if who.is_some() { "asked to plan" } else { "planning" },
                    if *restore { "the way back".to_owned() } else { format!("head {}", code(short(head))) }
                ),
            )
        }
        Event::Planned { answer, at } => (Some(*at), None, planned(&answer.result)),
        Event::Approved { by, digest, steps, review, at } => {
            let what = if steps.is_empty() { String::new() } else { format!(" for {}", steps_list(steps)) };
            let how = if *review { " by a review" } else { "" };
            (Some(*at), Some(by), format!("approved `{}`{what}{how}", digest.short()))
        }
        Event::ReviewEarly { by, given: _, at } => (Some(*at), Some(by), "approved by a review before the plan was shown, which does not count".to_owned()),
        Event::Published { digest, at: _ } => (None, None, format!("the forge shows plan `{}`", digest.short())),
        Event::ApprovalWaits(Spoken { by, .. }) => (None, Some(by), "approved without a digest, which counts once it is known which plan stood there".to_owned()),
        Event::Withdrawn { by } => (None, Some(by), "took the approving review back".to_owned()),
        Event::StartSaid { by, at } => (Some(*at), Some(by), "said start".to_owned()),
        Event::Held { reasons, until: _ } => (None, None, format!("held back: {}", reasons.iter().map(held).collect::<Vec<_>>().join("; "))),
        Event::Claimed { n: _, answer: ClaimAnswer::Granted } => (None, None, "everything it needs is granted".to_owned()),
        Event::Claimed { n: _, answer: ClaimAnswer::Queued { ahead } } => (None, None, format!("queued behind {}", count(ahead.len(), "change"))),
        Event::Unclaimed => (None, None, "gave back what it held".to_owned()),
        Event::StartUnread { n: _, why, again } => (None, None, format!("could not read before the start, again at {again}: {}", code(why))),
        Event::StartMoved { n: _, moved } => (None, None, format!("not started: {} changed since approval", resources(moved))),
        Event::Started { at } => (Some(*at), None, "started".to_owned()),
        Event::ActIntended { step, attempt: 1, skip: _, at } => (Some(*at), None, format!("step {step}: acting")),
        Event::ActIntended { step, attempt, skip: _, at } => (Some(*at), None, format!("step {step}: acting (attempt {attempt})")),
        Event::Acted { step, attempt: _, outcome, at } => (Some(*at), None, format!("step {step}: answered for {}", count(outcome.items.len(), "item"))),
        Event::Proven { step, attempt: _, at } => (Some(*at), None, format!("step {step}: proven by reading it again")),
        Event::ProofRead { step, attempt: _, items, at } => (Some(*at), None, format!("step {step}: {} not as planned", count(items.len(), "item"))),
        Event::Waited { step, attempt: _, good: false, why, at } => (Some(*at), None, format!("step {step}: not yet: {}", code(why))),
        Event::StepApproved { step, by, at } => (Some(*at), Some(by), format!("approved step {step}")),
        Event::StepBlocked { step } => (None, None, format!("step {step}: blocked by a failure before it")),
        Event::Skipped { step, by, reason, until: _, at } => (*at, Some(by), format!("skipped step {step}: {}", code(reason))),
        Event::Exempted { by, digest, at } => (Some(*at), Some(by), format!("approved the exemption `{}`", digest.short())),
        Event::Retried { by, at } => (Some(*at), Some(by), "said retry".to_owned()),
        Event::Finished { at } => (Some(*at), None, "the run is over".to_owned()),
        Event::Sampled { n: _, sample, at } => (Some(*at), None, sampled(sample)?),
        Event::Probed { probe: _, n: _, saw: Saw::Bad(saw), at } => (Some(*at), None, format!("not healthy: {}", code(saw))),
        Event::Probed { probe: _, n: _, saw: Saw::Nothing(saw), at } => (Some(*at), None, format!("no answer to a probe: {}", code(saw))),
        Event::GaveUp { why, at } => (Some(*at), None, format!("gave up waiting for health: {}", code(why))),
        Event::MergeAsked { pin, at } => {
            let except = pin.except.as_ref().map_or_else(String::new, |except| format!(", converged except {}", count(except.items.len(), "item")));
            (Some(*at), None, format!("merging{except}"))
        }
        Event::MergeAnswered { answer, at } => (Some(*at), None, merge(answer)),
        Event::Paused { by, at } => (*at, Some(by), "paused it".to_owned()),
        Event::Resumed { by, at } => (Some(*at), Some(by), "resumed it".to_owned()),
        Event::Stopping { why, at } => {
            let (who, text) = stopping(why);
            (*at, who, text)
        }
        Event::Stopped { at } => (Some(*at), None, "stopped at a safe point".to_owned()),
        Event::Freed { by, reason, at } if reason.is_empty() => (*at, Some(by), "freed what it held".to_owned()),
        Event::Freed { by, reason, at } => (*at, Some(by), format!("freed what it held: {}", code(reason))),
        Event::Paged { owner, at } => (Some(*at), None, format!("{} was called, because it holds claims and does nothing", code(owner.as_str()))),
        Event::Taken { by, at } => (*at, Some(by), "answers for it from here on".to_owned()),
        Event::HaltSaid { by, on: true, at } => (Some(*at), Some(by), "halts the whole server".to_owned()),
        Event::HaltSaid { by, on: false, at } => (Some(*at), Some(by), "lifts the halt of the server".to_owned()),
        Event::Halted(true) => (None, None, "halted by an operator".to_owned()),
        Event::Halted(false) => (None, None, "the halt was lifted".to_owned()),
        Event::Carried { by, at } => (Some(*at), None, format!("{} works on it from here on", code(by))),
        Event::ClockBack { now } => (Some(*now), None, "the clock went back; timers start again".to_owned()),
    })
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
        Reason::Behind { branch, why: _ } => format!("behind {}", code(branch)),
        Reason::Unread(what) => format!("{} not told by the forge", count(what.len(), "part")),
        Reason::Rules(unmet) => format!("{} not kept", count(unmet.len(), "rule")),
        Reason::Frozen { reason, until, ends: _ } => format!("frozen until {} ({})", code(until), code(reason)),
        Reason::NotStarted => "nobody said start".to_owned(),
        Reason::Queued { ahead } => format!("queued behind {}", count(ahead.len(), "change")),
        Reason::Halted => "halted by an operator".to_owned(),
        Reason::NotConverged { samples, needed } => format!("{samples} of {needed} samples"),
        Reason::Stale => "the last look is too old".to_owned(),
        Reason::DependsOn(first) => format!("depends on {}", list(&first.iter().map(|other| other.said.clone()).collect::<Vec<_>>(), "and")),
        Reason::Unmerged { by } => format!("waiting for {} to be merged", changes(by)),
        Reason::Skipped(items) => format!("{} skipped", count(*items as usize, "item")),
    }
}

fn changes(of: &[MrId]) -> String {
    list(&of.iter().map(|mr| mr.to_string().into()).collect::<Vec<Str>>(), "and")
}

fn because(why: &PlanWhy) -> (Option<&User>, String) {
    match why {
        PlanWhy::Moved => (None, String::new()),
        PlanWhy::Said(by) | PlanWhy::Restore(by) => (Some(by), String::new()),
        PlanWhy::Again => (None, ", again".to_owned()),
        PlanWhy::PreImages(ids) => (None, format!(", because {} changed before the start", resources(ids))),
        PlanWhy::Drift(ids) => (None, format!(", because {} changed after being written", resources(ids))),
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
        MergeAnswer::Elsewhere { commit, branch } => format!("merged as {} into {}, to which it had been sent at the last moment", code(short(commit)), code(branch)),
        MergeAnswer::Moved { why } => format!("not merged, base or head moved: {}", code(why)),
        MergeAnswer::Waits { why, away: _ } => format!("not merged yet, something else comes first: {}", code(why)),
        MergeAnswer::Refused { transient: _, why } => format!("not merged, the forge refused: {}", code(why)),
    }
}

fn stopping(why: &Stop) -> (Option<&User>, String) {
    match why {
        Stop::Abort(by) => (Some(by), "aborted it".to_owned()),
        Stop::Restore(by) => (Some(by), "asked to restore".to_owned()),
        Stop::Close => (None, "stopping, because the merge request was closed".to_owned()),
        Stop::Alarm(what) => (None, format!("stopping under alarm: {}", code(what))),
        Stop::Included { commit, with } => (None, format!("stopping: {} brought it to the branch as {}", code(&with.to_string()), code(short(commit)))),
        Stop::Amend => (None, "stopping to amend for a new head".to_owned()),
    }
}

fn resources(ids: &[ResourceId]) -> String {
    match ids {
        [one] => code(&one.to_string()),
        many => count(many.len(), "resource"),
    }
}
