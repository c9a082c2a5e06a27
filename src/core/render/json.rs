//! A plan as JSON for programs: documented and versioned.
//!
//! Version 1. Top level: `version`, `digest` (64 hex digits or null), `empty`, `summary` (counts), `deltas`, `steps`,
//! `edges`, `approvals`, `notes`, `health` (the probes that must hold, each with `probe`, `of`, `policy` and `text`), `way_back` (the same without its own `way_back`, or
//! null). New fields may come; the meaning of a field never changes within a version. A value is plain JSON; what JSON
//! has no word for is an object with one `$` key: `{"$secret": URI}`, `{"$blob": ID, "len": N}`, `{"$unknown": WHY}`,
//! `{"$decimal": TEXT}`, and `{"$sensitive": true}` for what is never shown.

use super::Sheet;
use crate::core::{
    diff::{Delta, Op, Reason},
    model::{Place, ResourceId, Sure, Value},
    plan::{Act, Edge, EdgeReason, Needs, Note, Proof, Step, Undo},
    review::words,
};
use serde_json::{Value as Json, json};

/// The version of this form.
pub const VERSION: u32 = 1;

/// The whole plan.
pub fn json(sheet: &Sheet<'_>) -> Json {
    let way_back = sheet.way_back.map(|plan| body(&Sheet { plan, digest: None, way_back: None, ..sheet.clone() }));
    let mut out = body(sheet);
    out["version"] = json!(VERSION);
    out["way_back"] = json!(way_back);
    out
}

fn body(sheet: &Sheet<'_>) -> Json {
    let plan = sheet.plan;
    let approvals: Vec<Json> = plan
        .rules
        .iter()
        .map(|matched| json!({ "when": matched.rule.when, "count": matched.rule.count, "by": matched.rule.by, "because": matched.because, "text": words::approval(matched) }))
        .collect();
    json!({
        "digest": sheet.digest,
        "parent": plan.parent,
        "empty": sheet.summary().is_empty(),
        "summary": sheet.summary(),
        "waits": plan.waits(),
        "deltas": plan.deltas.iter().map(|delta| delta_json(sheet, delta)).collect::<Vec<_>>(),
        "steps": plan.steps.values().map(|step| step_json(sheet, step)).collect::<Vec<_>>(),
        "edges": plan.edges.iter().map(|edge| edge_json(sheet, edge)).collect::<Vec<_>>(),
        "approvals": approvals,
        "health": plan.health.iter().map(|one| json!({ "probe": one.probe.key().to_string(), "of": one.of, "policy": one.policy, "place": place(&one.place), "text": words::healthy(one, &sheet.kinds) })).collect::<Vec<_>>(),
        "notes": plan.notes.iter().map(|note| json!({ "kind": note_kind(note), "text": words::note(note, &sheet.kinds) })).collect::<Vec<_>>(),
    })
}

fn delta_json(sheet: &Sheet<'_>, delta: &Delta) -> Json {
    let was = match &delta.op {
        Op::Move { was } => Some(was),
        Op::Create | Op::Update | Op::Replace | Op::Delete | Op::Keep | Op::Adopt | Op::Release => None,
    };
    let (sure, why) = match &delta.sure {
        Sure::Exact => ("exact", None),
        Sure::Predicted(why) => ("predicted", Some(why)),
        Sure::Opaque(why) => ("opaque", Some(why)),
    };
    let (reason, by) = match &delta.reason {
        Reason::MergeRequest => ("merge_request", None),
        Reason::Continues => ("continues", None),
        Reason::AlreadyTrue => ("already_true", None),
        Reason::DriftOverwritten => ("drift_overwritten", None),
        Reason::OverrideEnds => ("override_ends", None),
        Reason::AheadBy(mr) => ("ahead_by", Some(mr.to_string())),
        Reason::Restores => ("restores", None),
    };
    json!({
        "id": delta.id, "target": delta.id.target, "title": sheet.kinds.title(&delta.id), "op": words::op(&delta.op), "was": was,
        "from": content(sheet, &delta.id, delta.from.as_ref()), "to": content(sheet, &delta.id, delta.to.as_ref()),
        "from_lines": sheet.lines(&delta.id, delta.from.as_ref()), "to_lines": sheet.lines(&delta.id, delta.to.as_ref()),
        "paths": delta.paths.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "sure": sure, "sure_why": why, "reason": reason, "reason_change": by, "place": place(&delta.place),
    })
}

fn step_json(sheet: &Sheet<'_>, step: &Step) -> Json {
    let writes: Vec<Json> = step
        .writes()
        .iter()
        .map(|write| {
            json!({
                "id": write.id, "title": sheet.kinds.title(&write.id),
                "from": content(sheet, &write.id, write.from.as_ref()), "to": content(sheet, &write.id, write.to.as_ref()),
                "undo": undo(&write.undo),
            })
        })
        .collect();
    let act = match &step.act {
        Act::Write(_) => "write",
        Act::Verb { .. } => "verb",
        Act::Run { .. } => "run",
        Act::Wait(_) => "wait",
        Act::Check(_) => "check",
        Act::Approve { .. } => "approve",
        Act::Pause => "pause",
        Act::Earlier(_) => "earlier",
    };
    let proof = match &step.proof {
        Proof::Settled => "settled",
        Proof::Fact(_) => "fact",
        Proof::NoChange => "no_change",
        Proof::Cannot(_) => "cannot",
    };
    json!({
        "id": step.id, "target": step.target, "unit": step.unit, "act": act, "does": super::step_words(step), "items": step.items(), "writes": writes,
        "proof": proof, "deadline": step.deadline, "template": step.template,
    })
}

fn edge_json(sheet: &Sheet<'_>, edge: &Edge) -> Json {
    let reason = match &edge.reason {
        EdgeReason::Refers { .. } => "refers",
        EdgeReason::LetsGo { .. } => "lets_go",
        EdgeReason::Said { .. } => "said",
        EdgeReason::Takes { .. } => "takes",
        EdgeReason::Chain { .. } => "chain",
        EdgeReason::Batch { .. } => "batch",
        EdgeReason::Wave { .. } => "wave",
    };
    let (needs, elapsed) = match edge.needs {
        Needs::Applied => ("applied", None),
        Needs::Proven => ("proven", None),
        Needs::Healthy => ("healthy", None),
        Needs::Elapsed(span) => ("elapsed", Some(span)),
    };
    json!({
        "before": edge.before, "after": edge.after, "needs": needs, "elapsed": elapsed, "reason": reason,
        "since": sheet.plan.since(edge), "text": words::edge(sheet.plan, edge, &sheet.kinds), "place": place(&edge.place), "items": edge.items,
    })
}

fn note_kind(note: &Note) -> &'static str {
    match note {
        Note::Unmapped { .. } => "unmapped",
        Note::Skipped { .. } => "skipped",
        Note::Ignored { .. } => "ignored",
        Note::Unmanaged { .. } => "unmanaged",
        Note::AheadBy { .. } => "ahead_by",
        Note::Drift { .. } => "drift",
        Note::Override { .. } => "override",
        Note::WeakPrecondition { .. } => "weak_precondition",
        Note::Caution { .. } => "caution",
        Note::NotObserved => "not_observed",
        Note::Governs { .. } => "governs",
        Note::Waits { .. } => "waits",
        Note::TakesOver { .. } => "takes_over",
        Note::Remark { .. } => "remark",
    }
}

fn undo(undo: &Undo) -> Json {
    let kind = match undo {
        Undo::To(_) => "write_back",
        Undo::Sealed(_) => "sealed",
        Undo::Backup(_) => "backup",
        Undo::Act(_) => "act",
        Undo::Never { .. } => "never",
    };
    json!({ "kind": kind, "text": words::undo(undo) })
}

/// A place, or null where there is none.
pub fn place(place: &Place) -> Json {
    if place.file.is_empty() { Json::Null } else { json!({ "file": place.file, "line": place.line, "column": place.column }) }
}

fn content(sheet: &Sheet<'_>, id: &ResourceId, value: Option<&Value>) -> Json {
    match value {
        None => Json::Null,
        Some(hidden @ (Value::Hidden(_) | Value::Secret(_))) => value_json(hidden),
        Some(_) if sheet.is_sensitive(id) => json!({ "$sensitive": true }),
        Some(value) => value_json(value),
    }
}

/// A value as plain JSON.
pub fn value_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(b) => json!(b),
        Value::Int(n) => json!(n),
        Value::Num(n) => json!({ "$decimal": n.0 }),
        Value::Str(text) => json!(text),
        Value::List(items) => items.iter().map(value_json).collect(),
        Value::Map(map) => Json::Object(map.iter().map(|(key, value)| (key.to_string(), value_json(value))).collect()),
        Value::Blob { id, len } => json!({ "$blob": id, "len": len }),
        Value::Secret(secret) => json!({ "$secret": secret.uri, "version": secret.version }),
        Value::Hidden(hidden) => match &hidden.secret {
            Some(secret) => json!({ "$secret": secret.uri, "version": secret.version }),
            None => json!({ "$sensitive": true }),
        },
        Value::Unknown(why) => json!({ "$unknown": why }),
    }
}
