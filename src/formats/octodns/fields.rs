//! What octoDNS calls the parts of each type's values, and the record data they make.

use super::{scalar::Scalar, txt};
use crate::{
    core::model::{Place, Refusal, RefusalKind, nearest},
    formats::yaml::{Node, NodeKind},
    kinds::dns::{RType, parse_rdata, print_rdata},
};

/// How the values of a type are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Address,
    /// Names; `single` types take `value` alone.
    Target {
        single: bool,
    },
    Text,
    /// One word in base 64.
    Key,
    /// Maps with these parts.
    Map(&'static [Part]),
    /// Maps of `svcpriority`, `targetname` and `svcparams`.
    Service,
}

/// One part of a value that is a map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Its name, then older names of it.
    pub names: &'static [&'static str],
    pub style: Style,
    pub default: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Number,
    Name,
    /// Presentation text, put in quotes.
    Quoted,
    /// As `Quoted`, in capitals.
    Capitals,
    Word,
    /// Text that may look like a number.
    Hex,
    Decimal,
    Metres,
}

const fn part(names: &'static [&'static str], style: Style) -> Part {
    Part { names, style, default: None }
}

const fn optional(names: &'static [&'static str], style: Style, default: &'static str) -> Part {
    Part { names, style, default: Some(default) }
}

const MX: &[Part] = &[part(&["preference", "priority"], Style::Number), part(&["exchange", "value"], Style::Name)];
const SRV: &[Part] = &[part(&["priority"], Style::Number), part(&["weight"], Style::Number), part(&["port"], Style::Number), part(&["target"], Style::Name)];
const CAA: &[Part] = &[optional(&["flags"], Style::Number, "0"), part(&["tag"], Style::Word), part(&["value"], Style::Quoted)];
const URI: &[Part] = &[part(&["priority"], Style::Number), part(&["weight"], Style::Number), part(&["target"], Style::Quoted)];
const SSHFP: &[Part] = &[part(&["algorithm"], Style::Number), part(&["fingerprint_type"], Style::Number), part(&["fingerprint"], Style::Hex)];
const DS: &[Part] = &[part(&["key_tag"], Style::Number), part(&["algorithm"], Style::Number), part(&["digest_type"], Style::Number), part(&["digest"], Style::Hex)];
/// The names of before octoDNS 1.0, which say other things than they hold.
const OLD_DS: &[Part] = &[part(&["flags"], Style::Number), part(&["protocol"], Style::Number), part(&["algorithm"], Style::Number), part(&["public_key"], Style::Hex)];
const TLSA: &[Part] = &[
    optional(&["certificate_usage"], Style::Number, "0"),
    optional(&["selector"], Style::Number, "0"),
    optional(&["matching_type"], Style::Number, "0"),
    part(&["certificate_association_data"], Style::Hex),
];
const NAPTR: &[Part] = &[
    part(&["order"], Style::Number),
    part(&["preference"], Style::Number),
    part(&["flags"], Style::Capitals),
    part(&["service"], Style::Quoted),
    part(&["regexp"], Style::Quoted),
    part(&["replacement"], Style::Name),
];
const LOC: &[Part] = &[
    part(&["lat_degrees"], Style::Number),
    part(&["lat_minutes"], Style::Number),
    part(&["lat_seconds"], Style::Decimal),
    part(&["lat_direction"], Style::Word),
    part(&["long_degrees"], Style::Number),
    part(&["long_minutes"], Style::Number),
    part(&["long_seconds"], Style::Decimal),
    part(&["long_direction"], Style::Word),
    part(&["altitude"], Style::Metres),
    part(&["size"], Style::Metres),
    part(&["precision_horz"], Style::Metres),
    part(&["precision_vert"], Style::Metres),
];

/// The types that octoDNS has and a name server holds.
pub(super) const TYPES: [&str; 20] =
    ["A", "AAAA", "CAA", "CNAME", "DNAME", "DS", "HTTPS", "LOC", "MX", "NAPTR", "NS", "OPENPGPKEY", "PTR", "SPF", "SRV", "SSHFP", "SVCB", "TLSA", "TXT", "URI"];

/// How octoDNS writes the type; `None` for types it does not know.
pub(super) fn shape(rtype: &str) -> Option<Shape> {
    Some(match rtype {
        "A" | "AAAA" => Shape::Address,
        "CNAME" | "DNAME" => Shape::Target { single: true },
        "NS" | "PTR" => Shape::Target { single: false },
        "TXT" | "SPF" => Shape::Text,
        "OPENPGPKEY" => Shape::Key,
        "MX" => Shape::Map(MX),
        "SRV" => Shape::Map(SRV),
        "CAA" => Shape::Map(CAA),
        "URI" => Shape::Map(URI),
        "SSHFP" => Shape::Map(SSHFP),
        "DS" => Shape::Map(DS),
        "TLSA" => Shape::Map(TLSA),
        "NAPTR" => Shape::Map(NAPTR),
        "LOC" => Shape::Map(LOC),
        "SVCB" | "HTTPS" => Shape::Service,
        _ => return None,
    })
}

/// The canonical record data of one value.
pub(super) fn rdata(rtype: RType, shape: Shape, node: &Node, lenient: bool) -> Result<String, Refusal> {
    let text = match shape {
        Shape::Address | Shape::Key => word(node)?,
        Shape::Target { .. } => target(node, lenient)?,
        Shape::Text => txt::to_rdata(text(node, lenient)?, lenient).map_err(|refusal| refusal.at(node.place.clone()))?,
        Shape::Map(parts) => {
            let old = rtype == RType::DS && ["public_key", "flags"].iter().any(|key| node.get(key).is_some());
            map(node, if old { OLD_DS } else { parts }, lenient)?
        }
        Shape::Service => service(node, lenient)?,
    };
    let wire = parse_rdata(rtype, &text).map_err(|refusal| Refusal { place: Some(refusal.place.unwrap_or_else(|| node.place.clone())), ..refusal })?;
    Ok(print_rdata(rtype, &wire))
}

fn map(node: &Node, parts: &[Part], lenient: bool) -> Result<String, Refusal> {
    let pairs = node.as_map().ok_or_else(|| fault(node, format!("{} stands where a map must be", node.describe()), format!("write {}", names(parts))))?;
    known_keys(pairs, parts.iter().flat_map(|part| part.names.iter().copied()))?;
    let mut words = Vec::new();
    for part in parts {
        let given = part.names.iter().find_map(|name| node.get(name)).filter(|given| !given.is_null());
        words.push(match (given, part.default) {
            (Some(given), _) => written(part.style, given, lenient)?,
            (None, Some(default)) => default.to_owned(),
            (None, None) => return Err(fault(node, format!("`{}` is missing", part.names[0]), format!("write {}", names(parts)))),
        });
    }
    Ok(words.join(" "))
}

fn names(parts: &[Part]) -> String {
    let all: Vec<&str> = parts.iter().map(|part| part.names[0]).collect();
    format!("`{}`", all.join("`, `"))
}

fn written(style: Style, node: &Node, lenient: bool) -> Result<String, Refusal> {
    Ok(match style {
        Style::Number => number(node)?,
        Style::Name => target(node, lenient)?,
        Style::Quoted => quote(text(node, lenient)?),
        Style::Capitals => quote(&text(node, lenient)?.to_uppercase()),
        Style::Word => bare(node, text(node, lenient)?)?,
        Style::Hex => bare(node, &word(node)?)?,
        // Read as it stands: `52.10` and `52.1` are one number.
        Style::Decimal => bare(node, node.text().unwrap_or_default())?,
        Style::Metres => format!("{}m", bare(node, node.text().unwrap_or_default())?),
    })
}

/// octoDNS hands this text on as it is: escapes in it count, and a quote that no backslash covers gets one.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    let mut escaped = false;
    for c in text.chars() {
        if c == '"' && !escaped {
            out.push('\\');
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    if escaped {
        out.push('\\');
    }
    out.push('"');
    out
}

fn service(node: &Node, lenient: bool) -> Result<String, Refusal> {
    let keys = ["svcpriority", "targetname", "svcparams"];
    let pairs = node.as_map().ok_or_else(|| fault(node, format!("{} stands where a map must be", node.describe()), "write `svcpriority`, `targetname` and `svcparams`"))?;
    known_keys(pairs, keys.into_iter())?;
    let need =
        |key: &str| node.get(key).filter(|given| !given.is_null()).ok_or_else(|| fault(node, format!("`{key}` is missing"), "write `svcpriority`, `targetname` and `svcparams`"));
    let mut out = format!("{} {}", number(need("svcpriority")?)?, target(need("targetname")?, lenient)?);
    let Some(params) = node.get("svcparams").filter(|params| !params.is_null()) else { return Ok(out) };
    let params = params.as_map().ok_or_else(|| fault(params, format!("{} stands where a map must be", params.describe()), "write `svcparams: {alpn: [h2]}`"))?;
    for (key, value) in params {
        let name = bare(key, text(key, lenient)?)?;
        let words = match value.as_list() {
            Some(items) => Some(items.iter().map(word).collect::<Result<Vec<_>, _>>()?.join(",")),
            None if value.is_null() => None,
            None => Some(word(value)?),
        };
        out.push_str(&match words {
            Some(words) => format!(" {name}={}", quote(&words)),
            None => format!(" {name}"),
        });
    }
    Ok(out)
}

/// Refuses keys that nobody reads, with the nearest that somebody does.
pub(super) fn known_keys<'a>(pairs: &[(Node, Node)], known: impl Iterator<Item = &'a str> + Clone) -> Result<(), Refusal> {
    for (key, _) in pairs {
        let name = key.text().unwrap_or_default();
        if !known.clone().any(|known| key.as_str() == Some(known)) {
            let advice =
                nearest(name, known.clone()).map_or_else(|| format!("known here: {}", known.clone().collect::<Vec<_>>().join(", ")), |near| format!("did you mean `{near}`?"));
            return Err(Refusal::new(RefusalKind::Schema, format!("the key `{}` is not known here", short(name))).at(key.place.clone()).advice(advice));
        }
    }
    Ok(())
}

/// A full name with its last dot: octoDNS takes `host.example.com` and `host.example.com.` as the same.
///
/// Lenient reading takes any characters, each standing for itself.
fn target(node: &Node, lenient: bool) -> Result<String, Refusal> {
    let name = word(node)?;
    if name.is_empty() {
        return Err(fault(node, "the name is empty", "write the name in full"));
    }
    if name == "." || name.contains("://") {
        return Ok(name);
    }
    let bare = name.strip_suffix('.').unwrap_or(&name);
    // Not even leniently: escapes stand in no host name, and each reader would make another name of them.
    if bare.contains('\\') {
        return Err(fault(node, format!("`{}` is no host name: a backslash stands in it", short(&name)), "write a host name; text such as a policy belongs into a TXT record"));
    }
    let odd = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.');
    if lenient {
        let plain = bare.chars().map(|c| if odd(c) { format!("\\{:03}", u32::from(c)) } else { c.to_string() }).collect::<String>();
        return Ok(format!("{plain}."));
    }
    if let Some(bad) = bare.chars().find(|c| odd(*c)) {
        return Err(fault(
            node,
            format!("`{}` is no host name: `{bad}` stands in it", short(&name)),
            "write a name of letters, digits, `-` and `_`, or allow others with `octodns: {lenient: true}`",
        ));
    }
    if !bare.contains('.') {
        return Err(fault(node, format!("`{}` is no full name", short(&name)), "write the name in full, as in `host.example.com.`"));
    }
    Ok(format!("{bare}."))
}

/// Text without blanks and quotes, so that it stays one word of record data.
fn bare(node: &Node, text: &str) -> Result<String, Refusal> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"') {
        return Err(fault(node, format!("`{}` is not one word", short(text)), "remove blanks and quotes"));
    }
    Ok(text.to_owned())
}

fn number(node: &Node) -> Result<String, Refusal> {
    let digits = match Scalar::of(node) {
        Some(Scalar::Int(number)) => Some(number.to_string()),
        Some(Scalar::Text(text)) => Some(text.trim().to_owned()).filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())),
        Some(Scalar::Null | Scalar::Bool(_) | Scalar::Float(_)) | None => None,
    };
    digits.ok_or_else(|| fault(node, format!("{} stands where a whole number must be", node.describe()), "write the number in digits"))
}

/// A scalar as text, where octoDNS would make text of anything; refused where YAML 1.1 makes another text of it than stands there.
fn word(node: &Node) -> Result<String, Refusal> {
    let Some(scalar) = Scalar::of(node) else {
        return Err(fault(node, format!("{} stands where text must be", node.describe()), "write one text"));
    };
    let (read, stands) = (scalar.python(), node.text().unwrap_or_default());
    match scalar {
        Scalar::Null => Err(fault(node, "the value is empty", "write the value")),
        _ if read != stands => Err(fault(node, format!("YAML 1.1 reads `{}` as `{}`", short(stands), short(&read)), "put it in quotes")),
        _ => Ok(read),
    }
}

/// Text that octoDNS takes only as text; lenient reading takes what stands there.
fn text(node: &Node, lenient: bool) -> Result<&str, Refusal> {
    match Scalar::of(node) {
        Some(Scalar::Text(_)) => Ok(node.text().unwrap_or_default()),
        Some(Scalar::Null) => Err(fault(node, "the value is empty", "write the value; an empty text is `''`")),
        Some(Scalar::Bool(_) | Scalar::Int(_) | Scalar::Float(_)) if lenient => Ok(node.text().unwrap_or_default()),
        Some(Scalar::Bool(_) | Scalar::Int(_) | Scalar::Float(_)) => {
            Err(fault(node, format!("YAML 1.1 reads `{}` as a number or a truth value, not as text", short(node.text().unwrap_or_default())), "put it in quotes"))
        }
        None => Err(fault(node, format!("{} stands where text must be", node.describe()), "write one text")),
    }
}

pub(super) fn fault(node: &Node, what: impl Into<String>, advice: impl Into<String>) -> Refusal {
    at(&node.place, what, advice)
}

pub(super) fn at(place: &Place, what: impl Into<String>, advice: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Value, what).at(place.clone()).advice(advice)
}

/// At most sixty characters of a text, control characters blanked.
pub(super) fn short(text: &str) -> String {
    let clean: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() > 60 { format!("{clean}…") } else { clean }
}

/// The values of a record: what stands in `values`, else in `value`, as a list.
pub(super) fn values<'a>(record: &'a Node, shape: Shape, place: &Place) -> Result<Vec<&'a Node>, Refusal> {
    let single = matches!(shape, Shape::Target { single: true });
    let (several, one) = (record.get("values"), record.get("value"));
    if let (Some(several), Some(_)) = (several, one) {
        return Err(fault(several, "`value` and `values` both stand here", "keep one of the two"));
    }
    let given = match (several, one) {
        (Some(several), _) if single => return Err(fault(several, "this type has one value", "write it as `value:`")),
        (Some(given), _) | (None, Some(given)) => given,
        (None, None) => return Err(at(place, "the record has no value", "add `value:` or `values:`")),
    };
    match &given.kind {
        NodeKind::List(items) if items.is_empty() => Err(fault(given, "the record has no value", "write at least one, or remove the record")),
        NodeKind::List(_) if single => Err(fault(given, "this type has one value, not a list", "write it as `value: name`")),
        NodeKind::List(items) => Ok(items.iter().collect()),
        NodeKind::Null => Err(fault(given, "the record has no value", "write the value, or remove the record")),
        NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) | NodeKind::Str(_) | NodeKind::Map(_) => Ok(vec![given]),
    }
}
