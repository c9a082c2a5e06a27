//! What a scalar means: the YAML 1.2 core schema (YAML 1.2.2, section 10.3.2).

use super::NodeKind;

/// Resolves a plain scalar's text.
pub(super) fn plain(text: &str) -> NodeKind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => NodeKind::Null,
        "true" | "True" | "TRUE" => NodeKind::Bool(true),
        "false" | "False" | "FALSE" => NodeKind::Bool(false),
        _ => number(text).unwrap_or_else(|| NodeKind::Str(text.to_owned())),
    }
}

/// Resolves a scalar with a core tag (`!!int 5`); `None` when the text is not of that type.
pub(super) fn tagged(tag: &str, text: &str) -> Option<NodeKind> {
    match (tag, plain(text)) {
        ("str", _) => Some(NodeKind::Str(text.to_owned())),
        ("null", kind @ NodeKind::Null) | ("bool", kind @ NodeKind::Bool(_)) | ("int", kind @ NodeKind::Int(_)) | ("float", kind @ NodeKind::Num(_)) => Some(kind),
        ("float", NodeKind::Int(_)) => Some(NodeKind::Num(text.to_owned())),
        _ => None,
    }
}

fn number(text: &str) -> Option<NodeKind> {
    // Most scalars are words: the first character decides at once.
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return None;
    }
    let num = || Some(NodeKind::Num(text.to_owned()));
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix).filter(|digits| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix))) {
            return i64::from_str_radix(digits, radix).map(NodeKind::Int).ok().or_else(num);
        }
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if all_digits(unsigned) {
        return text.parse().map(NodeKind::Int).ok().or_else(num);
    }
    let special = matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN");
    if special || is_float(unsigned) { num() } else { None }
}

/// `[0-9]*.[0-9]*` with a digit somewhere before an optional exponent.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|exponent| all_digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)));
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_fits
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{NodeKind, plain, tagged};

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        let num = |text: &str| NodeKind::Num(text.into());
        let text = |text: &str| NodeKind::Str(text.into());
        for (source, kind) in [
            ("", NodeKind::Null),
            ("~", NodeKind::Null),
            ("nuLL", text("nuLL")),
            ("True", NodeKind::Bool(true)),
            ("yes", text("yes")),
            ("010", NodeKind::Int(10)),
            ("-7", NodeKind::Int(-7)),
            ("0o17", NodeKind::Int(15)),
            ("0xFf", NodeKind::Int(255)),
            ("0x", text("0x")),
            ("9223372036854775808", num("9223372036854775808")),
            ("1.10", num("1.10")),
            (".5", num(".5")),
            ("5.", num("5.")),
            ("1e3", num("1e3")),
            ("-.inf", num("-.inf")),
            (".nan", num(".nan")),
            ("-.nan", text("-.nan")),
            (".", text(".")),
            ("-", text("-")),
            ("1_000", text("1_000")),
            ("1.2.3.4", text("1.2.3.4")),
            ("1e", text("1e")),
            ("12:30", text("12:30")),
        ] {
            assert_eq!(plain(source), kind, "{source}");
        }
    }

    #[test]
    fn a_core_tag_decides_or_does_not_fit() {
        assert_eq!(tagged("str", "5"), Some(NodeKind::Str("5".into())));
        assert_eq!(tagged("int", "5"), Some(NodeKind::Int(5)));
        assert_eq!(tagged("float", "5"), Some(NodeKind::Num("5".into())));
        assert_eq!(tagged("int", "five"), None);
    }
}
