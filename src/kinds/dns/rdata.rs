//! Record data: presentation text to wire form and back, through one table of fields.

use super::{
    DnsName, RType,
    fault::fault,
    loc, svcb,
    text::{Token, hex, quoted, tokens, unescape, unhex},
};
use crate::core::model::Refusal;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Octets of one character-string at most (RFC 1035, 3.3).
pub(super) const STRING: usize = 255;

/// One field of a record's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    V4,
    V6,
    Name,
    U8,
    U16,
    /// One character-string.
    Text,
    /// Character-strings to the end, at least one.
    Texts,
    /// A length octet and letters and digits, printed bare: the tag of CAA.
    Tag,
    /// All the rest as one quoted string without a length octet.
    Rest,
    /// All the rest in hex, blanks allowed.
    Hex,
    /// All the rest in base 64, blanks allowed.
    Base64,
    Loc,
    Svcb,
}

/// The fields of a type's data; `None` where only `\# length hex` (RFC 3597) can be read.
fn fields(rtype: RType) -> Option<&'static [Field]> {
    use Field::{Base64, Hex, Loc, Name, Rest, Svcb, Tag, Text, Texts, U8, U16, V4, V6};
    Some(match rtype.0 {
        1 => &[V4],
        28 => &[V6],
        // NS, CNAME, PTR, DNAME.
        2 | 5 | 12 | 39 => &[Name],
        13 => &[Text, Text],
        // MX and AFSDB.
        15 | 18 => &[U16, Name],
        // TXT and SPF.
        16 | 99 => &[Texts],
        17 => &[Name, Name],
        29 => &[Loc],
        33 => &[U16, U16, U16, Name],
        35 => &[U16, U16, Text, Text, Text, Name],
        43 => &[U16, U8, U8, Hex],
        44 => &[U8, U8, Hex],
        // TLSA and SMIMEA.
        52 | 53 => &[U8, U8, U8, Hex],
        61 => &[Base64],
        // SVCB and HTTPS.
        64 | 65 => &[U16, Name, Svcb],
        256 => &[U16, U16, Rest],
        257 => &[U8, Tag, Rest],
        _ => return None,
    })
}

/// The wire form of a record's data in presentation text; every name in it must be absolute.
pub fn parse(rtype: RType, text: &str) -> Result<Vec<u8>, Refusal> {
    parse_under(rtype, text, None)
}

/// As `parse`, with names that lack their last dot standing below `origin`.
pub fn parse_under(rtype: RType, text: &str, origin: Option<&DnsName>) -> Result<Vec<u8>, Refusal> {
    let all = tokens(text)?;
    let (wire, generic) = match all.first() {
        Some(first) if first.raw == "\\#" && !first.quoted => (generic(&all[1..])?, true),
        _ => (typed(rtype, &all, origin)?, false),
    };
    if wire.len() > usize::from(u16::MAX) {
        return Err(fault(format!("the value has {} octets; {} are allowed", wire.len(), u16::MAX), "split it into several records"));
    }
    if generic && printed(rtype, &wire).is_none() && fields(rtype).is_some() {
        return Err(fault(format!("these octets are no {rtype} data"), format!("write the value as {rtype} text")));
    }
    Ok(wire)
}

/// `\# length hex` (RFC 3597, 5).
fn generic(rest: &[Token<'_>]) -> Result<Vec<u8>, Refusal> {
    let broken = || fault("`\\#` is not followed by a length and as many octets in hex", "write `\\# 3 abcdef`");
    let (len, digits) = rest.split_first().ok_or_else(broken)?;
    let len: usize = len.raw.parse().map_err(|_| broken())?;
    let joined: String = digits.iter().map(|token| token.raw).collect();
    unhex(&joined).filter(|bytes| bytes.len() == len).ok_or_else(broken)
}

fn typed(rtype: RType, all: &[Token<'_>], origin: Option<&DnsName>) -> Result<Vec<u8>, Refusal> {
    let Some(fields) = fields(rtype) else {
        return Err(fault(format!("the form of {rtype} data is not known here"), "write it as `\\# length hex` (RFC 3597)"));
    };
    let mut wire = Vec::with_capacity(32);
    let mut rest = all;
    for field in fields {
        let greedy = matches!(field, Field::Texts | Field::Hex | Field::Base64 | Field::Loc | Field::Svcb);
        if rest.is_empty() && *field != Field::Svcb {
            return Err(fault(format!("a {rtype} value is too short"), format!("write {}", shape(rtype))));
        }
        let count = if greedy { rest.len() } else { 1 };
        let (own, after) = rest.split_at(count);
        rest = after;
        write_field(*field, rtype, own, origin, &mut wire)?;
    }
    match rest.first() {
        Some(extra) => Err(fault(format!("`{}` is too much for a {rtype} value", shorten(extra.raw)), format!("write {}", shape(rtype)))),
        None => Ok(wire),
    }
}

/// Appends one field; `own` holds at least one token unless the field is `Svcb`.
fn write_field(field: Field, rtype: RType, own: &[Token<'_>], origin: Option<&DnsName>, wire: &mut Vec<u8>) -> Result<(), Refusal> {
    let raw = own.first().map_or("", |token| token.raw);
    let joined = || own.iter().map(|token| token.raw).collect::<String>();
    match field {
        Field::V4 => {
            let address: Ipv4Addr = raw.parse().map_err(|_| fault(format!("`{}` is no IPv4 address", shorten(raw)), "write four numbers up to 255: `192.0.2.1`"))?;
            wire.extend(address.octets());
        }
        Field::V6 => {
            let address: Ipv6Addr = raw.parse().map_err(|_| fault(format!("`{}` is no IPv6 address", shorten(raw)), "write it as `2001:db8::1`"))?;
            wire.extend(address.octets());
        }
        Field::Name => wire.extend(target(rtype, raw, origin)?.wire()),
        Field::U8 => wire.push(number(raw)?),
        Field::U16 => wire.extend(number::<u16>(raw)?.to_be_bytes()),
        Field::Text => push_string(&unescape(raw)?, wire)?,
        Field::Texts => own.iter().try_for_each(|token| push_string(&unescape(token.raw)?, wire))?,
        Field::Tag => {
            if raw.is_empty() || raw.len() > STRING || !raw.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(fault(format!("`{}` is no CAA tag", shorten(raw)), "use `issue`, `issuewild`, `iodef` or another tag of letters and digits"));
            }
            push_string(raw.as_bytes(), wire)?;
        }
        Field::Rest => wire.extend(unescape(raw)?),
        Field::Hex => {
            wire.extend(unhex(&joined()).filter(|bytes| !bytes.is_empty()).ok_or_else(|| fault(format!("`{}` is no hex", shorten(&joined())), "write pairs of 0-9 and a-f"))?)
        }
        Field::Base64 => wire.extend(BASE64.decode(joined()).map_err(|_| fault(format!("`{}` is no base 64", shorten(&joined())), "write the key in base 64 with its padding"))?),
        Field::Loc => {
            let words: Vec<&str> = own.iter().map(|token| token.raw).collect();
            wire.extend(loc::parse(&words)?);
        }
        Field::Svcb => wire.extend(svcb::parse(own)?),
    }
    Ok(())
}

/// A name that data points at, with the mistakes people make named.
fn target(rtype: RType, raw: &str, origin: Option<&DnsName>) -> Result<DnsName, Refusal> {
    if raw.contains("://") {
        return Err(fault(
            format!("`{}` is a URL, and {rtype} points at a name", shorten(raw)),
            "write the host name alone with a dot at its end; a redirect is a web server's work",
        ));
    }
    match origin {
        Some(origin) if raw == "@" => Ok(origin.clone()),
        Some(origin) => DnsName::parse_under(raw, origin),
        None => DnsName::parse(raw),
    }
}

fn number<N: std::str::FromStr>(raw: &str) -> Result<N, Refusal> {
    let most = (1u64 << (8 * size_of::<N>())) - 1;
    raw.parse().map_err(|_| fault(format!("`{}` is no number from 0 to {most}", shorten(raw)), "write the number in decimal digits"))
}

fn push_string(bytes: &[u8], wire: &mut Vec<u8>) -> Result<(), Refusal> {
    let len = u8::try_from(bytes.len()).map_err(|_| fault(format!("a string has {} octets; {STRING} are allowed", bytes.len()), "split it into several quoted strings"))?;
    wire.push(len);
    wire.extend(bytes);
    Ok(())
}

/// The canonical presentation text of wire data; `\# length hex` where the octets do not fit the type.
pub fn print(rtype: RType, wire: &[u8]) -> String {
    printed(rtype, wire).unwrap_or_else(|| if wire.is_empty() { "\\# 0".to_owned() } else { format!("\\# {} {}", wire.len(), hex(wire)) })
}

fn printed(rtype: RType, wire: &[u8]) -> Option<String> {
    let mut out: Vec<String> = Vec::new();
    let mut rest = wire;
    for field in fields(rtype)? {
        match field {
            Field::V4 => out.push(Ipv4Addr::from(take::<4>(&mut rest)?).to_string()),
            Field::V6 => out.push(Ipv6Addr::from(take::<16>(&mut rest)?).to_string()),
            Field::Name => {
                let (name, after) = DnsName::take(rest)?;
                rest = after;
                out.push(name.to_string());
            }
            Field::U8 => out.push(take::<1>(&mut rest)?[0].to_string()),
            Field::U16 => out.push(u16::from_be_bytes(take(&mut rest)?).to_string()),
            Field::Text => out.push(quoted(take_string(&mut rest)?)),
            Field::Texts => {
                out.push(quoted(take_string(&mut rest)?));
                while !rest.is_empty() {
                    out.push(quoted(take_string(&mut rest)?));
                }
            }
            Field::Tag => {
                let tag = take_string(&mut rest)?;
                if tag.is_empty() || !tag.iter().all(u8::is_ascii_alphanumeric) {
                    return None;
                }
                out.push(tag.iter().copied().map(char::from).collect());
            }
            Field::Rest => out.push(quoted(std::mem::take(&mut rest))),
            Field::Hex if rest.is_empty() => return None,
            Field::Hex => out.push(hex(std::mem::take(&mut rest))),
            Field::Base64 if rest.is_empty() => return None,
            Field::Base64 => out.push(BASE64.encode(std::mem::take(&mut rest))),
            Field::Loc => out.push(loc::print(std::mem::take(&mut rest))?),
            Field::Svcb => out.extend(svcb::print(std::mem::take(&mut rest))?),
        }
    }
    rest.is_empty().then(|| out.join(" "))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (own, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*own)
}

fn take_string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (&len, after) = rest.split_first()?;
    let (own, after) = after.split_at_checked(usize::from(len))?;
    *rest = after;
    Some(own)
}

/// The name that the data points at, where its type has one.
pub(super) fn pointed(rtype: RType, wire: &[u8]) -> Option<DnsName> {
    let mut rest = wire;
    for field in fields(rtype)? {
        match field {
            Field::Name => return DnsName::take(rest).map(|(name, _)| name),
            Field::U16 => rest = rest.get(2..)?,
            Field::U8 => rest = rest.get(1..)?,
            Field::V4 | Field::V6 | Field::Text | Field::Texts | Field::Tag | Field::Rest | Field::Hex | Field::Base64 | Field::Loc | Field::Svcb => return None,
        }
    }
    None
}

/// What a value of the type looks like, for advice.
fn shape(rtype: RType) -> &'static str {
    match rtype.0 {
        1 => "one IPv4 address: `192.0.2.1`",
        2 | 5 | 12 | 39 => "one name: `host.example.com.`",
        13 => "two strings: `\"cpu\" \"os\"`",
        15 => "preference and name: `10 mail.example.com.`",
        16 | 99 => "strings in quotes: `\"text\"`",
        17 => "mailbox and name: `admin.example.com. txt.example.com.`",
        18 => "subtype and name: `1 afs.example.com.`",
        28 => "one IPv6 address: `2001:db8::1`",
        29 => "`52 22 23.000 N 4 53 32.000 E -2.00m 1.00m 10000.00m 10.00m`",
        33 => "priority, weight, port and name: `10 60 5060 sip.example.com.`",
        35 => "order, preference, flags, service, regexp and name: `10 20 \"S\" \"SIP+D2U\" \"\" _sip._udp.example.com.`",
        43 => "key tag, algorithm, digest type and digest: `60485 5 1 2bb1…`",
        44 => "algorithm, type and fingerprint: `4 2 123a…`",
        52 | 53 => "usage, selector, matching type and data: `3 1 1 d2ab…`",
        61 => "a key in base 64",
        64 | 65 => "priority, target and parameters: `1 . alpn=h2`",
        256 => "priority, weight and address: `10 1 \"https://example.com/\"`",
        257 => "flags, tag and value: `0 issue \"ca.example.net\"`",
        _ => "`\\# length hex` (RFC 3597)",
    }
}

/// At most sixty characters of a text, for messages.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
