//! The page of one change: its live part, and its plan.

use super::{
    page::{Reader, with_frame},
    template::{lines, paragraphs, render as fill, sentence, when},
};
use crate::app::service::{CommentRow, StatusRow};
use crate::core::{
    diff::{Delta, Op},
    gate::Exemption,
    model::{StepId, User},
    render::{self, Line, Sheet, refusal, step_reasons, step_words, way_back},
    review::{Phase, StepState, View, words},
};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// Steps that are drawn one by one; of larger plans the first, failures before all.
const MOST_STEPS: usize = 200;

/// Resources of a step that are named in the order; all are in the plan.
const MOST_TITLES: usize = 5;

/// Journal rows shown, newest first.
const MOST_ROWS: usize = 300;

/// Comments shown, newest last.
const MOST_COMMENTS: usize = 200;

/// What was said and done, beside the view.
#[derive(Clone, Copy, Default)]
pub struct Record<'a> {
    /// Oldest first.
    pub journal: &'a [words::Row],
    /// Oldest first, as the forge holds them.
    pub comments: &'a [CommentRow],
    /// All that stand on the head; ours are shown from the view.
    pub statuses: &'a [StatusRow],
    /// What the author says of it.
    pub description: &'a str,
    pub labels: &'a [String],
}

/// The whole page.
pub fn change(view: &View, record: Record<'_>, reader: &Reader) -> String {
    let mut model = live_model(view, record, reader);
    model["plan"] = view.sheet().map_or(Json::Null, |sheet| plan_model(&sheet));
    fill("change.html", with_frame(reader, &view.mr.to_string(), model))
}

/// The live parts alone: what the script fetches (`?part=live`) when an event comes.
pub fn live(view: &View, record: Record<'_>, reader: &Reader) -> String {
    fill("parts.html", live_model(view, record, reader))
}

fn live_model(view: &View, record: Record<'_>, reader: &Reader) -> Json {
    let (done, all) = view.progress();
    let sentences = |items: Vec<String>| items.iter().map(|item| sentence(item)).collect::<Vec<_>>();
    let asked = view.wants_approval();
    let mut model = json!({
        "name": view.mr.to_string(), "title": view.title, "author": view.author.as_str(), "source": view.source_branch, "target": view.base_branch, "draft": view.draft,
        "phase": view.phase.as_str(), "phase_words": words::phase_words(view.phase), "waits_for": sentence(&view.waits_for),
        "reasons": sentences(view.still_missing()),
        "page": view.links.page, "next": view.links.page.replace('%', "%25"), "events": events_path(view),
        "digest": view.digest.map(|digest| digest.to_string()), "digest_short": view.digest.map(|digest| digest.short()),
        "head": view.head.as_ref().map(words::short), "base": view.base.as_ref().map(words::short), "merged": view.merged.as_ref().map(words::short),
        "done": done, "all": all, "percent": (done * 100).checked_div(all).unwrap_or(0),
        "health": view.health.as_ref().map(|health| json!({ "samples": health.samples, "needed": health.needed })),
        "unhealthy": sentences(view.health.iter().flat_map(|health| &health.unhealthy).map(|(id, why)| format!("{}: {}", words::code(&view.kinds.title(id)), words::code(why))).collect()),
        "refusals": view.refusals.iter().map(|fault| lines(&refusal(fault))).collect::<Vec<_>>(),
        "conflicts": view.conflicts,
        "failures": view.failures.iter().map(|failure| json!({ "step": failure.step, "text": sentence(&words::failure(failure, &view.kinds, failure.id.as_ref().is_some_and(|id| view.hides(id)))) })).collect::<Vec<_>>(),
        "given_up": sentences(view.given_up_lines()),
        "queue": sentences(view.queue.iter().flat_map(|queue| &queue.ahead).map(|(mr, what)| format!("{} {what}", words::code(&mr.to_string()))).collect()),
        "approvals": view.approvals.iter().filter(|approval| asked || !approval.given.is_empty()).map(|approval| json!({
            "rule": sentence(&words::approval(&approval.rule)), "missing": if asked { approval.missing } else { 0 },
            "cannot": approval.cannot.as_ref().filter(|_| asked).map(|why| sentence(why)),
            "given": sentences(approval.given.iter().map(words::given).collect()),
        })).collect::<Vec<_>>(),
        "not_by": if asked && !view.pushers.is_empty() { sentence(&words::not_by(&view.pushers.iter().map(|user| user.0.clone()).collect::<Vec<_>>())) } else { Json::Null },
        "buttons": if reader.who.is_some() { buttons(view, reader.who.as_ref()) } else { Vec::new() },
        "may_skip": reader.who.is_some() && view.phase == Phase::Failed,
        "may_free": reader.who.is_some() && view.written > 0 && matches!(view.phase, Phase::Failed | Phase::Closed),
        "signed_in": reader.who.is_some(),
        "layers": view.sheet().map_or_else(Vec::new, |sheet| layers(view, &sheet)),
        "steps_left": view.plan.as_ref().map_or(0, |plan| plan.steps.len().saturating_sub(MOST_STEPS)),
        "statuses": view.statuses().iter().map(|status| json!({ "context": status.context, "state": status.state, "text": status.text })).collect::<Vec<_>>(),
    });
    // Apart: the macro takes no more fields.
    model["exemption"] = exemption(view, reader);
    model["tasks"] = view.tasks.iter().map(|task| json!({ "name": task.name, "url": task.url })).collect();
    model["life"] = life(view).into();
    model["picture"] = view.plan.as_deref().and_then(render::picture).map_or(Json::Null, |picture| picture_model(view, &picture));
    with_record(model, record)
}

/// What it merges without, or would, with a button for those who may say so.
fn exemption(view: &View, reader: &Reader) -> Json {
    let Some(exemption @ Exemption { except, given: _, missing }) = &view.exemption else { return Json::Null };
    let barred = |who: &User| view.pushers.contains(who) || except.items.iter().any(|item| item.by == *who);
    json!({
        "items": except.items.iter().map(|item| sentence(&words::left_out(item, &view.kinds))).collect::<Vec<_>>(),
        "text": sentence(&words::exemption(exemption, view.phase == Phase::Merged)),
        "digest": except.digest.to_string(),
        "asked": *missing > 0 && reader.who.as_ref().is_some_and(|who| !barred(who)),
    })
}

fn with_record(mut model: Json, record: Record<'_>) -> Json {
    let Record { journal, comments, statuses, description, labels } = record;
    model["description"] = if description.trim().is_empty() { Json::Null } else { lines(description.trim()) };
    model["labels"] = labels.into();
    let others = statuses.iter().filter(|status| !status.context.starts_with("trueup/"));
    model["checks"] = others.map(|StatusRow { context, state, text }| json!({ "context": context, "state": state, "text": text })).collect();
    let said: Vec<&CommentRow> = comments.iter().filter(|comment| !comment.sticky).collect();
    let left = said.len().saturating_sub(MOST_COMMENTS);
    let comment = |comment: &&CommentRow| {
        let CommentRow { id, by, body, at, to, sticky: _ } = comment;
        // Answers are sentences of ours, whose code spans hold what came from outside; a person's text is only text.
        let text = if to.is_some() { paragraphs(body) } else { lines(body) };
        json!({ "id": id.0, "by": by.as_str(), "at": at.to_string(), "when": when(*at), "to": to.map(|to| to.0), "text": text })
    };
    model["comments"] = said[left..].iter().map(comment).collect();
    model["comments_left"] = left.into();
    model["journal"] = journal.iter().rev().take(MOST_ROWS).map(row).collect();
    model["journal_all"] = journal.len().into();
    model["journal_left"] = journal.len().saturating_sub(MOST_ROWS).into();
    model
}

fn row(row: &words::Row) -> Json {
    json!({
        "seq": row.seq, "at": row.at.map(|at| at.to_string()), "when": row.at.map(when), "who": row.who.as_ref().map(User::as_str), "text": sentence(&row.text),
        "times": row.times, "until": row.until.map(|at| at.to_string()), "until_when": row.until.map(when),
    })
}

/// The path at which the server tells that something happened: `/api/v1/repos/REPO/mrs/N/events`.
fn events_path(view: &View) -> String {
    let (repo, number) = view.links.page.trim_start_matches("/changes/").rsplit_once('/').unwrap_or_default();
    format!("/api/v1/repos/{repo}/mrs/{number}/events")
}

/// The commands that make sense now.
fn buttons(view: &View, who: Option<&User>) -> Vec<Json> {
    let own = who.is_some_and(|who| view.pushers.contains(who));
    let missing = view.approvals.iter().any(|approval| approval.missing > 0);
    let approve = || (missing && view.digest.is_some() && !own).then_some(("approve", "Approve this plan"));
    let written = view.written > 0 || !view.given_up.is_empty();
    let restore = || written.then_some(("restore", "Restore"));
    let (pause, abort, plan) = (Some(("pause", "Pause")), Some(("abort", "Abort")), Some(("plan", "Plan again")));
    let list = match view.phase {
        Phase::AwaitingApproval if !missing => vec![Some(("start", "Start")), plan, restore()],
        Phase::AwaitingApproval | Phase::Empty => vec![approve(), plan, restore()],
        Phase::Planning | Phase::Refused | Phase::Conflicted => vec![plan, restore()],
        Phase::Queued => vec![pause, plan],
        Phase::Rolling | Phase::Verifying => vec![pause, abort, restore()],
        Phase::Merging => vec![pause],
        Phase::Paused => vec![Some(("resume", "Resume")), view.times.started.and(abort), restore()],
        Phase::Failed if !view.given_up.is_empty() => vec![plan, restore()],
        Phase::Failed => vec![Some(("retry", "Retry")), restore(), (!written).then_some(("free", "Free its claims"))],
        Phase::Restoring => vec![pause],
        Phase::Restored => vec![plan],
        Phase::Closed => vec![restore()],
        Phase::Merged => Vec::new(),
    };
    list.into_iter().flatten().map(|(command, label)| json!({ "command": command, "label": label, "main": matches!(command, "approve" | "start" | "resume" | "retry") })).collect()
}

/// The way from plan to merge, and where the change is on it.
fn life(view: &View) -> Vec<Json> {
    const WAY: [&str; 5] = ["Plan", "Approve", "Run", "Verify", "Merge"];
    let back = matches!(view.phase, Phase::Restoring | Phase::Restored);
    // Where it stopped is told by how far it came.
    let stopped = if view.written > 0 || view.times.started.is_some() {
        2
    } else if view.plan.is_some() {
        1
    } else {
        0
    };
    let (at, state) = match view.phase {
        Phase::Planning => (0, "now"),
        Phase::Refused | Phase::Conflicted => (0, "bad"),
        Phase::AwaitingApproval | Phase::Empty => (1, "now"),
        Phase::Queued | Phase::Rolling | Phase::Restoring => (2, "now"),
        Phase::Verifying => (3, "now"),
        Phase::Merging => (4, "now"),
        Phase::Merged => (WAY.len(), "done"),
        Phase::Restored => (3, "now"),
        Phase::Failed => (stopped, "bad"),
        Phase::Paused | Phase::Closed => (stopped, "held"),
    };
    let one = |(n, name): (usize, &&str)| {
        let name = if back && n == 2 { "Restore" } else { name };
        json!({ "name": name, "state": if n < at { "done" } else if n == at { state } else { "todo" } })
    };
    if back { WAY[..3].iter().enumerate().map(one).collect() } else { WAY.iter().enumerate().map(one).collect() }
}

fn picture_model(view: &View, picture: &render::Picture) -> Json {
    let state = |id: StepId| view.step(id).map_or(StepState::Waiting, crate::core::review::StepView::state).as_str();
    let boxes: Vec<Json> = picture
        .boxes
        .iter()
        .map(|one| {
            json!({
                "id": one.id, "x": one.x, "y": one.y, "width": one.width, "height": one.height, "state": state(one.id), "place": one.place, "does": one.does,
                "left": one.x + 40, "number": one.x + 20, "first": one.y + 25, "second": one.y + 44, "middle": one.y + one.height / 2,
            })
        })
        .collect();
    let arrows: Vec<Json> = picture.arrows.iter().map(|arrow| json!({ "path": arrow.path, "state": state(arrow.before) })).collect();
    json!({ "width": picture.width, "height": picture.height, "boxes": boxes, "arrows": arrows })
}

/// The steps by level: a step stands one level below the last it waits for.
fn layers(view: &View, sheet: &Sheet<'_>) -> Vec<Json> {
    let levels = render::levels(sheet.plan);
    let reasons = step_reasons(sheet);
    let state = |id: StepId| view.step(id).map_or(StepState::Waiting, crate::core::review::StepView::state);
    let mut ids: Vec<StepId> = sheet.plan.steps.keys().copied().collect();
    ids.sort_by_key(|id| (state(*id) != StepState::Failed, *id));
    ids.truncate(MOST_STEPS);
    ids.sort();
    let mut layers: BTreeMap<usize, Vec<Json>> = BTreeMap::new();
    for id in ids {
        let Some(step) = sheet.plan.steps.get(&id) else { continue };
        let over = view.step(id).map_or(0, |step| step.items.iter().filter(|item| item.is_over()).count());
        let why: Vec<Json> = reasons.get(&id).into_iter().flatten().map(|reason| sentence(reason)).collect();
        let level = levels.get(&id).copied().unwrap_or(0);
        let titles: Vec<String> = step.writes().iter().take(MOST_TITLES).map(|write| sheet.kinds.title(&write.id)).collect();
        layers.entry(level).or_default().push(json!({
            "id": id, "words": step_words(step), "state": state(id).as_str(), "over": over, "items": step.items(), "why": why,
            "titles": titles, "titles_left": step.writes().len().saturating_sub(MOST_TITLES),
        }));
    }
    layers.into_values().map(Json::Array).collect()
}

fn plan_model(sheet: &Sheet<'_>) -> Json {
    let groups: Vec<Json> = sheet
        .groups()
        .into_iter()
        .map(|((target, unit), deltas)| json!({ "target": target, "unit": unit, "items": deltas.into_iter().filter(|delta| delta.op != Op::Keep).map(|delta| item(sheet, delta)).collect::<Vec<_>>() }))
        .filter(|group| group["items"].as_array().is_some_and(|items| !items.is_empty()))
        .collect();
    json!({
        "summary": sheet.summary().to_string(),
        "empty": sheet.summary().is_empty().then(|| words::nothing_to_do(sheet.plan)),
        "groups": groups,
        "healthy": sheet.plan.health.iter().map(|one| sentence(&words::healthy(one, &sheet.kinds))).collect::<Vec<_>>(),
        "never": words::never(sheet.plan, &sheet.kinds).iter().map(|text| sentence(text)).collect::<Vec<_>>(),
        "notes": sheet.plan.notes.iter().map(|note| sentence(&words::note(note, &sheet.kinds))).collect::<Vec<_>>(),
        "way_back_says": sentence(words::WAY_BACK),
        "way_back": sheet.way_back.map(|back| way_back(sheet, back).iter().map(|line| sentence(line)).collect::<Vec<_>>()),
    })
}

fn item(sheet: &Sheet<'_>, delta: &Delta) -> Json {
    let compared: Vec<Json> = sheet
        .compare(delta)
        .into_iter()
        .map(|line| match line {
            Line::Old(text) => json!({ "class": "old", "mark": "-", "text": text }),
            Line::New(text) => json!({ "class": "new", "mark": "+", "text": text }),
            Line::Same(text) => json!({ "class": "same", "mark": " ", "text": text }),
            Line::Left(n) => json!({ "class": "same", "mark": " ", "text": format!("… {} unchanged", words::count(n, "line")) }),
        })
        .collect();
    let place = if delta.place.file.is_empty() { String::new() } else { delta.place.to_string() };
    json!({ "op": words::op(&delta.op), "title": sheet.kinds.title(&delta.id), "aside": sentence(&crate::core::render::aside(delta)), "place": place, "lines": compared })
}
