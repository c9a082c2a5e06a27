//! Names of hosts in a value's text: what a key points at without a word for it.
//!
//! A value may be a name, a URL, `host:port`, or a whole file that holds some. Every run of letters, digits, dots, `-` and `_` that can be a full
//! host name counts; most are none (`config.yaml`), and match nothing that a governed zone provides, so they order nothing. What does match is still
//! a guess: such an order gives way to every other.

use crate::{
    core::model::{Mention, Value},
    kinds::dns::DnsName,
};
use std::collections::BTreeMap;

/// A value that names more is a list, not a reference; whoever serves from it does so whatever the order.
const NAMES: usize = 10_000;

/// The host names in a value, each with the line it first stands in.
pub(super) fn mentions(value: &Value) -> Vec<Mention> {
    let Some(text) = value.as_str() else { return Vec::new() };
    let one = text.trim_end_matches('\n').lines().nth(1).is_none();
    let mut found: BTreeMap<String, Mention> = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        for name in names(line) {
            if found.len() == NAMES {
                return found.into_values().collect();
            }
            let shown = name.to_string();
            let shown = shown.trim_end_matches('.');
            let rule = if one { format!("its value names {shown}") } else { format!("line {} of its value names {shown}", number + 1) };
            let key = format!("dns:{name}");
            found.entry(key.clone()).or_insert_with(|| Mention { key: key.into(), rule: rule.into(), guess: true });
        }
    }
    found.into_values().collect()
}

/// What can be a full host name in a line: two labels or more, the last with a letter, so that an address is none.
fn names(line: &str) -> impl Iterator<Item = DnsName> {
    let runs = line.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')));
    runs.filter_map(|run| {
        let run = run.trim_matches(['.', '-']);
        let (_, last) = run.rsplit_once('.')?;
        last.bytes().any(|byte| byte.is_ascii_alphabetic()).then(|| DnsName::parse(&format!("{run}.")).ok())?
    })
}
