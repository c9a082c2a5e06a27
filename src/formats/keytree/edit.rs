//! Edits of expanded files: the text of a leaf in place, everything else as it stands. Whoever edits reads back what came of it.

use super::{Expand, json, properties, toml};
use crate::formats::{
    splice::{Edits, Lines, apply},
    yaml::{self, Node, NodeKind},
};
use std::{collections::BTreeMap, ops::Range};

/// What leaves shall be, by the way to each; `None`: the leaf goes.
pub(super) type Wishes = BTreeMap<String, Option<String>>;

/// The file with these leaves as they are wished; `None` where that is more than an edit of their own lines.
pub(super) fn edited(how: Expand, separator: &str, content: &[u8], wishes: &Wishes) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(content).ok()?;
    let (mark, mut text) = match text.strip_prefix('\u{feff}') {
        Some(rest) => ("\u{feff}", rest.to_owned()),
        None => ("", text.to_owned()),
    };
    let edit = |text: &str, wishes: &Wishes| match how {
        Expand::Properties => pairs(text, wishes),
        Expand::Yaml | Expand::Json | Expand::Toml => tree(how, separator, text, wishes),
    };
    let (gone, kept): (Wishes, Wishes) = wishes.clone().into_iter().partition(|(_, wish)| wish.is_none());
    text = apply(&text, edit(&text, &kept)?)?;
    // One at a time: what stands beside a leaf changes with every one that goes.
    for (way, wish) in gone {
        let edits = edit(&text, &Wishes::from([(way, wish)]))?;
        text = apply(&text, edits)?;
    }
    Some(format!("{mark}{text}").into_bytes())
}

/// A leaf among its neighbours.
#[derive(Clone, Copy)]
struct Found<'n> {
    value: &'n Node,
    /// Its name, where it stands in a map, and that of the pair behind it.
    key: Option<&'n Node>,
    next: Option<&'n Node>,
    /// Whether nothing stands beside it.
    alone: bool,
}

fn tree(how: Expand, separator: &str, text: &str, wishes: &Wishes) -> Option<Edits> {
    let root = match how {
        Expand::Yaml => yaml::load("", text.as_bytes(), &yaml::Budget::default()).ok()?,
        Expand::Json => json::load("", text.as_bytes()).ok()?,
        Expand::Toml => toml::load("", text.as_bytes()).ok()?,
        Expand::Properties => return None,
    };
    let mut found = BTreeMap::new();
    walk(Found { value: &root, key: None, next: None, alone: true }, "", separator, &mut found);
    let lines = Lines::of(text);
    let edit = |(way, wish): (&String, &Option<String>)| {
        let leaf = *found.get(way)?;
        let at = lines.at(&leaf.value.place)?;
        let end = at + token(how, &text[at..], leaf.value)?;
        match wish {
            Some(new) => Some((at..end, written(how, &text[at..end], new))),
            None => Some((without(how, text, leaf, &lines, end)?, String::new())),
        }
    };
    wishes.iter().map(edit).collect()
}

/// Every leaf by the way to it, as flattening names them.
fn walk<'n>(here: Found<'n>, way: &str, separator: &str, out: &mut BTreeMap<String, Found<'n>>) {
    let below = |name: &str| if way.is_empty() { name.to_owned() } else { format!("{way}{separator}{name}") };
    match &here.value.kind {
        NodeKind::Map(pairs) => {
            for (at, (key, value)) in pairs.iter().enumerate() {
                let next = pairs.get(at + 1).map(|(next, _)| next);
                walk(Found { value, key: Some(key), next, alone: pairs.len() == 1 }, &below(key.text().unwrap_or_default()), separator, out);
            }
        }
        NodeKind::List(items) => {
            for (at, value) in items.iter().enumerate() {
                walk(Found { value, key: None, next: None, alone: items.len() == 1 }, &below(&at.to_string()), separator, out);
            }
        }
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) | NodeKind::Str(_) => drop(out.insert(way.to_owned(), here)),
    }
}

/// How long a scalar's text is, which starts here; `None` for one over several lines without quotes, a block, an anchor, a tag.
fn token(how: Expand, text: &str, node: &Node) -> Option<usize> {
    let quoted = |quote: &str, escapes: bool| {
        let mut at = quote.len();
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            if rest.starts_with(quote) {
                // YAML writes a quote as two of them; TOML's long ones may end in quotes of their own.
                let doubled = how == Expand::Yaml && quote == "'" && rest.starts_with("''");
                let longer = quote.len() == 3 && rest[3..].starts_with(&quote[..1]);
                match (doubled, longer) {
                    (true, _) => at += 2,
                    (false, true) => at += 1,
                    (false, false) => return Some(at + quote.len()),
                }
            } else {
                let escaped = escapes && rest.starts_with('\\');
                at += rest.chars().take(1 + usize::from(escaped)).map(char::len_utf8).sum::<usize>();
            }
        }
        None
    };
    let first = text.chars().next()?;
    match (how, first) {
        (Expand::Toml, '"') if text.starts_with("\"\"\"") => quoted("\"\"\"", true),
        (Expand::Toml, '\'') if text.starts_with("'''") => quoted("'''", false),
        (_, '"') => quoted("\"", true),
        (Expand::Yaml | Expand::Toml, '\'') => quoted("'", false),
        (Expand::Yaml, _) => {
            let written = node.text().filter(|written| node.is_plain() && !written.is_empty())?;
            text.starts_with(written).then_some(written.len())
        }
        (Expand::Json | Expand::Toml | Expand::Properties, _) => {
            let end = text.find(|c: char| c.is_whitespace() || ",]}#".contains(c)).unwrap_or(text.len());
            (end > 0).then_some(end)
        }
    }
}

/// A text as a scalar, written like the one that stood there as far as that goes.
fn written(how: Expand, was: &str, new: &str) -> String {
    // JSON's strings are strings of YAML and TOML too.
    let json = || serde_json::Value::from(new).to_string();
    let literal = || matches!(serde_json::from_str(new), Ok(serde_json::Value::Bool(_) | serde_json::Value::Number(_))) && new.trim() == new;
    let printable = || new.chars().all(|c| matches!(c, ' '..='~') || c.is_alphanumeric());
    match (how, was.starts_with(['"', '\''])) {
        (Expand::Json, true) => json(),
        (Expand::Json | Expand::Toml, false) if literal() => new.to_owned(),
        (Expand::Yaml, false) if is_simple(new) => new.to_owned(),
        (Expand::Yaml, _) if printable() && !was.starts_with('"') => format!("'{}'", new.replace('\'', "''")),
        (Expand::Toml, true) if was.starts_with('\'') && printable() && !new.contains('\'') => format!("'{new}'"),
        (Expand::Json | Expand::Toml | Expand::Yaml | Expand::Properties, _) => json(),
    }
}

/// Whether a text stands for itself in YAML wherever a value may stand.
fn is_simple(text: &str) -> bool {
    let null = text.is_empty() || text.eq_ignore_ascii_case("null");
    !null && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._/-".contains(c))
}

/// What goes with a leaf that goes: its own lines, or in JSON its place in the row.
fn without(how: Expand, text: &str, leaf: Found<'_>, lines: &Lines<'_>, end: usize) -> Option<Range<usize>> {
    let key = lines.at(&leaf.key?.place)?;
    if leaf.alone && how != Expand::Toml {
        return None;
    }
    if how == Expand::Json {
        return match leaf.next {
            Some(next) => Some(key..lines.at(&next.place)?),
            None => Some(text[..key].trim_end().strip_suffix(',')?.len()..end),
        };
    }
    let start = text[..key].rfind('\n').map_or(0, |at| at + 1);
    let stop = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
    let (before, behind) = (&text[start..key], text[end..stop].trim());
    (before.trim().is_empty() && (behind.is_empty() || behind.starts_with('#'))).then_some(start..stop)
}

/// Edits of a properties file: a value from where it starts to the end of its line, however many lines it goes on over.
fn pairs(text: &str, wishes: &Wishes) -> Option<Edits> {
    let leaves = properties::read("", text.as_bytes()).ok()?;
    let lines = Lines::of(text);
    let edit = |(way, wish): (&String, &Option<String>)| {
        let first = leaves.iter().find(|leaf| leaf.below == *way)?.place.line;
        let goes_on = |line: &u32| {
            let body = lines.whole(*line, *line).map_or("", |line| text[line].trim_end_matches(['\n', '\r']));
            body.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
        };
        let last = first + (first..).take_while(goes_on).count() as u32;
        let whole = lines.whole(first, last).or_else(|| Some(lines.start(first)?..text.len()))?;
        let Some(new) = wish else { return Some((whole, String::new())) };
        let (at, separated) = value_start(&text[lines.whole(first, first)?])?;
        let end = text[..whole.end].trim_end_matches(['\n', '\r']).len();
        let between = if separated { "" } else { "=" };
        Some((whole.start + at..end, format!("{between}{}", escaped(new))))
    };
    wishes.iter().map(edit).collect()
}

/// Where a line's value starts, and whether something stands between it and the key; `None` where the key goes on in the next line.
fn value_start(line: &str) -> Option<(usize, bool)> {
    let body = line.trim_end_matches(['\n', '\r']);
    let space = |c: char| [' ', '\t', '\u{c}'].contains(&c);
    let lead = body.len() - body.trim_start_matches(space).len();
    let mut key = lead;
    while let Some(c) = body[key..].chars().next().filter(|c| !space(*c) && *c != '=' && *c != ':') {
        let escaped = body[key + c.len_utf8()..].chars().next();
        key += c.len_utf8();
        if c == '\\' {
            key += escaped?.len_utf8();
        }
    }
    let rest = body[key..].trim_start_matches(space);
    let rest = rest.strip_prefix(['=', ':']).map_or(rest, |rest| rest.trim_start_matches(space));
    let at = body.len() - rest.len();
    (rest != "\\").then_some((at, at > key))
}

/// A value as a properties file writes it on one line.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for (at, c) in text.char_indices() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{c}' => out.push_str("\\f"),
            ' ' if at == 0 => out.push_str("\\ "),
            other => out.push(other),
        }
    }
    out
}
