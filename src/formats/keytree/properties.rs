//! Properties files, as `java.util.Properties` reads them: `key = value`, `:` or a space between, `\` at the end goes on, `\uXXXX`.

use super::format::Leaf;
use crate::core::model::{Place, Refusal, RefusalKind};
use std::{collections::BTreeMap, iter::Peekable, str::Chars};

/// Every key of the file, under the name it is written as.
pub(super) fn read(file: &str, bytes: &[u8]) -> Result<Vec<Leaf>, Vec<Refusal>> {
    let fault = |what: String, line: u32, advice: &str| Refusal::new(RefusalKind::Syntax, what).at(Place::new(file, line, 1)).advice(advice);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() as u32;
            return Err(vec![fault("the file is not UTF-8".into(), line, "save it as UTF-8, or write the character as `\\uXXXX`")]);
        }
    };
    let (mut leaves, mut faults) = (Vec::new(), Vec::new());
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    // What some editors put before everything is no part of the first key.
    for (line, text) in logical(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        match pair(&text) {
            Ok((key, _)) if key.is_empty() => faults.push(fault("a value without a key".into(), line, "write `key = value`")),
            Ok((key, value)) => {
                if let Some(first) = seen.insert(key.clone(), line) {
                    faults.push(fault(format!("the key `{key}` is there twice"), line, "keep one of the two").also(Place::new(file, first, 1)));
                    continue;
                }
                leaves.push(Leaf { below: key, bytes: value.into_bytes(), place: Place::new(file, line, 1) });
            }
            Err(Escape) => faults.push(fault("`\\u` without the four hex digits of a character".into(), line, "write it like `\\u00e9`, or write the backslash twice")),
        }
    }
    if faults.is_empty() { Ok(leaves) } else { Err(faults) }
}

/// Lines with those that go on put together, without comments and empty ones, each with the number of its first.
fn logical(text: &str) -> Vec<(u32, String)> {
    let mut out: Vec<(u32, String)> = Vec::new();
    let mut open = false;
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim_start_matches([' ', '\t', '\u{c}']);
        if !open && (trimmed.is_empty() || trimmed.starts_with(['#', '!'])) {
            continue;
        }
        // An odd number of backslashes at the end escapes the line break.
        let goes_on = trimmed.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1;
        let part = if goes_on { &trimmed[..trimmed.len() - 1] } else { trimmed };
        match out.last_mut().filter(|_| open) {
            Some((_, line)) => line.push_str(part),
            None => out.push((number, part.to_owned())),
        }
        open = goes_on;
    }
    out
}

/// A `\u` that is no character.
struct Escape;

fn pair(line: &str) -> Result<(String, String), Escape> {
    let mut rest = line.chars().peekable();
    let space = |c: &char| [' ', '\t', '\u{c}'].contains(c);
    let mut key = String::new();
    while let Some(c) = rest.next_if(|c| !space(c) && *c != '=' && *c != ':') {
        take(c, &mut rest, &mut key)?;
    }
    while rest.next_if(space).is_some() {}
    if rest.next_if(|c| *c == '=' || *c == ':').is_some() {
        while rest.next_if(space).is_some() {}
    }
    let mut value = String::new();
    while let Some(c) = rest.next() {
        take(c, &mut rest, &mut value)?;
    }
    Ok((key, value))
}

/// Adds a character, or what its escape stands for.
fn take(c: char, rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), Escape> {
    if c != '\\' {
        out.push(c);
        return Ok(());
    }
    match rest.next() {
        Some('u') => {
            let first = unit(rest)?;
            let mut units = vec![first];
            // A character outside of the first plane is two escapes.
            if (0xd800..0xdc00).contains(&first) {
                if rest.next() != Some('\\') || rest.next() != Some('u') {
                    return Err(Escape);
                }
                units.push(unit(rest)?);
            }
            out.push_str(&String::from_utf16(&units).map_err(|_| Escape)?);
        }
        Some('t') => out.push('\t'),
        Some('n') => out.push('\n'),
        Some('r') => out.push('\r'),
        Some('f') => out.push('\u{c}'),
        Some(other) => out.push(other),
        None => {}
    }
    Ok(())
}

fn unit(rest: &mut Peekable<Chars<'_>>) -> Result<u16, Escape> {
    let digits: String = rest.by_ref().take(4).collect();
    let all = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(&digits, 16).ok().filter(|_| all).ok_or(Escape)
}
