//! Drift on paper: for terminals, as Markdown, and as one JSON document.

use super::{Fault, Found, How, Part, Row, Tally};
use crate::core::{
    render::Style,
    review::{
        escape::{code, plain},
        words::count,
    },
};
use serde_json::{Value, json};

/// The lines that begin a block of one target and area, told once for all that follow in it.
#[derive(Debug, Default)]
pub struct Heading(Option<(String, String)>);

impl Heading {
    /// The heading to print before a resource; none where it stands already.
    pub fn before(&mut self, found: &Found) -> Option<String> {
        let here = (found.id.target.to_string(), found.area.clone());
        if self.0.as_ref() == Some(&here) {
            return None;
        }
        let first = self.0.is_none();
        let line = format!("{}{}  {}", if first { "" } else { "\n" }, plain(&here.0), plain(&here.1));
        self.0 = Some(here);
        Some(line.trim_end().to_owned())
    }
}

/// How one drifted resource is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundShape {
    pub mark: &'static str,
    pub word: &'static str,
}

impl FoundShape {
    pub fn of(found: &Found) -> Self {
        match (found.covered.is_some(), found.how) {
            (true, _) => Self { mark: "o", word: "overridden" },
            (false, How::Changed) => Self { mark: "~", word: "changed" },
            (false, How::Missing) => Self { mark: "-", word: "missing" },
            (false, How::Appeared) => Self { mark: "+", word: "there again" },
        }
    }
}

/// One drifted resource for a terminal: what is asked for and what is live, line by line, and what is known of it.
pub fn found_lines(found: &Found, style: Style) -> String {
    let (red, green, yellow, dim) = ("\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2m");
    let paint = |ansi: &str, text: &str| if style.color { format!("{ansi}{text}\x1b[0m") } else { text.to_owned() };
    let FoundShape { mark, word } = FoundShape::of(found);
    let place = if found.place.is_empty() { String::new() } else { format!("  {}", paint(dim, &plain(&found.place))) };
    let mut out = format!("{}{place}\n", paint(yellow, &format!("  {mark} {} ({word})", plain(&found.title))));
    for line in &found.asked {
        out.push_str(&format!("{}\n", paint(red, &format!("      asked  {}", plain(line)))));
    }
    for line in &found.live {
        out.push_str(&format!("{}\n", paint(green, &format!("      live   {}", plain(line)))));
    }
    for line in about(found) {
        out.push_str(&format!("      {line}\n"));
    }
    out
}

/// What is known beside the values, as fragments.
fn about(found: &Found) -> Vec<String> {
    let mut out = Vec::new();
    if found.sensitive {
        out.push("sensitive: that it differs is all that is shown".to_owned());
    }
    if let Some(change) = &found.ahead {
        out.push(format!("asked for by the open change {}, which is ahead of base", code(change)));
    }
    if let Some(known) = &found.known {
        out.push(plain(known));
    }
    if let Some(covered) = &found.covered {
        out.push(format!("overridden by {} until {}: {}", code(&covered.by), covered.until, code(&covered.reason)));
    }
    if let Some(before) = &found.uncovered {
        out.push(format!("the override by {} ({}) covered something else, which is not there any more", code(&before.by), code(&before.reason)));
    }
    out
}

/// One drifted resource as an item of a Markdown list.
pub fn found_markdown(found: &Found) -> String {
    let FoundShape { mark: _, word } = FoundShape::of(found);
    let lines = |lines: &[String]| if lines.is_empty() { "nothing".to_owned() } else { code(&lines.join(", ")) };
    let place = if found.place.is_empty() { String::new() } else { format!(" ({})", code(&found.place)) };
    let mut out = format!("- {} on {} {word}{place}: asked {}, live {}", code(&found.title), code(&found.id.target), lines(&found.asked), lines(&found.live));
    for line in about(found) {
        out.push_str(&format!("; {line}"));
    }
    out.push('\n');
    out
}

/// A part as one line of progress.
pub fn part_line(part: &Part) -> String {
    format!("{} {}: {}", plain(&part.target), plain(&part.area), count(size(part.resources), "resource"))
}

fn size(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// The last lines: what could not be looked at, who is ahead, and all in numbers.
pub fn closing(tally: &Tally, faults: &[Fault]) -> Vec<String> {
    let mut out = Vec::new();
    for Fault { target, area, what } in faults {
        let at = [target, area].into_iter().filter(|text| !text.is_empty()).map(|text| plain(text)).collect::<Vec<_>>().join(" ");
        out.push(format!("Not looked at: {at}{}{}", if at.is_empty() { "" } else { ": " }, plain(what)));
    }
    for (change, n) in &tally.ahead {
        out.push(format!("{} ahead of base by the open change {}: no drift", count(size(*n), "resource"), code(change)));
    }
    for (change, n) in &tally.writing {
        out.push(format!("{} just being written by {}: look again when it is done", count(size(*n), "resource"), code(change)));
    }
    if tally.ignored > 0 {
        out.push(format!("{} ignored by policy", count(size(tally.ignored), "resource")));
    }
    let covered = if tally.overridden > 0 { format!(", {} overridden", tally.overridden) } else { String::new() };
    let compared = count(size(tally.resources), "resource");
    let whole = if tally.faults > 0 { format!("; {} not looked at", count(size(tally.faults), "part")) } else { String::new() };
    out.push(match tally.drifted {
        0 => format!("No drift: {compared} compared{covered}{whole}."),
        n => format!("Drift: {n} of {compared} compared{covered}{whole}."),
    });
    out
}

/// All of it as one document (version 1).
pub fn json(repo: &str, rows: &[Row], tally: &Tally) -> Value {
    let (mut drift, mut overridden, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        match row {
            Row::Drift(found) if found.covered.is_some() => overridden.push(json!(found)),
            Row::Drift(found) => drift.push(json!(found)),
            Row::Part(_) | Row::End(_) => {}
            Row::Fault(fault) => faults.push(json!(fault)),
        }
    }
    json!({ "version": 1, "repo": repo, "summary": tally, "drift": drift, "overridden": overridden, "faults": faults })
}
