//! A file of octoDNS YAML as pieces of its own text, so that what did not change stays as it was written.

use super::yaml_text::{Record, indented, item};
use crate::{
    core::model::Place,
    formats::yaml::{Node, NodeKind},
    kinds::dns::{DnsName, RType},
};

/// One file in pieces; joined again they are the file.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    /// What stands above the first name.
    pub head: Vec<String>,
    pub entries: Vec<Entry>,
    /// Comments at the margin below the last name.
    tail: Vec<String>,
}

/// One name with its records.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Comments and blank lines above it.
    pub lead: Vec<String>,
    /// The key with its colon, and a comment behind it.
    pub key: String,
    pub owner: DnsName,
    pub items: Vec<Item>,
    /// Whether the records stand in a list.
    list: bool,
    /// The text as it stands; gone once something changed.
    whole: Option<Vec<String>>,
    below: Vec<String>,
}

/// One record.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Comments above it, as they stand.
    lead: Vec<String>,
    /// Its lines, the first key at the margin.
    lines: Vec<String>,
    /// The line of each key, counted from the record's first; empty when keys share lines.
    fields: Vec<(String, usize)>,
    /// Where it stands in the file, for matching with what was read.
    pub place: Place,
}

impl Pieces {
    /// Takes a file apart by the places of its values; `None` when names do not each start a line of their own.
    pub fn of(text: &str, root: &Node, owner: impl Fn(&Node) -> Option<DnsName>) -> Option<Self> {
        let lines: Vec<&str> = text.lines().collect();
        let pairs = match &root.kind {
            NodeKind::Null => &[][..],
            NodeKind::Map(pairs) => &pairs[..],
            NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) | NodeKind::Str(_) | NodeKind::List(_) => return None,
        };
        if pairs.is_empty() {
            // `{}`, `null` and `...` would stand in the way of names.
            let head = lines.iter().filter(|line| line.starts_with("---") || line.starts_with('#') || line.trim().is_empty());
            return Some(Self { head: head.map(|line| (*line).to_owned()).collect(), ..Self::empty() });
        }
        let starts: Vec<usize> = pairs.iter().map(|(key, _)| (key.place.line as usize).checked_sub(1)).collect::<Option<_>>()?;
        let own_lines = starts.windows(2).all(|pair| pair[0] < pair[1]);
        // A name starts its line, or stands behind `? ` as PyYAML writes an empty one.
        let margin =
            pairs.iter().zip(&starts).all(|((key, _), start)| key.place.column == 1 || (key.place.column == 3 && lines.get(*start).is_some_and(|line| line.starts_with("? "))));
        if !own_lines || !margin || starts.last().is_some_and(|last| *last >= lines.len()) {
            return None;
        }
        let mut entries = Vec::new();
        let floor = starts.last().map_or(lines.len(), |last| last + 1);
        let tail = lines.len() - lines[floor.min(lines.len())..].iter().rev().take_while(above_a_name).count();
        // Where the entry's own lines and those of its lead begin: comments right above a name belong to it.
        let leads: Vec<usize> = starts
            .iter()
            .enumerate()
            .map(|(at, start)| {
                let floor = if at == 0 { *start } else { starts[at - 1] + 1 };
                let above = lines[floor..*start].iter().rev().take_while(above_a_name).count();
                start - above
            })
            .collect();
        for (at, (key, value)) in pairs.iter().enumerate() {
            let end = leads.get(at + 1).copied().unwrap_or(tail);
            entries.push(Entry::of(&lines, (leads[at], starts[at], end), key, value, owner(key)?)?);
        }
        Some(Self { head: owned(&lines[..leads.first().copied().unwrap_or(tail)]), entries, tail: owned(&lines[tail..]) })
    }

    /// A file that was not there before.
    pub fn new() -> Self {
        Self { head: vec!["---".to_owned()], ..Self::empty() }
    }

    fn empty() -> Self {
        Self { head: Vec::new(), entries: Vec::new(), tail: Vec::new() }
    }

    pub fn text(&self) -> String {
        let mut lines = self.head.clone();
        for entry in &self.entries {
            lines.extend(entry.lead.iter().cloned());
            lines.extend(entry.lines());
            lines.extend(entry.below.iter().cloned());
        }
        lines.extend(self.tail.iter().cloned());
        let mut text = lines.join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }
}

impl Entry {
    /// A name that was not there before.
    pub fn new(key: String, owner: DnsName, items: Vec<Item>) -> Self {
        Self { lead: Vec::new(), key: format!("{key}:"), owner, list: items.len() > 1, items, whole: None, below: Vec::new() }
    }

    fn of(lines: &[&str], (lead, start, end): (usize, usize, usize), key: &Node, value: &Node, owner: DnsName) -> Option<Self> {
        let whole = &lines[start..end];
        let line_of = |node: &Node| (node.place.line as usize).checked_sub(1);
        let value_line = line_of(value)?;
        let cut = |line: &str, column: u32| line.char_indices().nth(column as usize - 1).map(|(at, _)| at);
        let question = lines[start].strip_prefix("? ").map(|key| format!("{}:", key.trim_end()));
        if question.is_some() && (value_line != start + 1 || !lines[value_line].starts_with(": ")) {
            return None;
        }
        let key_text = if value_line == start && value.place.column > key.place.column { &lines[start][..cut(lines[start], value.place.column)?] } else { lines[start] };
        let (records, list): (Vec<&Node>, bool) = match value.as_list() {
            Some(items) => (items.iter().collect(), true),
            None => (vec![value], false),
        };
        let mut items = Vec::new();
        // Below the key up to the first record, then what stands above each record further left than its text, speaks of that record.
        let mut above = (start + 1).min(line_of(records.first()?)?);
        for (at, record) in records.iter().enumerate() {
            let first = line_of(record)?;
            let mut last = records.get(at + 1).map_or(Some(end), |next| line_of(next))?;
            // Records that share a line, or come from an anchor elsewhere, cannot be cut out.
            if first < start || first >= last || last > end || first < above {
                return None;
            }
            let lead = owned(&lines[above..first]);
            if at + 1 < records.len() {
                let further_left = |line: &&&str| line.trim_start().starts_with('#') && line.len() - line.trim_start().len() < record.place.column as usize - 1;
                last -= lines[first + 1..last].iter().rev().take_while(further_left).count();
            }
            items.push(Item::of(lead, &lines[first..last], record, cut(lines[first], record.place.column)?));
            above = last;
        }
        Some(Self {
            lead: owned(&lines[lead..start]),
            key: question.unwrap_or_else(|| key_text.trim_end().to_owned()),
            owner,
            items,
            list,
            whole: Some(owned(whole)),
            below: Vec::new(),
        })
    }

    /// Adds lines below the entry: comments of a removed neighbour that speak of more than it.
    pub fn trail(&mut self, lines: Vec<String>) {
        self.below.extend(lines);
    }

    /// Forgets the text as it stood, since a record changed.
    pub fn changed(&mut self) {
        self.whole = None;
    }

    fn lines(&self) -> Vec<String> {
        if let Some(whole) = &self.whole {
            return whole.clone();
        }
        let mut out = vec![self.key.clone()];
        for record in &self.items {
            out.extend(record.lead.iter().cloned());
            if self.list || self.items.len() > 1 {
                out.extend(item(&record.lines).iter().map(|line| indented(line, "  ")));
            } else if record.lines.len() == 1 && record.lines[0].starts_with('{') {
                out[0] = format!("{} {}", self.key, record.lines[0]);
            } else {
                out.extend(record.lines.iter().map(|line| indented(line, "  ")));
            }
        }
        out
    }
}

impl Item {
    pub fn new(rtype: RType, record: &Record) -> Self {
        Self { lead: Vec::new(), lines: record.lines(rtype), fields: Vec::new(), place: Place::default() }
    }

    fn of(lead: Vec<String>, lines: &[&str], node: &Node, margin: usize) -> Self {
        let dedent = |line: &str| {
            let blank = line.bytes().take(margin).take_while(|byte| *byte == b' ').count();
            line[blank..].to_owned()
        };
        let mut out = vec![lines[0][margin..].to_owned()];
        out.extend(lines[1..].iter().map(|line| dedent(line)));
        // Blank lines at its end belong to what follows; `new` text ends without any.
        while out.len() > 1 && out.last().is_some_and(|line| line.trim().is_empty()) {
            out.pop();
        }
        let pairs = node.as_map().unwrap_or_default();
        let mut fields: Vec<(String, usize)> =
            pairs.iter().map(|(key, _)| (key.text().unwrap_or_default().to_owned(), key.place.line.saturating_sub(node.place.line) as usize)).collect();
        let own_lines = fields.windows(2).all(|pair| pair[0].1 < pair[1].1) && fields.iter().all(|(_, line)| *line < out.len());
        if !own_lines || out[0].starts_with(['{', '&', '*', '!']) {
            fields.clear();
        }
        Self { lead, lines: out, fields, place: node.place.clone() }
    }

    /// Writes other values into the record, keeping its other keys and its comments where they stand on lines of their own.
    pub fn update(&mut self, rtype: RType, record: &Record, same_ttl: bool) {
        if self.fields.is_empty() {
            self.lines = record.lines(rtype);
            return;
        }
        let mut out = Vec::new();
        let has = |name: &str| self.fields.iter().any(|(field, _)| field == name);
        if record.lenient && !has("octodns") {
            out.extend(["octodns:".to_owned(), "  lenient: true".to_owned()]);
        }
        if !same_ttl && !has("ttl") {
            out.push(record.ttl_line());
        }
        for (at, (field, first)) in self.fields.iter().enumerate() {
            let last = self.fields.get(at + 1).map_or(self.lines.len(), |(_, next)| *next);
            let own = &self.lines[*first..last];
            // Comments at the record's own margin speak of what follows.
            let comments = || own.iter().skip(1).filter(|line| line.starts_with('#')).cloned();
            match field.as_str() {
                "value" | "values" => {
                    out.extend(record.values.iter().cloned());
                    out.extend(comments());
                }
                "ttl" if !same_ttl => {
                    out.push(record.ttl_line());
                    out.extend(comments());
                }
                _ => out.extend(own.iter().cloned()),
            }
        }
        self.lines = out;
        self.fields.clear();
    }
}

/// A comment at the margin, nothing, or the end of the document: what stands above a name or below the last.
fn above_a_name(line: &&&str) -> bool {
    line.starts_with('#') || line.trim().is_empty() || **line == "..."
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}
