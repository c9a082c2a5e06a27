//! References in text: `${TARGET/KIND/NAME.FIELD}`, where a source opts in; `$${` is the characters `${` themselves.

use crate::{
    core::model::{Late, Piece, Place, Refers, Refusal, RefusalKind},
    kinds,
};

const OPEN: &str = "${";
const LITERAL: &str = "$${";

/// Reads a text that starts at `from`; `None`: there is nothing special in it.
pub(super) fn read(text: &str, lines: &Lines<'_>, from: &Place) -> Result<Option<Late>, Vec<Refusal>> {
    if !text.contains(OPEN) {
        return Ok(None);
    }
    let (mut pieces, mut faults, mut plain, mut rest) = (Vec::new(), Vec::new(), String::new(), text);
    let mut opens = lines.opens(from, text.len());
    while let Some(at) = rest.find(OPEN) {
        let place = opens.next();
        if rest[..at].ends_with('$') {
            plain.push_str(&rest[..at - 1]);
            plain.push_str(OPEN);
            rest = &rest[at + OPEN.len()..];
            continue;
        }
        plain.push_str(&rest[..at]);
        let inside = &rest[at + OPEN.len()..];
        let end = inside.find(['}', '\n', '$']).filter(|end| inside[*end..].starts_with('}'));
        match end.ok_or_else(|| unclosed(&place)).and_then(|end| one(&inside[..end], &place)) {
            Ok(refers) => {
                pieces.extend((!plain.is_empty()).then(|| Piece::Text(std::mem::take(&mut plain).into())));
                pieces.push(Piece::Refers(refers));
            }
            Err(fault) => faults.push(fault),
        }
        rest = end.map_or(inside, |end| &inside[end + 1..]);
    }
    plain.push_str(rest);
    pieces.extend((!plain.is_empty()).then(|| Piece::Text(plain.into())));
    if faults.is_empty() { Ok(Some(Late { pieces })) } else { Err(faults) }
}

/// A text as a source that opts in writes it, so that it means itself.
pub(super) fn escaped(bytes: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(bytes) {
        Ok(text) => text.replace(OPEN, LITERAL).into_bytes(),
        Err(binary) => binary.into_bytes(),
    }
}

fn unclosed(place: &Place) -> Refusal {
    Refusal::new(RefusalKind::Syntax, "`${` without its `}`").at(place.clone()).advice("close it in the same line, or write `$${` for these characters themselves")
}

/// What stands between the braces.
fn one(text: &str, place: &Place) -> Result<Refers, Refusal> {
    let bad = |what: String| {
        let advice = format!("write `${{TARGET/rrset/ZONE/OWNER/TYPE.FIELD}}` or `${{TARGET/key/KEY}}`, or `$${{{text}}}` for these characters themselves");
        Err(Refusal::new(RefusalKind::Syntax, what).at(place.clone()).advice(advice))
    };
    let mut parts = text.splitn(3, '/');
    let (Some(target), Some(kind), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return bad(format!("`${{{text}}}` refers to nothing"));
    };
    match kinds::refers(target, kind, name) {
        Some((id, field)) if !target.is_empty() && !id.name.is_empty() => Ok(Refers { id, field, place: place.clone() }),
        Some(_) | None => bad(format!("`${{{text}}}` refers to nothing")),
    }
}

/// A file's text by its lines, so that many texts in it find their places without reading all of it again.
pub(super) struct Lines<'a> {
    text: Option<&'a str>,
    starts: Vec<usize>,
}

/// The place of a text in a longer line is the line's text's own: to count so far for each of many would take too long.
const LONG: usize = 64 << 10;

impl<'a> Lines<'a> {
    pub fn of(file: &'a [u8]) -> Self {
        let text = std::str::from_utf8(file).ok();
        let ends = text.iter().flat_map(|text| text.match_indices('\n')).map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(ends).collect() }
    }

    /// Where each `${` stands, from the place of a text of `len` bytes on.
    fn opens(&self, from: &Place, len: usize) -> Opens<'a> {
        let line = from.line.saturating_sub(1) as usize;
        let rest = self.text.zip(self.starts.get(line)).and_then(|(text, start)| {
            let end = self.starts.get(line + 1).copied().unwrap_or(text.len());
            let skip: usize = text[*start..end].chars().take(from.column.saturating_sub(1) as usize).map(char::len_utf8).sum();
            // What its own grammar makes longer, and no more: one that is written otherwise is not searched for in all of the file.
            let (at, mut until) = (start + skip, (start + skip + 6 * len + 1024).min(text.len()));
            while !text.is_char_boundary(until) {
                until += 1;
            }
            (skip <= LONG).then(|| &text[at..until])
        });
        Opens { rest: rest.unwrap_or_default(), at: from.clone() }
    }
}

/// Walks from one `${` to the next. One that is escaped in its file's own grammar is found at the last place known.
struct Opens<'a> {
    rest: &'a str,
    at: Place,
}

impl Opens<'_> {
    fn next(&mut self) -> Place {
        let Some(found) = self.rest.find(OPEN) else { return self.at.clone() };
        for char in self.rest[..found].chars() {
            (self.at.line, self.at.column) = if char == '\n' { (self.at.line.saturating_add(1), 1) } else { (self.at.line, self.at.column.saturating_add(1)) };
        }
        let place = self.at.clone();
        self.at.column = self.at.column.saturating_add(2);
        self.rest = &self.rest[found + OPEN.len()..];
        place
    }
}
