//! What a probe quotes of an answer: little, and nothing that acts.

/// Characters of an answer in one line; enough for an error's first words.
const MOST: usize = 120;

/// A quoted, escaped excerpt of bytes that somebody else wrote.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    // Four bytes a character at most, so no more than these are ever looked at.
    let head = &bytes[..bytes.len().min(MOST * 4)];
    let text = String::from_utf8_lossy(head);
    let mut shown: String = text.trim().chars().take(MOST).flat_map(char::escape_debug).take(MOST).collect();
    let whole = bytes.len() <= MOST * 4 && text.trim().chars().flat_map(char::escape_debug).count() <= MOST;
    if !whole {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

#[cfg(test)]
mod tests {
    use super::{MOST, excerpt};

    #[test]
    fn an_excerpt_is_short_and_holds_no_control_character() {
        assert_eq!(excerpt(b" up\n"), "\"up\"");
        assert_eq!(excerpt(b"a\x1b[31m\"b\r\nc"), r#""a\u{1b}[31m\"b\r\nc""#);
        let long = excerpt(&[0x1b; 100_000]);
        assert!(long.chars().count() <= MOST + 3 && long.ends_with("…\""), "{long}");
        assert_eq!(excerpt("\u{202e}drowssap".as_bytes()), "\"\\u{202e}drowssap\"");
    }
}
