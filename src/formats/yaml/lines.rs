//! The lines of a file, for showing the one a fault is on.

use crate::core::model::Refusal;

/// A longer line is data, not something a person reads in an error.
const LONGEST: usize = 200;

/// Adds the line that the refusal's place points at, unless it has one.
///
/// What follows a key that names a secret is left out (I6).
pub fn with_excerpt(refusal: Refusal, bytes: &[u8]) -> Refusal {
    let Some(place) = refusal.place.as_ref().filter(|place| place.line > 0 && refusal.excerpt.is_none()) else { return refusal };
    let line = bytes.split(|byte| *byte == b'\n').nth(place.line as usize - 1).unwrap_or_default();
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end();
    if text.is_empty() || place.column as usize > LONGEST {
        return refusal;
    }
    let shown = match secret_at(text) {
        Some(end) => format!("{} (not shown)", &text[..end]),
        None => text.chars().take(LONGEST).collect(),
    };
    refusal.excerpt(shown)
}

/// The end of a key that names a secret, its colon included.
fn secret_at(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let ends = ["secret", "token", "password", "passwd", "key"].into_iter().flat_map(|word| lower.match_indices(word).map(move |(at, _)| at + word.len()));
    let colons = ends.filter_map(|end| {
        let rest = line.get(end..)?;
        let between = rest.len() - rest.trim_start_matches(['"', '\'', ' ']).len();
        rest[between..].starts_with(':').then_some(end + between + 1)
    });
    colons.min()
}

#[cfg(test)]
mod tests {
    use super::with_excerpt;
    use crate::core::model::{Place, Refusal, RefusalKind};

    fn excerpt(text: &str, line: u32, column: u32) -> Option<String> {
        with_excerpt(Refusal::new(RefusalKind::Syntax, "x").at(Place::new("f", line, column)), text.as_bytes()).excerpt
    }

    #[test]
    fn the_line_is_shown_and_a_secret_is_not() {
        assert_eq!(excerpt("a: 1\r\nb: 2\n", 1, 1).as_deref(), Some("a: 1"));
        assert_eq!(excerpt("a: 1\nb: 2\n", 2, 1).as_deref(), Some("b: 2"));
        assert_eq!(excerpt("a: 1\n", 7, 1), None);
        assert_eq!(excerpt("tsig: {name: k, \"secret\": abc=}", 1, 1).as_deref(), Some("tsig: {name: k, \"secret\": (not shown)"));
        assert_eq!(excerpt("keys: {a: b}", 1, 1).as_deref(), Some("keys: {a: b}"));
        assert_eq!(excerpt(&"x".repeat(5000), 1, 300), None);
    }
}
