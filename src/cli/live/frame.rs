//! What is drawn of a change, as values: its steps with their states, what they wait for, and the sentence it waits in.

use crate::core::review::{Phase, escape::plain};
use serde_json::Value;
use std::collections::BTreeMap;

/// Steps drawn one by one; of larger plans those that need eyes first, and the rest in numbers.
const MOST_STEPS: usize = 12;

/// One picture of a change, from the JSON that `mr show --json` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    pub title: String,
    pub phase: Option<Phase>,
    pub digest: String,
    pub waits_for: String,
    pub steps: Vec<Row>,
    /// How many steps are not drawn, by state.
    pub left: BTreeMap<String, usize>,
    /// Good samples and those needed.
    pub health: Option<(u64, u64)>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: u64,
    pub words: String,
    /// As `StepState` is written; `planned` before anything ran.
    pub state: String,
    /// What more there is to say: what it waits for, how far it is, why it failed.
    pub note: String,
    /// Nothing is left to wait for but time.
    pub timed: bool,
}

impl Frame {
    pub fn of(change: &Value) -> Self {
        let name = format!("{}!{}", text(&change["repo"]), change["number"]);
        let states: BTreeMap<u64, &Value> = list(&change["steps"]).filter_map(|step| Some((step["id"].as_u64()?, step))).collect();
        let mut steps: Vec<Row> = list(&change["plan"]["steps"]).filter_map(|step| row(change, step, &states)).collect();
        let mut left: BTreeMap<String, usize> = BTreeMap::new();
        if steps.len() > MOST_STEPS {
            steps.sort_by_key(|row| (rank(&row.state), row.id));
            for row in steps.drain(MOST_STEPS..) {
                *left.entry(row.state).or_default() += 1;
            }
            steps.sort_by_key(|row| row.id);
        }
        let phase = change["phase"].as_str().and_then(Phase::parse);
        let health = &change["health"];
        Self {
            title: format!("{name} {}", text(&change["title"])),
            phase,
            digest: text(&change["digest"]),
            waits_for: text(&change["waits_for"]),
            steps,
            left,
            health: health["samples"].as_u64().zip(health["needed"].as_u64()).filter(|_| matches!(phase, Some(Phase::Verifying | Phase::Merging | Phase::Merged))),
        }
    }
}

fn row(change: &Value, step: &Value, states: &BTreeMap<u64, &Value>) -> Option<Row> {
    let id = step["id"].as_u64()?;
    let seen = states.get(&id);
    let state = seen.and_then(|seen| seen["state"].as_str()).unwrap_or("planned");
    let (mut note, timed) = if matches!(state, "waiting" | "ready" | "planned") { waits(change, id, states) } else { (String::new(), false) };
    note = match state {
        "waiting" | "ready" | "planned" => note,
        "failed" => list(&change["failures"]).find(|failure| failure["step"] == id).map(|failure| text(&failure["why"])).unwrap_or_default(),
        "acting" | "applied" => seen.map_or_else(String::new, |seen| progress(seen)),
        _ => String::new(),
    };
    Some(Row { id, words: text(&step["does"]), state: state.to_owned(), note, timed })
}

/// The first thing that a step still waits for, and whether that is time alone.
fn waits(change: &Value, id: u64, states: &BTreeMap<u64, &Value>) -> (String, bool) {
    let over = |step: &Value| step.as_u64().and_then(|step| states.get(&step)).is_some_and(|seen| matches!(seen["state"].as_str(), Some("proven" | "skipped")));
    let before: Vec<&Value> = list(&change["plan"]["edges"]).filter(|edge| edge["after"] == id).collect();
    let (open, time) = (before.iter().find(|edge| !over(&edge["before"])), before.iter().find(|edge| edge["needs"] == "elapsed"));
    let says = |edge: &&Value| format!("after step {}: {}", edge["before"], text(&edge["text"]).replace('`', ""));
    // Proven is far enough, except where time must pass.
    (open.or(time).map_or_else(String::new, says), open.is_none() && time.is_some())
}

fn progress(seen: &Value) -> String {
    let items: Vec<&Value> = list(&seen["items"]).collect();
    let proven = items.iter().filter(|item| matches!(item["state"].as_str(), Some("proven" | "skipped"))).count();
    let tries = seen["attempts"].as_u64().filter(|tries| *tries > 1).map_or_else(String::new, |tries| format!("try {tries}"));
    let done = if items.len() > 1 && proven > 0 { format!("{proven} of {} proven", items.len()) } else { String::new() };
    [done, tries].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// What needs eyes first.
fn rank(state: &str) -> u8 {
    match state {
        "failed" => 0,
        "acting" => 1,
        "applied" => 2,
        "ready" => 3,
        "blocked" => 4,
        "waiting" | "planned" => 5,
        "skipped" => 6,
        _ => 7,
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().map(plain).unwrap_or_default()
}

/// Paints for a terminal, or leaves text as it is.
#[derive(Clone, Copy, Debug)]
pub struct Paint(pub bool);

impl Paint {
    fn with(self, ansi: &str, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("\x1b[{ansi}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

impl Frame {
    /// The picture, one string a line.
    pub fn lines(&self, paint: Paint) -> Vec<String> {
        let phase = self.phase.map_or("unread", Phase::as_str);
        let mut out = vec![format!("{}  {}", paint.with("1", &self.title), paint.with("1;36", phase))];
        let width = self.steps.iter().map(|row| row.words.chars().count()).max().unwrap_or(0).min(50);
        for row in &self.steps {
            let (mark, ansi) = mark(&row.state);
            let note = if row.note.is_empty() { String::new() } else { format!("  {}", paint.with("2", &row.note)) };
            let pad = " ".repeat(width.saturating_sub(row.words.chars().count()));
            out.push(format!("{} {:>3}  {}{pad}  {}{note}", paint.with(ansi, mark), row.id, row.words, paint.with(ansi, &format!("{:<7}", row.state))));
        }
        if !self.left.is_empty() {
            let left: Vec<String> = self.left.iter().map(|(state, n)| format!("{n} {state}")).collect();
            out.push(format!("       … and {}", left.join(", ")));
        }
        if let Some((samples, needed)) = self.health.filter(|(_, needed)| *needed > 0) {
            let filled = usize::try_from(samples.min(needed) * 20 / needed).unwrap_or(0);
            let bar = format!("{}{}", "█".repeat(filled), "░".repeat(20 - filled));
            out.push(format!("  healthy {} {samples} of {needed} samples", paint.with("32", &bar)));
        }
        out.push(format!("  {}", self.waits_for.replace('`', "")));
        out
    }
}

fn mark(state: &str) -> (&'static str, &'static str) {
    match state {
        "proven" => ("✓", "32"),
        "acting" => ("▶", "36"),
        "applied" => ("◐", "33"),
        "ready" => ("›", "36"),
        "failed" => ("✗", "31"),
        "blocked" => ("⊘", "31"),
        "skipped" => ("↷", "33"),
        _ => ("·", "2"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Frame, Paint};
    use serde_json::{Value, json};

    fn change(states: &[(u64, &str)]) -> Value {
        json!({
            "repo": "shop", "number": 7, "title": "move \u{1b}[31mit", "phase": "rolling", "digest": "abc", "waits_for": "Rolling out: 1 of 5 done; say `/trueup pause`.",
            "plan": {
                "steps": [{ "id": 1, "does": "dns shop.test., 3 writes" }, { "id": 2, "does": "config keys, 1 write" }, { "id": 3, "does": "dns shop.test., 1 write" }],
                "edges": [
                    { "before": 1, "after": 2, "needs": "proven", "text": "`pool` points at `r2`" },
                    { "before": 2, "after": 3, "needs": "elapsed", "text": "`pool` lets go of `r1`, 2s later" },
                ],
            },
            "steps": states.iter().map(|(id, state)| json!({ "id": id, "state": state, "attempts": 2, "items": [{ "state": "proven" }, { "state": state }] })).collect::<Vec<_>>(),
            "failures": [{ "step": 3, "why": "no answer" }],
            "health": { "samples": 3, "needed": 6 },
        })
    }

    #[test]
    fn every_step_says_its_state_and_what_it_waits_for() {
        let mut seen = Vec::new();
        for states in
            [vec![], vec![(1, "acting"), (2, "waiting"), (3, "waiting")], vec![(1, "proven"), (2, "proven"), (3, "waiting")], vec![(1, "proven"), (2, "proven"), (3, "failed")]]
        {
            seen.push(Frame::of(&change(&states)).lines(Paint(false)).join("\n"));
        }
        let mut verifying = change(&[(1, "proven"), (2, "proven"), (3, "proven")]);
        verifying["phase"] = json!("verifying");
        seen.push(Frame::of(&verifying).lines(Paint(false)).join("\n"));
        insta::assert_snapshot!(seen.join("\n\n"));
    }

    #[test]
    fn of_a_large_plan_the_failed_are_drawn_and_the_rest_counted() {
        let mut large = change(&[]);
        large["plan"]["steps"] = (1..=40).map(|id| json!({ "id": id, "does": "a step" })).collect();
        large["steps"] = (1..=40).map(|id| json!({ "id": id, "state": if id == 39 { "failed" } else { "proven" } })).collect();
        let frame = Frame::of(&large);
        assert_eq!((frame.steps.len(), frame.left.get("proven")), (12, Some(&28)));
        assert!(frame.steps.iter().any(|row| row.id == 39 && row.state == "failed"));
    }

    #[test]
    fn colour_is_there_only_where_it_is_wanted() {
        let frame = Frame::of(&change(&[(1, "acting")]));
        assert!(!frame.lines(Paint(false)).join("").contains('\u{1b}'));
        assert!(frame.lines(Paint(true)).join("").contains("\u{1b}[36m"));
    }
}
