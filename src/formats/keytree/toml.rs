//! TOML as the values with places that YAML and JSON files are read into.

use crate::{
    core::model::{Place, Refusal, RefusalKind},
    formats::yaml::{Node, NodeKind},
};
use std::ops::Range;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Reads a TOML file; every fault its grammar shows is told.
pub(super) fn load(file: &str, bytes: &[u8]) -> Result<Node, Vec<Refusal>> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let place = Lines::of(file, bytes).place(error.valid_up_to());
        vec![Refusal::new(RefusalKind::Syntax, "the file is not UTF-8").at(place).advice("save it as UTF-8, which is all that TOML knows")]
    })?;
    let lines = Lines::of(file, bytes);
    let (table, faults) = DeTable::parse_recoverable(text);
    if !faults.is_empty() {
        let told = |fault: &toml::de::Error| {
            let what = format!("broken TOML: {}", fault.message().lines().next().unwrap_or_default());
            Refusal::new(RefusalKind::Syntax, what).at(lines.place(fault.span().map_or(0, |span| span.start))).advice("check quotes, brackets and `=` here and just above")
        };
        return Err(faults.iter().map(told).collect());
    }
    let mut read = Read { lines, faults: Vec::new() };
    let root = read.table(table.get_ref(), table.span());
    // A file of comments alone asks for nothing, as an empty YAML file does.
    let root = if table.get_ref().is_empty() { Node::scalar(NodeKind::Null, "", root.place) } else { root };
    if read.faults.is_empty() { Ok(root) } else { Err(read.faults) }
}

struct Read<'a> {
    lines: Lines<'a>,
    faults: Vec<Refusal>,
}

impl Read<'_> {
    fn table(&mut self, table: &DeTable<'_>, span: Range<usize>) -> Node {
        let mut pairs: Vec<(Node, Node)> = table
            .iter()
            .map(|(key, value)| {
                let name = Node::scalar(NodeKind::Str(key.get_ref().to_string()), "", self.lines.place(key.span().start));
                (name, self.value(value))
            })
            .collect();
        // In the order of the file, as the other formats keep it.
        pairs.sort_by(|(a, _), (b, _)| a.place.cmp(&b.place));
        Node::new(NodeKind::Map(pairs), self.lines.place(span.start))
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>) -> Node {
        let place = self.lines.place(value.span().start);
        match value.get_ref() {
            DeValue::String(text) => Node::scalar(NodeKind::Str(text.to_string()), "", place),
            // Digits without underscores; another base is the same number in ten.
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Node::scalar(NodeKind::Int(number), &number.to_string(), place),
                Err(_) => {
                    let fault = Refusal::new(RefusalKind::Value, format!("`{number}` is larger than TOML's integers of 64 bits")).at(place.clone());
                    self.faults.push(fault.advice("write it as text, in quotes"));
                    Node::scalar(NodeKind::Null, "", place)
                }
            },
            DeValue::Float(number) => Node::scalar(NodeKind::Num(number.as_str().to_owned()), "", place),
            DeValue::Boolean(is) => Node::scalar(NodeKind::Bool(*is), if *is { "true" } else { "false" }, place),
            DeValue::Datetime(time) => Node::scalar(NodeKind::Str(time.to_string()), "", place),
            DeValue::Array(items) => {
                let items = items.iter().map(|item| self.value(item)).collect();
                Node::new(NodeKind::List(items), place)
            }
            DeValue::Table(table) => self.table(table, value.span()),
        }
    }
}

/// Where each line of a file starts.
struct Lines<'a> {
    file: &'a str,
    bytes: &'a [u8],
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(file: &'a str, bytes: &'a [u8]) -> Self {
        let after = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        Self { file, bytes, starts: std::iter::once(0).chain(after).collect() }
    }

    fn place(&self, at: usize) -> Place {
        let at = at.min(self.bytes.len());
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts[line - 1];
        let column = 1 + String::from_utf8_lossy(&self.bytes[start..at]).chars().count();
        Place::new(self.file, u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }
}
