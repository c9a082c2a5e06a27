//! What the four statuses say, one line each.

use super::{count, short};
use crate::core::{
    render::Summary,
    review::{Phase, View, escape::cut},
};

/// Statuses longer than this are cut by forges.
const LONGEST: usize = 140;

fn line(text: String) -> String {
    cut(&text.replace('`', ""), LONGEST)
}

/// `trueup/plan`.
pub fn status_plan(view: &View) -> String {
    line(match view.phase {
        Phase::Refused => format!("refused: {}", view.refusals.first().map_or_else(|| "bad input".to_owned(), ToString::to_string)),
        Phase::Conflicted => format!("{} in conflict with the base branch", count(view.conflicts.len(), "path")),
        Phase::Planning
        | Phase::AwaitingApproval
        | Phase::Queued
        | Phase::Rolling
        | Phase::Verifying
        | Phase::Merging
        | Phase::Merged
        | Phase::Empty
        | Phase::Paused
        | Phase::Failed
        | Phase::Restoring
        | Phase::Restored
        | Phase::Closed => match (&view.plan, &view.digest) {
            (Some(plan), Some(digest)) => format!("{} {}", Summary::of(plan), digest.short()),
            (Some(plan), None) => Summary::of(plan).to_string(),
            (None, _) if view.waits_for.is_empty() => "planning".to_owned(),
            (None, _) => view.waits_for.clone(),
        },
    })
}

/// `trueup/approval`.
pub fn status_approval(view: &View) -> String {
    let missing: u32 = view.approvals.iter().map(|approval| approval.missing).sum();
    match view.phase {
        Phase::Merged => return line("approved".to_owned()),
        Phase::Restored | Phase::Closed => return line("nothing to approve any more".to_owned()),
        Phase::Refused | Phase::Conflicted => return line("nothing to approve yet".to_owned()),
        Phase::Failed | Phase::Restoring if missing > 0 => return line("nothing to approve now".to_owned()),
        Phase::Planning
        | Phase::AwaitingApproval
        | Phase::Queued
        | Phase::Rolling
        | Phase::Verifying
        | Phase::Merging
        | Phase::Empty
        | Phase::Paused
        | Phase::Failed
        | Phase::Restoring => {}
    }
    if let Some(why) = view.approvals.iter().find_map(|approval| approval.cannot.as_deref()) {
        return line(format!("{} missing, and {why}", count(missing as usize, "approval")));
    }
    line(match (&view.plan, missing) {
        (None, _) => "nothing to approve yet".to_owned(),
        (Some(_), 0) => "approved".to_owned(),
        (Some(_), n) => format!("{} missing", count(n as usize, "approval")),
    })
}

/// `trueup/rollout`.
pub fn status_rollout(view: &View) -> String {
    let (done, all) = view.progress();
    line(match view.phase {
        Phase::Empty => "nothing to do".to_owned(),
        Phase::Failed => view.waits_for.clone(),
        Phase::Restoring if all > 0 => format!("going back: {done} of {all}"),
        Phase::Restoring => "going back".to_owned(),
        Phase::Closed if view.written > 0 => format!("closed with {} live", count(view.written, "written item")),
        Phase::Closed => "closed".to_owned(),
        Phase::Restored => "restored: nothing of this change is live".to_owned(),
        Phase::Paused => format!("paused at {done} of {all}"),
        Phase::Merged if all == 0 => "nothing to do".to_owned(),
        Phase::Planning | Phase::AwaitingApproval | Phase::Queued | Phase::Refused | Phase::Conflicted if done == 0 => "not started".to_owned(),
        Phase::Planning | Phase::AwaitingApproval | Phase::Queued | Phase::Rolling | Phase::Verifying | Phase::Merging | Phase::Merged | Phase::Refused | Phase::Conflicted => {
            format!("{done} of {all} written and proven")
        }
    })
}

/// `trueup/converged`.
pub fn status_converged(view: &View) -> String {
    line(match (view.phase, &view.health, &view.merged) {
        (Phase::Merged, _, Some(commit)) => format!("true and healthy{}, merged as {}", except(view), short(commit)),
        (Phase::Merged | Phase::Merging, _, _) => format!("true and healthy{}", except(view)),
        (Phase::Restored, _, _) => "restored to what was there before; not merged".to_owned(),
        (Phase::Restoring, _, _) => "going back; not merged".to_owned(),
        (Phase::Closed, _, _) => "closed; not merged".to_owned(),
        (Phase::Failed, None, _) if view.written > 0 => format!("stopped with {} live and not merged", count(view.written, "written item")),
        (Phase::Failed, None, _) if !view.given_up.is_empty() => "stopped; what it wrote is held by nobody".to_owned(),
        (Phase::Failed, None, _) => "stopped; nothing of it is live".to_owned(),
        (_, Some(health), _) => match health.unhealthy.first() {
            Some((id, why)) => format!("not healthy: {}: {why}", view.kinds.title(id)),
            None => format!("{} of {} samples", health.samples, health.needed),
        },
        (_, None, _) => "not yet true everywhere".to_owned(),
    })
}

/// What is not, by an approved exemption.
fn except(view: &View) -> String {
    view.exemption.as_ref().map_or_else(String::new, |shown| format!(" except {}", count(shown.except.items.len(), "exempted item")))
}
