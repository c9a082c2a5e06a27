//! Presentation text of records: tokens, quoted strings, escapes (RFC 1035, 5.1).

use super::fault::fault;
use crate::core::model::Refusal;

/// One token of a record's text, escapes still in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub raw: &'a str,
    /// The whole token stood in quotes, which `raw` does not hold. Quotes inside a token (`alpn="h2"`) stay.
    pub quoted: bool,
}

/// Splits a record's text at blanks outside quotes.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, Refusal> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let start = at;
        let mut inside = false;
        while at < bytes.len() {
            match bytes[at] {
                b'\\' => at += 1,
                b'"' => {
                    inside = !inside;
                    if !inside && bytes[start] == b'"' {
                        at += 1;
                        break;
                    }
                }
                byte if byte.is_ascii_whitespace() && !inside => break,
                _ => {}
            }
            at += 1;
        }
        let end = at.min(bytes.len());
        if inside {
            return Err(fault("a quoted string has no end", "close the quote, or write `\\\"` for a quote inside"));
        }
        // Every end stands before a blank, after a quote or at the end of the text: always between characters.
        let raw = &text[start..end];
        match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
            Some(inner) => out.push(Token { raw: inner, quoted: true }),
            None => out.push(Token { raw, quoted: false }),
        }
    }
    Ok(out)
}

/// Takes one escape (`\DDD` or `\X`) off the front of `bytes`.
pub(super) fn unescape_one(bytes: &[u8]) -> Option<(u8, &[u8])> {
    match bytes {
        [b'\\', a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
            let number = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
            Some((u8::try_from(number).ok()?, rest))
        }
        [b'\\', b'0'..=b'9', ..] => None,
        [b'\\', byte, rest @ ..] => Some((*byte, rest)),
        _ => None,
    }
}

/// The bytes that text with escapes stands for; refused when an escape is broken.
pub fn unescape(raw: &str) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'\\' {
            let (byte, after) = unescape_one(rest).ok_or_else(|| fault("an escape is broken", "write `\\DDD` with three digits up to 255, or `\\` and the character"))?;
            out.push(byte);
            rest = after;
        } else {
            out.push(first);
            rest = after;
        }
    }
    Ok(out)
}

/// One character-string in quotes: what is printable stays itself, the rest is `\DDD`.
pub fn quoted(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            0x20..=0x7e => out.push(char::from(byte)),
            0..=0x1f | 0x7f..=0xff => out.push_str(&format!("\\{byte:03}")),
        }
    }
    out.push('"');
    out
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of hex text; `None` when it is none.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// The octets of each string of TXT-like data; `None` when the text is no list of strings.
pub fn unescape_strings(text: &str) -> Option<Vec<Vec<u8>>> {
    tokens(text).ok()?.into_iter().map(|token| unescape(token.raw).ok()).collect()
}

/// The tokens of canonical record data, without their quotes and with their escapes; none when the text is broken.
pub fn words(text: &str) -> Vec<&str> {
    tokens(text).map(|all| all.into_iter().map(|token| token.raw).collect()).unwrap_or_default()
}

/// Octets of one character-string; longer text goes on in the next.
const STRING: usize = 255;

/// Text that stands in no file as it is, as record data of a type: a host name in full, the characters of a text as they are.
pub(super) fn written(rtype: &str, text: &str) -> Result<String, Refusal> {
    if matches!(rtype, "TXT" | "SPF") {
        let strings: Vec<String> = text.as_bytes().chunks(STRING).map(quoted).collect();
        return Ok(if strings.is_empty() { quoted(&[]) } else { strings.join(" ") });
    }
    let word = text.trim();
    if word.is_empty() || word.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\\' | ';' | '(' | ')')) {
        let shown: String = word.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
        return Err(fault(format!("`{shown}` is not one word"), "refer to an address or to a host name alone"));
    }
    if matches!(rtype, "A" | "AAAA") {
        return Ok(word.to_owned());
    }
    let bare = word.strip_suffix('.').unwrap_or(word);
    if !bare.contains('.') {
        return Err(fault(format!("`{word}` is no full name"), "refer to a name in full, as in `host.example.com`"));
    }
    Ok(format!("{bare}."))
}
