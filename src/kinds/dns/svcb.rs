//! The parameters of SVCB and HTTPS records (RFC 9460): `alpn=h2,h3 port=8443` to octets and back.

use super::{
    fault::fault,
    text::{Token, quoted, unescape},
};
use crate::core::model::Refusal;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
};

/// The names of keys by number (RFC 9460, 14.3.2).
const KEYS: [&str; 8] = ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath"];

fn key_number(name: &str) -> Option<u16> {
    let lower = name.to_ascii_lowercase();
    match KEYS.iter().position(|key| *key == lower) {
        Some(at) => u16::try_from(at).ok(),
        None => lower.strip_prefix("key")?.parse().ok(),
    }
}

fn key_name(number: u16) -> String {
    KEYS.get(usize::from(number)).map_or_else(|| format!("key{number}"), |name| (*name).to_owned())
}

/// The wire form of parameter tokens, in the order of their keys.
pub(super) fn parse(tokens: &[Token<'_>]) -> Result<Vec<u8>, Refusal> {
    let mut params: BTreeMap<u16, Vec<u8>> = BTreeMap::new();
    for token in tokens {
        let (name, value) = token.raw.split_once('=').map_or((token.raw, None), |(name, value)| (name, Some(value)));
        let number = key_number(name)
            .ok_or_else(|| fault(format!("`{name}` is no service parameter"), "use alpn, no-default-alpn, port, ipv4hint, ipv6hint, ech, mandatory, dohpath, or `key123`"))?;
        let value = value.map(|value| value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value));
        let octets = match value {
            Some(value) => octets(number, &unescape(value)?)?,
            None => Vec::new(),
        };
        // Keys without a name may have a value or none.
        let valueless = number == 2;
        if valueless != octets.is_empty() && usize::from(number) < KEYS.len() {
            return Err(fault(format!("`{name}` {}", if valueless { "takes no value" } else { "needs a value" }), "write it as in `1 . alpn=h2,h3 port=8443`"));
        }
        if params.insert(number, octets).is_some() {
            return Err(fault(format!("`{name}` stands twice"), "leave one"));
        }
    }
    let mut wire = Vec::new();
    for (number, octets) in params {
        let len = u16::try_from(octets.len()).map_err(|_| fault(format!("`{}` is too long", key_name(number)), "shorten it"))?;
        wire.extend(number.to_be_bytes());
        wire.extend(len.to_be_bytes());
        wire.extend(octets);
    }
    Ok(wire)
}

fn octets(number: u16, value: &[u8]) -> Result<Vec<u8>, Refusal> {
    let name = key_name(number);
    let broken = |advice: &str| fault(format!("`{name}` has a value that does not fit it"), advice);
    let text = || std::str::from_utf8(value).map_err(|_| broken("write plain text"));
    match number {
        0 => {
            let mut keys: Vec<u16> = Vec::new();
            for key in text()?.split(',') {
                keys.push(key_number(key).ok_or_else(|| broken("list parameter names with commas between"))?);
            }
            keys.sort_unstable();
            Ok(keys.into_iter().flat_map(u16::to_be_bytes).collect())
        }
        1 => {
            let mut out = Vec::new();
            for item in list(value) {
                let len = u8::try_from(item.len()).ok().filter(|len| *len > 0).ok_or_else(|| broken("write protocol ids of 1 to 255 octets with commas between"))?;
                out.push(len);
                out.extend(item);
            }
            Ok(out)
        }
        3 => Ok(text()?.parse::<u16>().map_err(|_| broken("write a number up to 65535"))?.to_be_bytes().to_vec()),
        4 => addresses(text()?, |item| item.parse::<Ipv4Addr>().ok().map(|address| address.octets().to_vec())).ok_or_else(|| broken("write IPv4 addresses with commas between")),
        6 => addresses(text()?, |item| item.parse::<Ipv6Addr>().ok().map(|address| address.octets().to_vec())).ok_or_else(|| broken("write IPv6 addresses with commas between")),
        5 => BASE64.decode(value).map_err(|_| broken("write it in base 64")),
        _ => Ok(value.to_vec()),
    }
}

fn addresses(text: &str, parse: impl Fn(&str) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    text.split(',').map(parse).collect::<Option<Vec<_>>>().map(|all| all.concat())
}

/// Splits a value list at commas that no backslash covers (RFC 9460, appendix A.1).
fn list(value: &[u8]) -> Vec<Vec<u8>> {
    let mut out = vec![Vec::new()];
    let mut bytes = value.iter().copied();
    while let Some(byte) = bytes.next() {
        let last = out.len() - 1;
        match byte {
            b',' => out.push(Vec::new()),
            b'\\' => out[last].extend(bytes.next()),
            _ => out[last].push(byte),
        }
    }
    out
}

/// The canonical words of parameter octets; `None` when they are malformed or out of order.
pub(super) fn print(wire: &[u8]) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut rest = wire;
    let mut last = None;
    while !rest.is_empty() {
        let ([a, b, c, d], after) = rest.split_first_chunk::<4>()?;
        let number = u16::from_be_bytes([*a, *b]);
        let (value, after) = after.split_at_checked(usize::from(u16::from_be_bytes([*c, *d])))?;
        rest = after;
        if last.is_some_and(|last| last >= number) {
            return None;
        }
        last = Some(number);
        let text = text_of(number, value)?;
        let name = key_name(number);
        out.push(if text.is_empty() {
            name
        } else if text.iter().all(|byte| byte.is_ascii_alphanumeric() || b",.:-_+/=".contains(byte)) {
            format!("{name}={}", text.iter().copied().map(char::from).collect::<String>())
        } else {
            format!("{name}={}", quoted(&text))
        });
    }
    Some(out)
}

fn text_of(number: u16, value: &[u8]) -> Option<Vec<u8>> {
    let joined = |items: Vec<String>| Some(items.join(",").into_bytes());
    if (number == 2) != value.is_empty() && usize::from(number) < KEYS.len() {
        return None;
    }
    match number {
        0 if value.len().is_multiple_of(2) => joined(value.chunks(2).map(|pair| key_name(u16::from_be_bytes([pair[0], pair[1]]))).collect()),
        1 => {
            let mut out = Vec::new();
            let mut rest = value;
            while let Some((&len, after)) = rest.split_first() {
                let (item, after) = after.split_at_checked(usize::from(len)).filter(|(item, _)| !item.is_empty())?;
                rest = after;
                if !out.is_empty() {
                    out.push(b',');
                }
                for &byte in item {
                    if byte == b',' || byte == b'\\' {
                        out.push(b'\\');
                    }
                    out.push(byte);
                }
            }
            Some(out)
        }
        3 => Some(u16::from_be_bytes(value.try_into().ok()?).to_string().into_bytes()),
        4 if value.len().is_multiple_of(4) => joined(value.chunks(4).map(|at| Ipv4Addr::new(at[0], at[1], at[2], at[3]).to_string()).collect()),
        5 => Some(BASE64.encode(value).into_bytes()),
        6 => joined(value.chunks(16).map(|at| Some(Ipv6Addr::from(<[u8; 16]>::try_from(at).ok()?).to_string())).collect::<Option<_>>()?),
        0 | 4 => None,
        _ => Some(value.to_vec()),
    }
}
