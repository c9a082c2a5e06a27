//! What a plan and its run say of themselves.

use super::{
    super::escape::{cut, plain},
    code, count, list, phase_words,
};
use crate::core::{
    diff::{Op, Reason},
    gate::{Exemption, LeftOut, Obstacle},
    model::{ResourceId, Span, StepId, Str, Sure, User},
    plan::{Edge, EdgeReason, Healthy, LOW, MatchedRule, Needs, Note, Plan, Step, Undo},
    render::{Kinds, Summary},
    review::{Failure, FailureKind, Given, View},
};

/// An op as a verb.
pub fn op(op: &Op) -> &'static str {
    match op {
        Op::Create => "create",
        Op::Update => "update",
        Op::Replace => "replace",
        Op::Delete => "delete",
        Op::Keep => "keep",
        Op::Adopt => "adopt",
        Op::Release => "release",
        Op::Move { was: _ } => "move",
    }
}

/// Why a delta is there, where it is not simply asked for.
pub fn reason(reason: &Reason) -> Option<String> {
    match reason {
        Reason::MergeRequest => None,
        Reason::Continues => Some("goes on with what this change began".to_owned()),
        Reason::AlreadyTrue => Some("is so already".to_owned()),
        Reason::DriftOverwritten => Some("overwrites a change made by hand".to_owned()),
        Reason::OverrideEnds => Some("writes over a change made by hand, and so ends its override".to_owned()),
        Reason::AheadBy(mr) => Some(format!("written by the open change {}", code(&mr.to_string()))),
        Reason::Restores => Some("the way back".to_owned()),
    }
}

/// How sure a delta is, where it is not exact.
pub fn sure(sure: &Sure) -> Option<String> {
    match sure {
        Sure::Exact => None,
        Sure::Predicted(why) => Some(format!("predicted: {}", code(&why.0))),
        Sure::Opaque(why) => Some(format!("cannot be shown field by field: {}", code(&why.0))),
    }
}

/// Why one step of a plan waits for another, without the place.
pub fn edge(plan: &Plan, edge: &Edge, kinds: &Kinds) -> String {
    let title = |id| code(&kinds.title(id));
    let why = match &edge.reason {
        EdgeReason::Refers { consumer, provider, rule } => format!("{} points at {}, which comes first ({})", title(consumer), title(provider), code(rule)),
        EdgeReason::LetsGo { consumer, provider, rule } => format!("{} lets go of {} before that is removed ({})", title(consumer), title(provider), code(rule)),
        EdgeReason::Said { first, then } => format!("{} is said to come before {}", title(first), title(then)),
        EdgeReason::Takes { first, then, what } => format!("{} comes before {}, because one refers to the other ({})", title(first), title(then), code(what)),
        EdgeReason::Chain { id } => format!("the next write of {}", title(id)),
        EdgeReason::Batch { unit } => format!("{} takes only so much at once", code(unit.as_str())),
        EdgeReason::Wave { template, wave } => format!("wave {wave} of the template {}", code(template)),
    };
    match edge.needs {
        Needs::Applied => why,
        Needs::Proven => format!("{why}, once that is proven"),
        Needs::Healthy => format!("{why}, once that is healthy"),
        Needs::Elapsed(span) if let Some(since) = plan.since(edge) => {
            let forgets = forgets(&edge.reason).map_or(String::new(), |forgets| format!(", {forgets}"));
            format!("{why}, {span} after that was written at {since}: not before {}{forgets}", since + span)
        }
        Needs::Elapsed(span) => match forgets(&edge.reason) {
            Some(forgets) => format!("{why}, {span} later, {forgets}"),
            None => format!("{why}, {span} later"),
        },
    }
}

/// What has passed once a wait for caches is over.
fn forgets(reason: &EdgeReason) -> Option<&'static str> {
    match reason {
        EdgeReason::LetsGo { .. } => Some("when no cache leads there any more"),
        EdgeReason::Refers { .. } => Some("when no cache remembers that it was not there"),
        EdgeReason::Chain { .. } => Some("when no cache holds the old one alone"),
        EdgeReason::Said { .. } | EdgeReason::Takes { .. } | EdgeReason::Batch { .. } | EdgeReason::Wave { .. } => None,
    }
}

/// How long a plan waits for caches, as the end of a sentence; nothing where it does not.
pub fn waits(plan: &Plan) -> String {
    match plan.waits() {
        Span(0) => String::new(),
        span => format!(", with waits of {span} in all"),
    }
}

/// So many are named in one note; a list shall be read.
const NAMED: usize = 5;

/// A note as a sentence.
pub fn note(note: &Note, kinds: &Kinds) -> String {
    match note {
        Note::Unmapped { path, becomes: _ } => {
            format!("{} changed, and no source in `trueup.yaml` reads it: merging is all that happens to it, and approving the plan approves it.", code(path))
        }
        Note::Skipped { reason, count: n } => format!("{} left out: {}.", count(usize::try_from(*n).unwrap_or(usize::MAX), "resource"), code(reason)),
        Note::Ignored { id } => format!("{} on {} is ignored by policy and differs.", code(&kinds.title(id)), code(&id.target)),
        Note::Unmanaged { id } => format!("{} is live on {} and nobody asks for it; it stays.", code(&kinds.title(id)), code(&id.target)),
        Note::AheadBy { id, change } => format!("{} was written by {}, which is not merged yet.", code(&kinds.title(id)), code(change)),
        Note::Drift { id } => format!("{} was changed by hand on {}; this plan writes over it.", code(&kinds.title(id)), code(&id.target)),
        Note::Override { id, by, reason, until, ends } => {
            let what = if *ends { "this plan writes over what it covers, and so ends it" } else { "it ends with the next change of that resource" };
            format!("{} on {} is overridden by {} until {until} ({}): {what}.", code(&kinds.title(id)), code(&id.target), code(by.as_str()), code(reason))
        }
        Note::WeakPrecondition { target, what } => {
            format!("{}: the {} is compared by reading it right before the write; what somebody changes in that instant is written over.", code(target), code(what))
        }
        // A driver's own words, which hold nothing from outside.
        Note::Caution { target, what } => format!("{}: {}.", code(target), plain(what)),
        Note::NotObserved => "Nothing was observed: this compares base with merged only.".to_owned(),
        Note::Governs { path, becomes: Some(_) } => format!("{} changes: it decides how later merge requests are judged, and approving this plan approves it.", code(path)),
        Note::Governs { path, becomes: None } => format!("{} is deleted: it decides how later merge requests are judged, and approving this plan approves that.", code(path)),
        Note::Waits { all, lower, make, ahead, then } => {
            let lowered = |(id, ttl): &(ResourceId, u64)| format!("{} (now {ttl})", code(&kinds.title(id)));
            let most = |named: Vec<String>| {
                let more = named.len().saturating_sub(NAMED);
                let list = named.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
                if more > 0 { format!("{list} and {more} more") } else { list }
            };
            let mut ways = Vec::new();
            if !lower.is_empty() {
                ways.push(format!("lower the TTL of {} to {}", most(lower.iter().map(lowered).collect()), LOW.0 / 1000));
            }
            if !make.is_empty() {
                ways.push(format!("make {}", most(make.iter().map(|id| code(&kinds.title(id))).collect())));
            }
            let ways = if ways.is_empty() {
                String::new()
            } else {
                format!("; to wait {then} instead, {} in a merge request of its own first, and open this one {ahead} after that is merged", ways.join(" and "))
            };
            format!("It waits {all} in all, until no cache remembers what it replaces{ways}.")
        }
        Note::TakesOver { from: _, into: _, text } => format!("{}. Approving this plan approves it.", code(text)),
        Note::Remark { text } => format!("Remark: {}.", code(text)),
    }
}

/// One probe with what it is for.
pub fn healthy(one: &Healthy, kinds: &Kinds) -> String {
    let mut of = one.of.iter();
    let first = of.next().map_or_else(String::new, |id| format!("{} on {}", code(&kinds.title(id)), code(&id.target)));
    let more = if one.of.len() > 1 { format!(" and {} more", one.of.len() - 1) } else { String::new() };
    let by = if one.policy { "policy says so".to_owned() } else { code(&one.place.to_string()) };
    format!("{} (for {first}{more}; {by})", code(&one.probe.to_string()))
}

/// A rule of policy that fired.
pub fn approval(rule: &MatchedRule) -> String {
    let people = if rule.rule.by.is_empty() { "anyone who may approve here".to_owned() } else { list(&rule.rule.by, "or") };
    // A rule without a condition needs no reason.
    let because = if rule.rule.when.is_none() { String::new() } else { format!(" ({})", code(&rule.because)) };
    format!("{} by {people}{because}", count(rule.rule.count as usize, "approval"))
}

/// Why nobody can satisfy a rule, and what helps: a fragment that goes on a sentence.
pub fn obstacle(obstacle: &Obstacle) -> String {
    let Obstacle { needed, possible, strangers, own } = obstacle;
    let names = |users: &[User]| users.iter().map(|user| user.0.clone()).collect::<Vec<Str>>();
    let can = match possible.as_slice() {
        [] => "nobody can give one".to_owned(),
        some => format!("only {} can give one", list(&names(some), "and")),
    };
    let mut why = Vec::new();
    if !strangers.is_empty() {
        why.push(format!("{} may not approve in this repository", list(strangers, "and")));
    }
    if !own.is_empty() {
        why.push(format!("{} opened it or pushed commits of it", list(&names(own), "and")));
    }
    if why.is_empty() {
        why.push(format!("it takes {}", count(*needed as usize, "person")).replace("persons", "people"));
    }
    format!("{can}: {}; mend the rule on the base branch, or let the server's operator give somebody else the right", why.join(", "))
}

/// Why nobody of a team counts now.
pub fn team_unread(team: &str, why: &str) -> String {
    format!("nobody counts as one of `{}`: {}", cut(team, 100).replace('`', ""), cut(why, 300))
}

/// The way back of one item, where it is not writing the old content again.
pub fn undo(undo: &Undo) -> Option<String> {
    match undo {
        Undo::To(_) => None,
        Undo::Sealed(_) => Some("the old content is kept sealed".to_owned()),
        Undo::Backup(step) => Some(format!("from the backup of step {step}")),
        Undo::Act(_) => Some("by an act of its own".to_owned()),
        Undo::Never { loses } => Some(format!("cannot be undone; lost: {}", code(loses))),
    }
}

/// What cannot be undone, one sentence an item.
pub fn never(plan: &Plan, kinds: &Kinds) -> Vec<String> {
    let lost = |step: &Step| -> Vec<String> {
        let of_act = match &step.act {
            crate::core::plan::Act::Verb { undo, verb, .. } => Some((format!("step {} ({})", step.id, code(verb)), undo)),
            crate::core::plan::Act::Run { undo, program, .. } => Some((format!("step {} ({})", step.id, code(&program.name)), undo)),
            crate::core::plan::Act::Write(_)
            | crate::core::plan::Act::Wait(_)
            | crate::core::plan::Act::Check(_)
            | crate::core::plan::Act::Approve { .. }
            | crate::core::plan::Act::Pause
            | crate::core::plan::Act::Earlier(_) => None,
        };
        // Asked before anything is worded: a plan of many writes mostly loses nothing.
        let lost = step.writes().iter().filter(|write| matches!(write.undo, Undo::Never { .. }));
        let of_writes = lost.map(|write| (code(&kinds.title(&write.id)), &write.undo));
        of_writes
            .chain(of_act)
            .filter_map(|(what, undo)| if let Undo::Never { loses } = undo { Some(format!("{what} cannot be undone; lost: {}", code(loses))) } else { None })
            .collect()
    };
    plan.steps.values().flat_map(lost).collect()
}

/// One failure as a sentence; `hidden` when the resource's values are never shown.
pub fn failure(failure: &Failure, kinds: &Kinds, hidden: bool) -> String {
    let what = failure.id.as_ref().map_or_else(|| "the step".to_owned(), |id| code(&kinds.title(id)));
    let why = code(&failure.why);
    let at = format!("Step {}, {what}", failure.step);
    match &failure.kind {
        FailureKind::Moved { found: None } => format!("{at}: not written, because it is gone ({why})."),
        FailureKind::Moved { found: Some(_) } if hidden => format!("{at}: not written, because something else is there now ({why})."),
        FailureKind::Moved { found: Some(found) } => {
            let lines = failure.id.as_ref().map_or_else(|| vec![found.to_string()], |id| kinds.lines(id, found));
            format!("{at}: not written, because something else is there now: {} ({why}).", code(&lines.join(", ")))
        }
        FailureKind::Refused => format!("{at}: refused by the target: {why}."),
        FailureKind::GaveUp => format!("{at}: gave up after {}: {why}.", count(failure.attempts as usize, "attempt")),
        FailureKind::Unproven => format!("{at}: written, but reading it again shows something else: {why}."),
        FailureKind::Unhealthy => format!("{at}: true, but not healthy in time: {why}."),
        FailureKind::Unknown => format!("{at}: it may or may not have happened, and only a person can tell: {why}."),
    }
}

/// The first line of the comment and the page: where the change is, and what it waits for.
pub fn state_line(view: &View) -> String {
    let mut line = format!("**trueup: {}** · {}", phase_words(view.phase), view.waits_for);
    if view.waits_for.is_empty() {
        line.truncate(line.len() - " · ".len());
    }
    line
}

/// How a person approves exactly what is shown.
pub fn how_to_approve(digest: &str, page: Option<&str>) -> String {
    let page = page.map_or(String::new(), |page| format!(", or the button on [its page]({page})"));
    format!("To approve exactly this plan, comment `/trueup approve {digest}`{page}.")
}

/// The ways on after a failure; there is something to go back from only where something is `written`.
pub fn ways_on(step: StepId, written: bool) -> String {
    let restore = if written { "; `/trueup restore` goes back" } else { "" };
    format!(
        "Ways on: `/trueup retry` tries again from what is really there; `/trueup skip {step} REASON` leaves it out (merging then needs an exemption that somebody else approves){restore}. A new push amends the plan."
    )
}

/// What a merge leaves out, or would, one item a line.
pub fn left_out(item: &LeftOut, kinds: &Kinds) -> String {
    let LeftOut { step, item: _, id, by, reason, until } = item;
    let what = id.as_ref().map_or_else(String::new, |id| format!(", {} on {}", code(&kinds.title(id)), code(&id.target)));
    let until = id.as_ref().map_or_else(String::new, |_| format!(", who answers for it until {until}"));
    format!("Step {step}{what}: {}, skipped by {}{until}", code(reason), code(by.as_str()))
}

/// How far an exemption is approved, and how it is.
pub fn exemption(exemption: &Exemption, merged: bool) -> String {
    let Exemption { except, given, missing } = exemption;
    let people: Vec<Str> = given.iter().map(|user| user.0.clone()).collect();
    let digest = except.digest.short();
    match (merged, missing) {
        (true, _) => format!("Exemption `{digest}`, approved by {}. What is live instead is an override until then, and drift afterwards.", list(&people, "and")),
        (false, 0) => format!("Exemption `{digest}`, approved by {}: it merges without these.", list(&people, "and")),
        (false, missing) => format!(
            "All else is done and proven. To merge without exactly these, {} by those who may approve the plan, not by those whose commits these are nor by who skipped: `/trueup approve {digest}`. `/trueup retry` tries them again.",
            count(*missing as usize, "approval")
        ),
    }
}

/// What approving says about the way back.
pub const WAY_BACK: &str =
    "Forecast: what `/trueup restore` would do after all of this ran. Approving the plan approves this too; restore is planned again from what is really there.";

/// What an empty plan says: it was observed, not assumed (I12).
pub fn nothing_to_do(plan: &Plan) -> String {
    match Summary::of(plan).keep {
        0 => "Nothing to do: this merge request changes nothing that a target holds.".to_owned(),
        keep => format!("Nothing to do: {} read from the live systems and found as asked already.", count(keep, "resource")),
    }
}

/// One approval that was given.
pub fn given(given: &Given) -> String {
    let Given { by, at, digest, steps, void } = given;
    let steps = match steps.as_slice() {
        [] => String::new(),
        steps => format!(" for {}", super::steps_list(steps)),
    };
    let void = void.as_ref().map_or(String::new(), |why| format!(", which no longer counts: {}", code(why)));
    format!("{} approved `{}`{steps} at {at}{void}", code(by.as_str()), digest.short())
}

/// Who may not approve.
pub fn not_by(pushers: &[Str]) -> String {
    format!("not by {}, because the commits are theirs", list(pushers, "or"))
}
