//! What a plain scalar is by YAML 1.1, as octoDNS' own reader takes it, and the text that Python makes of it.

use crate::formats::yaml::{Node, NodeKind};

/// A scalar as octoDNS sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i128),
    /// A float, as Python prints it.
    Float(String),
    Text(String),
}

impl Scalar {
    /// `None` for lists and maps.
    pub fn of(node: &Node) -> Option<Self> {
        let text = node.text()?;
        if node.is_plain() {
            return Some(plain(text));
        }
        Some(match &node.kind {
            NodeKind::Null => Self::Null,
            NodeKind::Bool(b) => Self::Bool(*b),
            NodeKind::Int(n) => Self::Int(i128::from(*n)),
            NodeKind::Num(_) => float(text).map_or_else(|| Self::Text(text.to_owned()), Self::Float),
            NodeKind::Str(_) | NodeKind::List(_) | NodeKind::Map(_) => Self::Text(text.to_owned()),
        })
    }

    /// The text that Python's `str()` gives.
    pub fn python(&self) -> String {
        match self {
            Self::Null => "None".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Int(n) => n.to_string(),
            Self::Float(text) | Self::Text(text) => text.clone(),
        }
    }
}

/// Whether a scalar without quotes is this very text.
pub(super) fn is_text(text: &str) -> bool {
    matches!(plain(text), Scalar::Text(_))
}

/// Resolves a scalar without quotes by the types of YAML 1.1 (yaml.org/type).
fn plain(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Scalar::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Scalar::Bool(false),
        _ => {}
    }
    match int(text) {
        Some(number) => Scalar::Int(number),
        None => float(text).map_or_else(|| Scalar::Text(text.to_owned()), Scalar::Float),
    }
}

/// `_` between digits, `0b`, leading-zero octal, `0x` and base 60 are all integers in YAML 1.1.
fn int(text: &str) -> Option<i128> {
    let (negative, digits) = sign(text);
    let all = |digits: &str, test: fn(char) -> bool| !digits.is_empty() && digits.chars().all(|c| c == '_' || test(c));
    let radix = |digits: &str, radix| i128::from_str_radix(&digits.replace('_', ""), radix).ok();
    let number = if let Some(bits) = digits.strip_prefix("0b").filter(|bits| all(bits, |c| matches!(c, '0' | '1'))) {
        radix(bits, 2)?
    } else if let Some(hex) = digits.strip_prefix("0x").filter(|hex| all(hex, |c| c.is_ascii_hexdigit())) {
        radix(hex, 16)?
    } else if let Some(octal) = digits.strip_prefix('0').filter(|octal| all(octal, |c| matches!(c, '0'..='7'))) {
        radix(octal, 8)?
    } else if digits == "0" {
        0
    } else if digits.starts_with(|c: char| matches!(c, '1'..='9')) {
        let (first, rest) = digits.split_once(':').map_or((digits, None), |(first, rest)| (first, Some(rest)));
        if !all(first, |c| c.is_ascii_digit()) {
            return None;
        }
        rest.map_or(Some(Vec::new()), base_60)?.into_iter().try_fold(radix(first, 10)?, |sum, next| sum.checked_mul(60)?.checked_add(next))?
    } else {
        return None;
    };
    Some(if negative { -number } else { number })
}

fn base_60(text: &str) -> Option<Vec<i128>> {
    text.split(':').map(|part| part.parse().ok().filter(|_| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())).filter(|n: &i128| *n < 60)).collect()
}

/// A float as Python prints it; an exponent needs a dot before it and a sign in it.
fn float(text: &str) -> Option<String> {
    let (negative, digits) = sign(text);
    match digits {
        ".inf" | ".Inf" | ".INF" => return Some(if negative { "-inf" } else { "inf" }.to_owned()),
        _ if matches!(text, ".nan" | ".NaN" | ".NAN") => return Some("nan".to_owned()),
        _ => {}
    }
    let (whole, rest) = digits.split_once('.')?;
    if whole.contains(':') {
        return base_60_float(negative, whole, rest);
    }
    let (fraction, exponent) = rest.split_once(['e', 'E']).map_or((rest, None), |(fraction, exponent)| (fraction, Some(exponent)));
    let plain_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let fits = plain_digits(whole)
        && plain_digits(fraction)
        && if whole.is_empty() { fraction.starts_with(|c: char| c.is_ascii_digit()) && text.starts_with('.') } else { whole.starts_with(|c: char| c.is_ascii_digit()) };
    let exponent_fits = exponent.is_none_or(|exponent| exponent.strip_prefix(['-', '+']).is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())));
    if !fits || !exponent_fits {
        return None;
    }
    text.replace('_', "").parse().ok().map(python_float)
}

fn base_60_float(negative: bool, whole: &str, fraction: &str) -> Option<String> {
    let (first, rest) = whole.split_once(':')?;
    let first: i128 = first.parse().ok()?;
    if !fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        return None;
    }
    let whole = base_60(rest)?.into_iter().try_fold(first, |sum, next| sum.checked_mul(60)?.checked_add(next))?;
    format!("{}{whole}.{}0", if negative { "-" } else { "" }, fraction.replace('_', "")).parse().ok().map(python_float)
}

/// The shortest text that reads back, with Python's border to exponents.
fn python_float(number: f64) -> String {
    if number.is_infinite() {
        return if number < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    if number == 0.0 || (1e-4..1e16).contains(&number.abs()) {
        return format!("{number:?}");
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    /// Each pair was printed by PyYAML's `SafeLoader` and `str()`.
    #[test]
    fn plain_scalars_become_the_text_that_python_makes_of_them() {
        for (source, python) in [
            ("www", "www"),
            ("1", "1"),
            ("010", "8"),
            ("09", "09"),
            ("0", "0"),
            ("-0", "0"),
            ("1_000", "1000"),
            ("0x1F", "31"),
            ("0b11", "3"),
            ("12:30", "750"),
            ("190:20:30", "685230"),
            ("1.10", "1.1"),
            ("1.0", "1.0"),
            ("1.", "1.0"),
            (".5", "0.5"),
            ("-.5", "-.5"),
            ("1e3", "1e3"),
            ("1.0e+3", "1000.0"),
            ("1.0e3", "1.0e3"),
            ("1.0e+20", "1e+20"),
            ("1.5e-7", "1.5e-07"),
            ("123456789.123456789", "123456789.12345679"),
            ("1.2.3", "1.2.3"),
            ("~", "None"),
            ("yes", "True"),
            ("off", "False"),
            ("y", "y"),
            ("129688", "129688"),
            (".inf", "inf"),
            (".nan", "nan"),
            ("12:30.5", "750.5"),
        ] {
            assert_eq!(plain(source).python(), python, "{source}");
        }
    }
}
