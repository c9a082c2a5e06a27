//! The order of a plan as a Mermaid graph.

use super::Sheet;
use crate::core::{
    model::StepId,
    plan::{Act, Edge, OnDeadline, Step, Until},
    review::{StepState, escape, words},
};
use std::collections::{BTreeMap, BTreeSet};

/// Larger graphs are no picture any more.
pub const MOST_STEPS: usize = 40;

/// The plan's steps and edges; `state` colours the steps that have one.
pub fn mermaid(sheet: &Sheet<'_>, state: &dyn Fn(StepId) -> Option<StepState>) -> String {
    let mut out = String::from("graph TD\n");
    for step in sheet.plan.steps.values() {
        let class = state(step.id).map_or(String::new(), |state| format!(":::{}", state.as_str()));
        out.push_str(&format!("  s{}[\"step {} · {}\"]{class}\n", step.id, step.id, escape::mermaid(&step_words(step), 60)));
    }
    let mut pairs: BTreeMap<(StepId, StepId), Vec<&Edge>> = BTreeMap::new();
    for edge in &sheet.plan.edges {
        pairs.entry((edge.before, edge.after)).or_default().push(edge);
    }
    for ((before, after), edges) in pairs {
        let why = edges.first().map(|edge| words::edge(sheet.plan, edge, &sheet.kinds).replace('`', "")).unwrap_or_default();
        let more = if edges.len() > 1 { format!(" and {} more", edges.len() - 1) } else { String::new() };
        out.push_str(&format!("  s{before} -->|\"{}{more}\"| s{after}\n", escape::mermaid(&why, 140)));
    }
    if sheet.plan.steps.keys().any(|id| state(*id).is_some()) {
        out.push_str(CLASSES);
    }
    out
}

const CLASSES: &str = "  classDef proven fill:#1a7f37,color:#fff
  classDef applied fill:#bf8700,color:#fff
  classDef acting fill:#0969da,color:#fff
  classDef failed fill:#cf222e,color:#fff
  classDef skipped stroke-dasharray:4
";

/// Where a step acts and what it does, in a few words: `dns example.com., 3 writes`.
pub fn step_words(step: &Step) -> String {
    let does = does(step);
    // What stands between waves has no target, and what a target does as a whole has no unit.
    let place = [&*step.target, step.unit.as_str()].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    format!("{place}, {does}")
}

/// What is waited for, how it is seen, and what becomes of it in time: `shop (GET http://shop/ answers 200), 3 times in a row, one every 5s, within 10m, or it stops`.
fn held(until: &Until) -> String {
    let Until { fact, probe, samples, every, deadline, on_deadline, .. } = until;
    let what = probe.as_ref().map_or_else(String::new, |probe| format!(" ({})", probe.ask));
    let row = if *samples == 1 { "once".to_owned() } else { format!("{samples} times in a row") };
    let then = match on_deadline {
        OnDeadline::Stop => "or it stops",
        OnDeadline::GoOn => "and on in any case",
    };
    format!("{fact}{what}, {row}, one every {every}, within {deadline}, {then}")
}

/// What a step does: `3 writes`.
pub fn does(step: &Step) -> String {
    let does = match &step.act {
        Act::Write(writes) => words::count(writes.len(), "write"),
        Act::Verb { verb, on, .. } => format!("{verb} {}", words::count(on.len(), "resource")),
        Act::Run { program, .. } => format!("run {}", program.name),
        Act::Wait(until) => format!("wait for {}", held(until)),
        Act::Check(until) => format!("check {}", held(until)),
        Act::Approve { by } => format!("wait for {}", words::count(by.count as usize, "approval")),
        Act::Pause => "pause".to_owned(),
        Act::Earlier(wrote) => {
            let by: BTreeSet<String> = wrote.iter().map(|earlier| earlier.other.as_ref().map_or_else(|| "an earlier run".to_owned(), |other| other.by.to_string())).collect();
            format!("{} of {}", words::count(wrote.len(), "write"), by.into_iter().collect::<Vec<_>>().join(" and "))
        }
    };
    match &step.together {
        Some(group) => format!("{does}, all or none ({group})"),
        None => does,
    }
}
