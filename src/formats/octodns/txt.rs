//! TXT and SPF text as octoDNS writes it, to and from record data: the characters that stand there (docs/decisions/octodns-txt.md).

use crate::{
    core::model::{Refusal, RefusalKind},
    kinds::dns::{quoted, unescape_strings},
};

/// Octets of one character-string; octoDNS cuts longer text there.
const CHUNK: usize = 255;

/// Record data in presentation text: `\;` is `;`, every other character is itself, cut at 255 octets.
pub(super) fn to_rdata(text: &str, lenient: bool) -> Result<String, Refusal> {
    if !lenient {
        check(text)?;
    }
    let bare = match text.strip_prefix('"') {
        Some(rest) => {
            let mut rest = rest.chars();
            rest.next_back();
            rest.as_str()
        }
        None => text,
    };
    let octets = bare.replace("\" \"", "").replace("\\;", ";").into_bytes();
    let chunks: Vec<String> = octets.chunks(CHUNK).map(quoted).collect();
    Ok(if chunks.is_empty() { quoted(&[]) } else { chunks.join(" ") })
}

/// The characters that a part of a text stands for: `\;` is `;`.
pub(super) fn characters(text: &str, lenient: bool) -> Result<String, Refusal> {
    if !lenient {
        check(text)?;
    }
    Ok(text.replace("\\;", ";"))
}

fn check(text: &str) -> Result<(), Refusal> {
    let fault = |what: &str, advice: &str| Err(Refusal::new(RefusalKind::Value, what).advice(advice));
    if text.contains("\\\\;") {
        return fault("a `;` is escaped twice", "write `\\;` with one backslash (in double quotes YAML itself takes one: `\"\\\\;\"`)");
    }
    let word = |c: char| c.is_alphanumeric() || c == '_';
    if text.char_indices().any(|(at, c)| c == ';' && text[..at].chars().next_back().is_some_and(word)) {
        return fault("a `;` is not escaped", "write `\\;`");
    }
    if !text.is_ascii() {
        return fault("the text holds characters that are not ASCII", "write ASCII, or send its UTF-8 octets with `octodns: {lenient: true}`");
    }
    Ok(())
}

/// The text that octoDNS would read as exactly these strings, and whether it must be marked lenient; `None` where no text says it.
pub(super) fn from_rdata(presentation: &str) -> Option<(String, bool)> {
    let strings = unescape_strings(presentation)?;
    let text = String::from_utf8(strings.concat()).ok()?.replace(';', "\\;");
    let lenient = check(&text).is_err();
    (to_rdata(&text, lenient).ok()? == presentation).then_some((text, lenient))
}
