//! The lines of a file, for showing the one a fault is on.

use crate::core::model::Refusal;

/// A longer line is data, not something a person reads in an error.
const LONGEST: usize = 200;

/// Adds the line that the refusal's place points at, unless it has one.
///
/// What follows a key that names a secret is left out (I6).
pub fn with_excerpt(refusal: Refusal, bytes: &[u8]) -> Refusal {
    let Some(place) = refusal.place.as_ref().filter(|place| place.line > 0 && refusal.excerpt.is_none()) else { return refusal };
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').take(place.line as usize).collect();
    let Some((line, above)) = lines.split_last().filter(|(line, above)| !line.is_empty() && above.len() + 1 == place.line as usize) else { return refusal };
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end();
    if text.is_empty() || place.column as usize > LONGEST {
        return refusal;
    }
    let shown = match secret_at(text) {
        Some(end) => format!("{} (not shown)", &text[..end]),
        None if below_secret(indentation(line), above) => "(not shown)".to_owned(),
        None => text.chars().take(LONGEST).collect(),
    };
    refusal.excerpt(shown)
}

fn indentation(line: &[u8]) -> usize {
    line.iter().take_while(|byte| **byte == b' ').count()
}

/// Whether the line above that this one is indented under names a secret.
fn below_secret(depth: usize, above: &[&[u8]]) -> bool {
    let parent = above.iter().rev().find(|line| !line.trim_ascii().is_empty() && indentation(line) < depth);
    parent.is_some_and(|line| secret_at(&String::from_utf8_lossy(line)).is_some())
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
        assert_eq!(excerpt("secret:\n\n  abc=\n", 3, 3).as_deref(), Some("(not shown)"));
        assert_eq!(excerpt("secret: {env: A}\nb: 1\n", 2, 1).as_deref(), Some("b: 1"));
        assert_eq!(excerpt("keys: {a: b}", 1, 1).as_deref(), Some("keys: {a: b}"));
        assert_eq!(excerpt(&"x".repeat(5000), 1, 300), None);
    }
}
