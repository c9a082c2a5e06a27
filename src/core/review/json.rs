//! A change as JSON for programs: what `trueup mr show --json` prints and the API serves; documented and versioned.
//!
//! Version 1. `version`, `repo`, `number`, `title`, `author`, `source_branch`, `base_branch`, `draft`, `phase` (see
//! `Phase`), `waits_for` (a sentence), `reasons` (sentences), `base`, `head`, `merged` (commits or null), `direction`
//! (`forward`, `back`), `digest`, `plan` (see `render::json`, or null), `progress` (`done`, `all`), `steps` (`id`,
//! `state`, `attempts`, `items`), `approvals` (`count`, `by`, `when`, `because`, `missing`,
//! `cannot` (why nobody can give it, or null), `given`), `pushers`, `tasks` (`name`, `url`), `since`, `queue` (`place`, `ahead`, or null), `refusals`,
//! `conflicts`, `failures`, `exemption` (`digest`, `given`, `missing`, `items` with `step`, `item`, `id`, `by`, `reason`, `until`; or null), `written` (how many resources hold what it wrote), `given_up` (`id`, `before`, `after`),
//! `health`, `overdue_since` (since when it holds claims and does nothing, or null), `stopped_by`, `times` (RFC 3339 or null), `links` (`change`, `plan`), `statuses`, `label`.

use super::{ApprovalView, Failure, FailureKind, Given, HealthView, ItemState, Left, Queue, Since, StepView, Times, View, words};
use crate::core::{
    gate::{Exemption, LeftOut},
    model::{Refusal, Value},
    render,
};
use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};

/// The version of this form.
const VERSION: u32 = 1;

impl Serialize for View {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().serialize(serializer)
    }
}

impl View {
    /// The whole change as JSON.
    pub fn json(&self) -> Json {
        let Self {
            mr,
            title,
            author,
            source_branch,
            base_branch,
            draft,
            phase,
            waits_for,
            reasons,
            base,
            head,
            merged,
            direction,
            plan: _,
            planned: _,
            awaits_trust: _,
            digest,
            steps,
            approvals,
            pushers,
            tasks,
            since,
            queue,
            refusals,
            conflicts,
            failures,
            exemption,
            written,
            given_up,
            health,
            overdue,
            way_back: _,
            stopped_by,
            times,
            links,
            kinds: _,
            sensitive: _,
        } = self;
        let (done, all) = self.progress();
        json!({
            "version": VERSION,
            "repo": mr.repo, "number": mr.number, "title": title, "author": author, "source_branch": source_branch, "base_branch": base_branch, "draft": draft,
            "phase": phase, "waits_for": waits_for, "reasons": reasons,
            "base": base, "head": head, "merged": merged, "direction": direction,
            "digest": digest, "plan": self.sheet().map(|sheet| render::json(&sheet)),
            "progress": { "done": done, "all": all },
            "steps": steps.iter().map(step).collect::<Vec<_>>(),
            "approvals": approvals.iter().map(approval).collect::<Vec<_>>(),
            "pushers": pushers, "tasks": tasks,
            "since": since.as_ref().map(|Since { digest, by, kept, new, loosened, gone }| json!({ "digest": digest, "by": by, "kept": kept, "new": new, "loosened": loosened, "gone": gone })),
            "queue": queue.as_ref().map(|Queue { ahead }| json!({
                "place": ahead.len() + 1,
                "ahead": ahead.iter().map(|(mr, what)| json!({ "repo": mr.repo, "number": mr.number, "what": what })).collect::<Vec<_>>(),
            })),
            "refusals": refusals.iter().map(refusal).collect::<Vec<_>>(),
            "conflicts": conflicts,
            "failures": failures.iter().map(|failure| self.failure_json(failure)).collect::<Vec<_>>(),
            "exemption": exemption.as_ref().map(|Exemption { except, given, missing }| json!({
                "digest": except.digest, "given": given, "missing": missing, "items": except.items.iter().map(left_out).collect::<Vec<_>>(),
            })),
            "written": written,
            "given_up": given_up.iter().map(|left| self.left_json(left)).collect::<Vec<_>>(),
            "health": health.as_ref().map(|HealthView { samples, needed, every, unhealthy }| json!({
                "samples": samples, "needed": needed, "every": every,
                "unhealthy": unhealthy.iter().map(|(id, why)| json!({ "id": id, "why": why })).collect::<Vec<_>>(),
            })),
            "overdue_since": overdue.map(|since| since.to_string()), "stopped_by": stopped_by, "times": times_json(times),
            "links": { "change": links.change(), "plan": links.plan() },
            "statuses": self.statuses(), "label": format!("trueup: {}", words::phase_words(*phase)),
        })
    }

    fn left_json(&self, left: &Left) -> Json {
        let Left { id, before, after } = left;
        let shown = |value: &Option<Value>| value.as_ref().map(|value| if self.hides(id) { json!({ "$sensitive": true }) } else { render::value_json(value) });
        json!({ "id": id, "before": shown(before), "after": shown(after) })
    }

    fn failure_json(&self, failure: &Failure) -> Json {
        let Failure { step, item, id, kind, why, attempts } = failure;
        let hidden = id.as_ref().is_some_and(|id| self.hides(id));
        let (kind, found) = match kind {
            FailureKind::Moved { found } => ("moved", found.as_ref().map(|found| if hidden { json!({ "$sensitive": true }) } else { render::value_json(found) })),
            FailureKind::Refused => ("refused", None),
            FailureKind::GaveUp => ("gave_up", None),
            FailureKind::Unproven => ("unproven", None),
            FailureKind::Unhealthy => ("unhealthy", None),
            FailureKind::Unknown => ("unknown", None),
        };
        json!({ "step": step, "item": item, "id": id, "kind": kind, "found": found, "why": why, "attempts": attempts })
    }
}

fn left_out(item: &LeftOut) -> Json {
    let LeftOut { step, item, id, by, reason, until } = item;
    json!({ "step": step, "item": item, "id": id, "by": by, "reason": reason, "until": until.to_string() })
}

fn step(view: &StepView) -> Json {
    let items: Vec<Json> = view
        .items
        .iter()
        .map(|item| match item {
            ItemState::Skipped { by, reason } => json!({ "state": item.as_step(), "by": by, "reason": reason }),
            ItemState::Blocked { by } => json!({ "state": item.as_step(), "by": by }),
            ItemState::Waiting | ItemState::Ready | ItemState::Acting | ItemState::Applied | ItemState::Proven | ItemState::Failed => json!({ "state": item.as_step() }),
        })
        .collect();
    json!({ "id": view.id, "state": view.state(), "attempts": view.attempts, "items": items })
}

fn approval(view: &ApprovalView) -> Json {
    let ApprovalView { rule, given, missing, cannot } = view;
    let given: Vec<Json> =
        given.iter().map(|Given { by, at, digest, steps, void }| json!({ "by": by, "at": at.to_string(), "digest": digest, "steps": steps, "void": void })).collect();
    json!({ "count": rule.rule.count, "by": rule.rule.by, "when": rule.rule.when, "because": rule.because, "missing": missing, "cannot": cannot, "given": given })
}

/// A refusal with its place, and as the text a person reads.
pub fn refusal(refusal: &Refusal) -> Json {
    let Refusal { kind, what, place, excerpt, advice, also } = refusal;
    json!({
        "kind": kind, "what": what, "place": place.as_ref().map(render::place), "excerpt": excerpt, "advice": advice,
        "also": also.as_ref().map(render::place), "text": render::refusal(refusal),
    })
}

fn times_json(times: &Times) -> Json {
    let Times { opened, planned, approved, started, converged, ended, updated } = times;
    let text = |time: &Option<crate::core::model::Time>| time.map(|time| time.to_string());
    json!({
        "opened": text(opened), "planned": text(planned), "approved": text(approved), "started": text(started),
        "converged": text(converged), "ended": text(ended), "updated": text(updated),
    })
}
