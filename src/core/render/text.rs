//! A plan for terminals: what changes by unit with old and new values, in which order and why, who approves, and the way back.

use super::{Line, Sheet, Summary, step_words};
use crate::core::{
    diff::{Delta, Op, Reason},
    model::StepId,
    plan::{Edge, Plan},
    review::{
        escape::{code, plain},
        words,
    },
};
use std::collections::BTreeMap;

/// How a terminal wants it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// ANSI colours; only for terminals.
    pub color: bool,
    /// Columns of the terminal; places stand at its right edge. 0: unknown, they follow the title.
    pub width: usize,
}

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

impl Style {
    fn paint(self, ansi: &str, text: &str) -> String {
        if self.color { format!("{ansi}{text}{RESET}") } else { text.to_owned() }
    }
}

/// The whole plan as text, ended by a line feed.
pub fn text(sheet: &Sheet<'_>, style: Style) -> String {
    let mut out = String::new();
    let summary = sheet.summary();
    changes(sheet, style, &mut out);
    if !sheet.plan.steps.is_empty() {
        out.push_str(&format!("{}\n", style.paint(BOLD, "Order")));
        order(sheet, &mut out);
    }
    section(style, "Healthy when", sheet.plan.health.iter().map(|one| words::healthy(one, &sheet.kinds)), &mut out);
    section(style, "Approvals", sheet.plan.rules.iter().map(words::approval), &mut out);
    section(style, "Cannot be undone", words::never(sheet.plan, &sheet.kinds).into_iter(), &mut out);
    section(style, "Notes", sheet.plan.notes.iter().map(|note| words::note(note, &sheet.kinds)), &mut out);
    if let Some(back) = sheet.way_back {
        section(style, "Way back", way_back(sheet, back).into_iter(), &mut out);
    }
    let total = if sheet.is_unproven() { words::UNPROVEN.to_owned() } else { total(sheet.plan, &summary) };
    out.push_str(&style.paint(BOLD, &total));
    if let Some(digest) = sheet.digest {
        out.push_str(&format!(" Digest {}.", digest.short()));
    }
    out.push('\n');
    out
}

/// The last line: all in numbers.
fn total(plan: &Plan, summary: &Summary) -> String {
    if summary.is_empty() {
        return match summary.keep {
            0 => "Nothing to do.".to_owned(),
            keep => format!("Nothing to do: {} as asked already.", words::count(keep, "resource")),
        };
    }
    format!("Plan: {summary}; {} in {}{}.", words::count(summary.writes, "write"), words::count(summary.steps, "step"), words::waits(plan))
}

fn section(style: Style, title: &str, lines: impl Iterator<Item = String>, out: &mut String) {
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        out.push_str(&format!("{}\n", style.paint(BOLD, title)));
        for line in lines {
            out.push_str(&format!("  {line}\n"));
        }
        out.push('\n');
    }
}

fn changes(sheet: &Sheet<'_>, style: Style, out: &mut String) {
    for ((target, unit), deltas) in sheet.groups() {
        let shown: Vec<&Delta> = deltas.into_iter().filter(|delta| !matches!(delta.op, Op::Keep)).collect();
        if shown.is_empty() {
            continue;
        }
        out.push_str(&format!("{}\n", style.paint(BOLD, format!("{}  {}", plain(&target), plain(&unit)).trim_end())));
        for delta in shown {
            item(sheet, delta, style, out);
        }
        out.push('\n');
    }
}

fn item(sheet: &Sheet<'_>, delta: &Delta, style: Style, out: &mut String) {
    let (mark, ansi) = mark(&delta.op);
    let head = format!("{mark:>3} {}{}", plain(&sheet.kinds.title(&delta.id)), aside(delta));
    let place = if delta.place.file.is_empty() { String::new() } else { plain(&delta.place.to_string()) };
    let taken = head.chars().count() + place.chars().count();
    let gap = style.width.checked_sub(taken).filter(|gap| *gap >= 2).unwrap_or(2);
    let tail = if place.is_empty() { String::new() } else { format!("{}{}", " ".repeat(gap), style.paint(DIM, &place)) };
    out.push_str(&format!("{}{tail}\n", style.paint(ansi, &head)));
    for line in sheet.compare(delta) {
        let line = match line {
            Line::Old(text) => style.paint(RED, &format!("      - {}", plain(&text))),
            Line::New(text) => style.paint(GREEN, &format!("      + {}", plain(&text))),
            Line::Same(text) => format!("        {}", plain(&text)),
            Line::Left(n) => style.paint(DIM, &format!("        … {} unchanged", words::count(n, "line"))),
        };
        out.push_str(&line);
        out.push('\n');
    }
}

fn mark(op: &Op) -> (&'static str, &'static str) {
    match op {
        Op::Create => ("+", GREEN),
        Op::Update => ("~", YELLOW),
        Op::Replace => ("-/+", YELLOW),
        Op::Delete => ("-", RED),
        Op::Keep => ("=", DIM),
        Op::Adopt | Op::Release | Op::Move { was: _ } => ("~", YELLOW),
    }
}

/// What is unusual about a delta, in brackets after its title.
pub fn aside(delta: &Delta) -> String {
    let op = match &delta.op {
        Op::Create | Op::Update | Op::Delete | Op::Keep => None,
        Op::Replace => Some("replaced: deleted and created again".to_owned()),
        Op::Adopt => Some("adopted; nothing is written".to_owned()),
        Op::Release => Some("released; it stays as it is".to_owned()),
        Op::Move { was } => Some(format!("moved from {}", code(&was.to_string()))),
    };
    // Adopting says already that it is so.
    let reason = if delta.op == Op::Adopt && delta.reason == Reason::AlreadyTrue { None } else { words::reason(&delta.reason) };
    let parts: Vec<String> = op.into_iter().chain(reason).chain(words::sure(&delta.sure)).collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join("; ")) }
}

fn order(sheet: &Sheet<'_>, out: &mut String) {
    let reasons = reasons(sheet);
    for step in sheet.plan.steps.values() {
        out.push_str(&format!("  {:>3}. {}\n", step.id, plain(&step_words(step))));
        for reason in reasons.get(&step.id).into_iter().flatten() {
            out.push_str(&format!("       {reason}\n"));
        }
    }
    if sheet.plan.edges.is_empty() && sheet.plan.steps.len() > 1 {
        out.push_str("  No step waits for another.\n");
    }
    out.push('\n');
}

/// Why each step waits, as lines; of many edges between the same two steps the first stands for all.
pub fn reasons(sheet: &Sheet<'_>) -> BTreeMap<StepId, Vec<String>> {
    let mut pairs: BTreeMap<(StepId, StepId), Vec<&Edge>> = BTreeMap::new();
    for edge in &sheet.plan.edges {
        pairs.entry((edge.after, edge.before)).or_default().push(edge);
    }
    let mut out: BTreeMap<StepId, Vec<String>> = BTreeMap::new();
    for ((after, before), edges) in pairs {
        let Some(first) = edges.first() else { continue };
        let place = if first.place.file.is_empty() { String::new() } else { format!(", {}", code(&first.place.to_string())) };
        let more = if edges.len() > 1 { format!(" and {} more", edges.len() - 1) } else { String::new() };
        out.entry(after).or_default().push(format!("after step {before}: {}{place}{more}", words::edge(sheet.plan, first, &sheet.kinds)));
    }
    out
}

/// The way back, one line a write.
pub fn way_back(sheet: &Sheet<'_>, back: &Plan) -> Vec<String> {
    let writes = back.steps.values().flat_map(|step| step.writes().iter().map(move |write| (step, write)));
    let mut out: Vec<String> = writes
        .map(|(step, write)| {
            let what = match &write.to {
                None => "deleted again".to_owned(),
                Some(_) => format!("back to {}", code(&sheet.lines(&write.id, write.to.as_ref()).join(", "))),
            };
            format!("step {}: {} {what}", step.id, code(&sheet.kinds.title(&write.id)))
        })
        .collect();
    if out.is_empty() {
        out.push("Nothing to bring back.".to_owned());
    }
    out.extend(back.health.iter().map(|one| format!("healthy when {}", words::healthy(one, &sheet.kinds))));
    out
}
