//! Records as lines of octoDNS YAML, keys in the order that octoDNS' own check asks for.

use super::{
    fields::{Part, Shape, Style, shape},
    read::DEFAULT_TTL,
    scalar, txt,
};
use crate::kinds::dns::{DnsName, RType, words};

/// One RRset as lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub ttl: i64,
    /// `value: …`, or `values:` and what it holds.
    pub values: Vec<String>,
    /// Only octoDNS' lenient reading takes these values.
    pub lenient: bool,
}

impl Record {
    /// The record as octoDNS would write it; `None` where no octoDNS text reads as these values.
    pub fn new(rtype: RType, ttl: i64, data: &[&str]) -> Option<Self> {
        let shape = shape(&rtype.to_string())?;
        let mut lenient = false;
        let blocks: Vec<Vec<String>> = data.iter().map(|data| value(shape, data, &mut lenient)).collect::<Option<_>>()?;
        let values = match &blocks[..] {
            [] => return None,
            [one] if one.len() == 1 && !one[0].ends_with(':') && !matches!(shape, Shape::Map(_) | Shape::Service) => vec![format!("value: {}", one[0])],
            [one] => std::iter::once("value:".to_owned()).chain(one.iter().map(|line| format!("  {line}"))).collect(),
            many => std::iter::once("values:".to_owned()).chain(many.iter().flat_map(|block| item(block).into_iter().map(|line| format!("  {line}")))).collect(),
        };
        Some(Self { ttl, values, lenient })
    }

    pub fn ttl_line(&self) -> String {
        format!("ttl: {}", self.ttl)
    }

    /// The whole record.
    pub fn lines(&self, rtype: RType) -> Vec<String> {
        let mut out = Vec::new();
        if self.lenient {
            out.extend(["octodns:".to_owned(), "  lenient: true".to_owned()]);
        }
        if self.ttl != DEFAULT_TTL {
            out.push(self.ttl_line());
        }
        out.push(format!("type: {rtype}"));
        out.extend(self.values.iter().cloned());
        out
    }
}

/// Lines as one item of a list.
pub(super) fn item(lines: &[String]) -> Vec<String> {
    lines.iter().enumerate().map(|(at, line)| if at == 0 { format!("- {line}") } else { indented(line, "  ") }).collect()
}

/// A line with more blanks before it; an empty line stays empty.
pub(super) fn indented(line: &str, by: &str) -> String {
    if line.is_empty() { String::new() } else { format!("{by}{line}") }
}

fn value(shape: Shape, data: &str, lenient: &mut bool) -> Option<Vec<String>> {
    Some(match shape {
        Shape::Address | Shape::Key => vec![scalar_text(data)],
        Shape::Target { .. } => vec![scalar_text(&target(data, lenient)?)],
        Shape::Text => {
            let (text, only_lenient) = txt::from_rdata(data)?;
            *lenient |= only_lenient;
            vec![scalar_text(&text)]
        }
        Shape::Map(parts) => {
            let words = words(data);
            let mut out = Vec::new();
            for (part, word) in parts.iter().zip(&words) {
                out.push(format!("{}: {}", part.names[0], part_text(part, word, lenient)?));
            }
            out.sort();
            (words.len() == parts.len()).then_some(out)?
        }
        Shape::Service => service(data, lenient)?,
    })
}

fn part_text(part: &Part, word: &str, lenient: &mut bool) -> Option<String> {
    Some(match part.style {
        Style::Number => word.to_owned(),
        Style::Name => scalar_text(&target(word, lenient)?),
        Style::Quoted | Style::Capitals | Style::Word | Style::Hex => scalar_text(word),
        Style::Decimal => plain_number(word),
        Style::Metres => plain_number(word.strip_suffix('m')?),
    })
}

/// Without zeros that say nothing: `52.100` is `52.1`.
fn plain_number(text: &str) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
}

fn service(data: &str, lenient: &mut bool) -> Option<Vec<String>> {
    let words = words(data);
    let (priority, name, params) = match &words[..] {
        [priority, name, params @ ..] => (priority, name, params),
        [] | [_] => return None,
    };
    let mut lines = Vec::new();
    if !params.is_empty() {
        let mut pairs: Vec<(&str, Option<&str>)> = params.iter().map(|param| param.split_once('=').map_or((*param, None), |(key, value)| (key, Some(value)))).collect();
        pairs.sort_unstable();
        lines.push("svcparams:".to_owned());
        for (key, value) in pairs {
            let value = value.map(|value| value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value));
            lines.push(match value {
                Some(port) if key == "port" => format!("  {key}: {port}"),
                Some(value) => format!("  {key}: {}", scalar_text(value)),
                None => format!("  {key}:"),
            });
        }
    }
    lines.push(format!("svcpriority: {priority}"));
    lines.push(format!("targetname: {}", scalar_text(&target(name, lenient)?)));
    Some(lines)
}

/// A full name as octoDNS takes it; odd characters stand for themselves in lenient reading only, and a dot inside a label cannot be said.
fn target(data: &str, lenient: &mut bool) -> Option<String> {
    let name = DnsName::parse(data).ok()?;
    let host = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.labels().all(|label| label.iter().all(host)) {
        *lenient |= name.labels().count() == 1;
        return Some(name.to_string());
    }
    *lenient = true;
    let mut out = String::new();
    for label in name.labels() {
        if !label.iter().all(|byte| matches!(byte, 0x20..=0x7e) && *byte != b'.') {
            return None;
        }
        out.extend(label.iter().copied().map(char::from));
        out.push('.');
    }
    Some(out)
}

/// Text as one YAML scalar that YAML 1.1 and 1.2 both read as this text.
pub(super) fn scalar_text(text: &str) -> String {
    if text.chars().any(|c| c.is_control() || !(c.is_ascii() || c.is_alphanumeric())) {
        // JSON strings are YAML double-quoted scalars.
        return serde_json::Value::from(text).to_string();
    }
    let first = text.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '\\'));
    let inside = text.contains(": ") || text.contains(" #") || text.ends_with([':', ' ']);
    let date = text.len() > 4 && text.is_char_boundary(4) && text[..4].bytes().all(|byte| byte.is_ascii_digit()) && text[4..].starts_with('-');
    let other = text.starts_with("...") || !scalar::is_text(text);
    if first && !inside && !date && !other { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}
