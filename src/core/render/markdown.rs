//! A plan as Markdown, whole or as much as there is room for, cut at items.

use super::{Line, MOST_STEPS, Sheet, Summary, mermaid, text};
use crate::core::{
    diff::{Delta, Op},
    model::{Refusal, StepId},
    review::{
        StepState,
        escape::{cut, fence, html_code, plain},
        words,
    },
};

/// How much may be written, and where the rest can be read.
#[derive(Clone, Copy, Debug)]
pub struct Room<'a> {
    /// Characters.
    pub chars: usize,
    /// The longest line of an item.
    pub line: usize,
    /// The most lines of an item.
    pub lines: usize,
    /// The URL of the whole plan.
    pub rest: Option<&'a str>,
}

impl Room<'_> {
    /// No bounds at all.
    pub const WHOLE: Room<'static> = Room { chars: usize::MAX, line: usize::MAX, lines: usize::MAX, rest: None };

    pub fn of(self, chars: usize) -> Self {
        Self { chars, ..self }
    }

    /// The paragraph that stands for what is left out.
    pub fn more(&self, n: usize) -> String {
        match self.rest {
            Some(url) => format!("\n… and {n} more, see [the full plan]({url})\n"),
            None => format!("\n… and {n} more, see the full plan\n"),
        }
    }
}

/// What `Room::more`, a closing fence and closing tags need at most besides the link.
const TAIL: usize = 200;

/// The whole plan.
pub fn markdown(sheet: &Sheet<'_>) -> String {
    let summary = sheet.summary();
    let digest = sheet.digest.map_or(String::new(), |digest| format!(" Digest `{}`.", digest.short()));
    let mut out = format!("**Plan: {summary}{}.**{digest}\n\n", words::waits(sheet.plan));
    out.push_str(&changes(sheet, Room::WHOLE));
    out.push_str(&order(sheet, &|_| None, Room::WHOLE));
    out.push_str(&healthy(sheet, Room::WHOLE));
    out.push_str(&list("Who must approve", sheet.plan.rules.iter().map(words::approval).collect(), Room::WHOLE));
    out.push_str(&list("Cannot be undone", words::never(sheet.plan, &sheet.kinds), Room::WHOLE));
    out.push_str(&list("Notes", sheet.plan.notes.iter().map(|note| words::note(note, &sheet.kinds)).collect(), Room::WHOLE));
    out.push_str(&way_back(sheet, Room::WHOLE));
    out
}

/// What changes, a folding part for every target's unit; open when all of it is short.
pub fn changes(sheet: &Sheet<'_>, room: Room<'_>) -> String {
    let groups: Vec<_> = sheet.groups().into_iter().map(|(key, deltas)| (key, deltas.into_iter().filter(|delta| !matches!(delta.op, Op::Keep)).collect::<Vec<_>>())).collect();
    let open = if groups.iter().map(|(_, deltas)| deltas.len()).sum::<usize>() <= SHORT { " open" } else { "" };
    let tail = TAIL + room.rest.map_or(0, |url| url.chars().count());
    let (mut out, mut used, mut left) = (String::new(), 0, 0);
    for ((target, unit), deltas) in groups.iter().filter(|(_, deltas)| !deltas.is_empty()) {
        let unit = if unit.is_empty() { String::new() } else { format!(" {}", html_code(unit)) };
        let head = format!("<details{open}><summary>{}{unit}: {}</summary>\n\n", html_code(target), group_summary(deltas));
        let mut body = String::new();
        let (mut size, mut ticks) = (used + head.chars().count() + tail, 3);
        let mut shown = 0;
        let (deltas, told) = if room.chars == usize::MAX { (deltas.clone(), String::new()) } else { few_of_the_quiet(deltas) };
        size += told.chars().count();
        for delta in &deltas {
            let text = if left > 0 { String::new() } else { item(sheet, delta, room) };
            ticks = ticks.max(longest_ticks(&text) + 1);
            size = size.saturating_add(text.chars().count());
            if left > 0 || size.saturating_add(2 * ticks) > room.chars {
                break;
            }
            body.push_str(&text);
            shown += 1;
        }
        left += deltas.len() - shown;
        body.push_str(&told);
        if shown > 0 {
            let part = format!("{head}{}\n</details>\n\n", fence("diff", &body));
            used += part.chars().count();
            out.push_str(&part);
        }
    }
    if left > 0 {
        out.push_str(&room.more(left));
        out.push('\n');
    }
    out
}

/// How many changes without a write stand one by one in a unit, where there is no room for everything: whoever takes over a zone reads their number.
const QUIET: usize = 10;

/// What is written, and a few of what is only adopted or given up; the rest as a line.
fn few_of_the_quiet<'a>(deltas: &[&'a Delta]) -> (Vec<&'a Delta>, String) {
    let is_quiet = |delta: &Delta| matches!(delta.op, Op::Adopt | Op::Release);
    let mut quiet = 0;
    let (shown, rest): (Vec<&Delta>, Vec<&Delta>) = deltas.iter().copied().partition(|delta| {
        quiet += usize::from(is_quiet(delta));
        !is_quiet(delta) || quiet <= QUIET
    });
    let told = if rest.is_empty() { String::new() } else { format!("  … and {} more like these; nothing is written\n", group_summary(&rest)) };
    (shown, told)
}

/// How many changes stand unfolded.
const SHORT: usize = 12;

fn group_summary(deltas: &[&Delta]) -> Summary {
    Summary::of(&crate::core::plan::Plan { deltas: deltas.iter().map(|delta| (*delta).clone()).collect(), ..Default::default() })
}

fn longest_ticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// One change as lines of a diff.
fn item(sheet: &Sheet<'_>, delta: &Delta, room: Room<'_>) -> String {
    let mark = match &delta.op {
        Op::Create => "+",
        Op::Delete => "-",
        Op::Update | Op::Replace | Op::Move { was: _ } => "!",
        Op::Keep | Op::Adopt | Op::Release => " ",
    };
    let place = if delta.place.file.is_empty() { String::new() } else { format!("  {}", delta.place) };
    let head = format!("{mark} {} {}{}{place}", words::op(&delta.op), sheet.kinds.title(&delta.id), text::aside(delta));
    let mut out = format!("{}\n", cut(&head, room.line));
    let lines = sheet.compare(delta);
    for line in lines.iter().take(room.lines) {
        let (mark, line) = match line {
            Line::Old(text) => ('-', text.clone()),
            Line::New(text) => ('+', text.clone()),
            Line::Same(text) => (' ', text.clone()),
            Line::Left(n) => (' ', format!("… {} unchanged", words::count(*n, "line"))),
        };
        out.push_str(&format!("{mark}     {}\n", cut(&line, room.line)));
    }
    if lines.len() > room.lines {
        out.push_str(&format!("      … and {} more\n", words::count(lines.len() - room.lines, "line")));
    }
    out
}

/// Why in this order: a graph when it is small enough to be a picture, else a list.
pub fn order(sheet: &Sheet<'_>, state: &dyn Fn(StepId) -> Option<StepState>, room: Room<'_>) -> String {
    let steps = &sheet.plan.steps;
    if steps.is_empty() {
        return String::new();
    }
    let title = "#### Why in this order\n\n";
    if sheet.plan.edges.is_empty() && steps.len() > 1 {
        return format!("{title}No step waits for another: all {} may run side by side.\n\n", steps.len());
    }
    if steps.len() <= MOST_STEPS && steps.len() > 1 {
        let graph = format!("{title}```mermaid\n{}```\n\n", mermaid(sheet, state));
        if graph.chars().count() <= room.chars {
            return graph;
        }
    }
    let reasons = text::reasons(sheet);
    let lines = steps.values().map(|step| {
        let why: Vec<String> = reasons.get(&step.id).cloned().unwrap_or_default();
        let why = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
        let done = state(step.id).map_or(String::new(), |state| format!(" ({})", state.as_str()));
        format!("step {} {}{done}{why}", step.id, words::code(&super::step_words(step)))
    });
    list_of(title, lines.collect(), room)
}

/// The probes that must hold before the merge.
pub fn healthy(sheet: &Sheet<'_>, room: Room<'_>) -> String {
    list("Healthy when", sheet.plan.health.iter().map(|one| words::healthy(one, &sheet.kinds)).collect(), room)
}

/// A titled list, cut at items; nothing when there are none.
pub fn list(title: &str, items: Vec<String>, room: Room<'_>) -> String {
    list_of(&format!("#### {title}\n\n"), items, room)
}

fn list_of(head: &str, items: Vec<String>, room: Room<'_>) -> String {
    if items.is_empty() {
        return String::new();
    }
    let all = items.len();
    let (body, shown) = bullets(items, room.of(room.chars.saturating_sub(head.chars().count())));
    let more = if shown < all { room.more(all - shown) } else { String::new() };
    format!("{head}{body}{more}\n")
}

fn bullets(items: Vec<String>, room: Room<'_>) -> (String, usize) {
    let tail = TAIL + room.rest.map_or(0, |url| url.chars().count());
    let (mut out, mut used, mut shown) = (String::new(), tail, 0);
    for item in items {
        let line = format!("- {item}\n");
        used += line.chars().count();
        if used > room.chars {
            break;
        }
        out.push_str(&line);
        shown += 1;
    }
    (out, shown)
}

/// Faults as a compiler would show them, cut at faults; nothing when there are none.
pub fn refused(faults: &[Refusal], room: Room<'_>) -> String {
    if faults.is_empty() {
        return String::new();
    }
    let (mut body, mut used, mut shown) = (String::new(), 2000, 0);
    for fault in faults {
        let text = super::refusal(fault) + "\n";
        used += text.chars().count();
        if used > room.chars {
            break;
        }
        body.push_str(&text);
        shown += 1;
    }
    let left = faults.len() - shown;
    let more = if left > 0 { room.more(left) + "\n" } else { String::new() };
    format!("#### {} to mend\n\n{}\n{more}", words::count(faults.len(), "fault"), fence("text", body.trim_end()))
}

/// The way back, folded.
pub fn way_back(sheet: &Sheet<'_>, room: Room<'_>) -> String {
    let Some(back) = sheet.way_back else { return String::new() };
    let lines: Vec<String> = text::way_back(sheet, back).iter().map(|line| plain(line)).collect();
    let all = lines.len();
    let head = format!("<details><summary>The way back ({})</summary>\n\n{}\n\n", Summary::of(back), words::WAY_BACK);
    let (body, shown) = bullets(lines, room.of(room.chars.saturating_sub(head.chars().count())));
    let more = if shown < all { room.more(all - shown) } else { String::new() };
    format!("{head}{body}{more}\n</details>\n\n")
}
