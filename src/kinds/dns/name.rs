//! A domain name: absolute, lower case, within the limits of RFC 1035.

use super::{fault::fault, text::unescape_one};
use crate::core::model::Refusal;
use hickory_proto::rr::Name;
use std::fmt;

/// Octets of one label at most (RFC 1035, 2.3.4).
const LABEL: usize = 63;
/// Octets of a whole name at most, with length octets and the root (RFC 1035, 2.3.4).
const WHOLE: usize = 255;

/// An absolute domain name in uncompressed wire form, ASCII letters lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(Vec<u8>);

impl DnsName {
    /// The root, `.`.
    pub fn root() -> Self {
        Self(vec![0])
    }

    /// Parses presentation text of an absolute name; text without its last dot is refused.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        Self::read(text, None)
    }

    /// Parses presentation text; a name without its last dot stands below `origin`.
    pub fn parse_under(text: &str, origin: &DnsName) -> Result<Self, Refusal> {
        Self::read(text, Some(origin))
    }

    fn read(text: &str, origin: Option<&DnsName>) -> Result<Self, Refusal> {
        if text.is_empty() {
            return Err(fault("a name is empty", "write the name, or leave the record out"));
        }
        if text == "." {
            return Ok(Self::root());
        }
        let ascii;
        let text = if text.is_ascii() {
            text
        } else {
            let name = Name::from_utf8(text).map_err(|_| fault(format!("`{text}` is no internationalized name"), "write it in its xn-- form"))?;
            ascii = name.to_ascii();
            &ascii
        };
        let mut labels: Vec<Vec<u8>> = vec![Vec::new()];
        let mut rest = text.as_bytes();
        let mut absolute = false;
        while let Some((&first, after)) = rest.split_first() {
            let last = labels.len() - 1;
            match first {
                b'.' if labels[last].is_empty() => {
                    return Err(fault(format!("`{text}` has an empty label"), "remove the dot too much"));
                }
                b'.' if after.is_empty() => {
                    absolute = true;
                    rest = after;
                }
                b'.' => {
                    labels.push(Vec::new());
                    rest = after;
                }
                b'\\' => {
                    let (byte, after) =
                        unescape_one(rest).ok_or_else(|| fault(format!("`{text}` has a broken escape"), "write `\\DDD` with three digits up to 255, or `\\` and the character"))?;
                    labels[last].push(byte);
                    rest = after;
                }
                _ => {
                    labels[last].push(first);
                    rest = after;
                }
            }
        }
        if let Some(label) = labels.iter().find(|label| label.len() > LABEL) {
            return Err(fault(format!("`{text}` has a label of {} octets; {LABEL} are allowed", label.len()), "shorten the label"));
        }
        let own = labels.iter().map(Vec::as_slice);
        let whole = match (absolute, origin) {
            (true, _) => Self::from_labels(own),
            (false, Some(origin)) => Self::from_labels(own.chain(origin.labels())),
            (false, None) => return Err(fault(format!("`{}` is no full name", shorten(text)), format!("write it in full with a dot at its end: `{}.`", shorten(text)))),
        };
        whole.map_err(|refusal| Refusal { what: format!("`{}` {}", shorten(text), refusal.what), ..refusal })
    }

    /// Builds a name from its labels; refused when the whole is too long.
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, Refusal> {
        let mut wire = Vec::with_capacity(32);
        for label in labels {
            let len = u8::try_from(label.len()).ok().filter(|len| (1..=LABEL as u8).contains(len));
            wire.push(len.ok_or_else(|| fault("has a label that is empty or too long", format!("use labels of 1 to {LABEL} octets")))?);
            wire.extend(label.iter().map(u8::to_ascii_lowercase));
        }
        wire.push(0);
        if wire.len() > WHOLE {
            return Err(fault(format!("is a name of {} octets; {WHOLE} are allowed", wire.len()), "shorten the name"));
        }
        Ok(Self(wire))
    }

    /// Reads an uncompressed name off the front of `wire`; `None` when it is none.
    pub fn take(wire: &[u8]) -> Option<(Self, &[u8])> {
        let mut at = 0;
        loop {
            let len = usize::from(*wire.get(at)?);
            at += 1 + len;
            if len > LABEL || at > WHOLE {
                return None;
            }
            if len == 0 {
                break;
            }
        }
        let (name, rest) = wire.split_at_checked(at)?;
        Some((Self(name.to_ascii_lowercase()), rest))
    }

    /// The uncompressed wire form.
    pub fn wire(&self) -> &[u8] {
        &self.0
    }

    /// The labels from the left, without the root.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let (&len, after) = rest.split_first()?;
            if len == 0 {
                return None;
            }
            let (label, after) = after.split_at(usize::from(len));
            rest = after;
            Some(label)
        })
    }

    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// The text before `zone` (`www.eu`), `@` for the zone itself; `None` when it stands elsewhere.
    pub fn relative_to(&self, zone: &DnsName) -> Option<String> {
        let own = self.labels().count().checked_sub(zone.labels().count())?;
        if !self.labels().skip(own).eq(zone.labels()) {
            return None;
        }
        if own == 0 {
            return Some("@".to_owned());
        }
        let mut text = String::new();
        for (i, label) in self.labels().take(own).enumerate() {
            if i > 0 {
                text.push('.');
            }
            push_label(&mut text, label);
        }
        Some(text)
    }

    pub fn is_in(&self, zone: &DnsName) -> bool {
        self.relative_to(zone).is_some()
    }
}

/// Writes one label in presentation form: only what is printable and means nothing to a zone file stays itself.
fn push_label(out: &mut String, label: &[u8]) {
    for &byte in label {
        match byte {
            b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            0x21..=0x7e => out.push(char::from(byte)),
            0..=0x20 | 0x7f..=0xff => out.push_str(&format!("\\{byte:03}")),
        }
    }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

impl fmt::Display for DnsName {
    /// Prints the absolute name with its last dot.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        let mut text = String::with_capacity(self.0.len());
        for label in self.labels() {
            push_label(&mut text, label);
            text.push('.');
        }
        f.write_str(&text)
    }
}
