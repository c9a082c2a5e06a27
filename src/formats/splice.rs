//! Edits of a text in place: parts of it replaced, everything else as it stands.

use crate::core::model::Place;
use std::ops::Range;

/// Parts of a text by where they stand, with what stands there afterwards.
pub(super) type Edits = Vec<(Range<usize>, String)>;

/// Replaces parts of a text; `None` where two of them overlap. What is put in at one place stays in the order it was asked for.
pub(super) fn apply(text: &str, mut edits: Edits) -> Option<String> {
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for (range, new) in edits {
        out.push_str(text.get(at..range.start)?);
        out.push_str(&new);
        at = range.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// Where each line of a text starts.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub fn of(text: &'a str) -> Self {
        Self { text, starts: std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect() }
    }

    /// Where a line starts, counted from 1; the text's end for the one behind the last.
    pub fn start(&self, line: u32) -> Option<usize> {
        let at = (line as usize).checked_sub(1)?;
        if at == self.starts.len() { Some(self.text.len()) } else { self.starts.get(at).copied() }
    }

    /// Where a place is in the text.
    pub fn at(&self, place: &Place) -> Option<usize> {
        let start = self.start(place.line)?;
        let skip: usize = self.text[start..].chars().take((place.column as usize).checked_sub(1)?).map(char::len_utf8).sum();
        Some(start + skip)
    }

    /// Whole lines, with the break behind the last.
    pub fn whole(&self, first: u32, last: u32) -> Option<Range<usize>> {
        Some(self.start(first)?..self.start(last.checked_add(1)?)?)
    }
}
