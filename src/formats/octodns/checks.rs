//! `octodns.healthcheck`: what octoDNS has providers ask of a record's values, with its own defaults.

use super::{
    fields::{fault, short},
    scalar::Scalar,
};
use crate::{
    core::model::{Check, Door, HealthCheck, Place, Refusal, Str, nearest},
    formats::yaml::Node,
    kinds::dns::{DnsName, RType},
};
use std::net::IpAddr;

/// What octoDNS reads there; others are providers' own.
const KEYS: [&str; 4] = ["host", "path", "port", "protocol"];

/// Where octoDNS has providers ask, where the record does not say.
const PATH: &str = "/_dns";

/// Longer than anybody reads, and it is part of every plan.
const LONGEST: usize = 2000;

/// The health check of a record, if there is one; `asked`: the source opted in.
pub(super) fn read(owner: &DnsName, rtype: RType, record: &Node, asked: bool) -> Result<Option<Check>, Refusal> {
    let Some((key, section)) = record.get("octodns").and_then(|octodns| octodns.entry("healthcheck")).filter(|(_, section)| !section.is_null()) else { return Ok(None) };
    let place = key.place.clone();
    let unasked = |why: &str| Ok(Some(Check::Unasked { why: why.into(), place: place.clone() }));
    if !asked {
        return unasked("`healthchecks: true` beside the source asks it");
    }
    let pairs = section
        .as_map()
        .ok_or_else(|| fault(section, format!("{} stands where a map must be", section.describe()), "write `healthcheck: {path: /healthz, protocol: HTTP, port: 80}`"))?;
    for (key, _) in pairs {
        let name = key.text().unwrap_or_default();
        if let Some(near) = nearest(name, KEYS).filter(|near| *near != name) {
            return Err(fault(key, format!("the key `{}` is not known here", short(name)), format!("did you mean `{near}`?")));
        }
    }
    if !matches!(rtype, RType::A | RType::AAAA | RType::CNAME) {
        return unasked("only values of A, AAAA and CNAME records can be asked");
    }
    let tls = match text(section, "protocol")? {
        None | Some("HTTPS") => Some(true),
        Some("HTTP") => Some(false),
        Some("TCP") => None,
        Some(other @ ("UDP" | "ICMP")) => return unasked(&format!("{other} is not asked; HTTP, HTTPS and TCP are")),
        Some(other) => {
            let node = section.get("protocol").unwrap_or(section);
            return Err(fault(node, format!("`{}` is no protocol of a health check", short(other)), "write `HTTPS`, `HTTP` or `TCP`"));
        }
    };
    let door = match tls {
        None => Door::Tcp,
        Some(tls) => Door::Web { tls, host: host(owner, section, &place)?, path: path(section)? },
    };
    Ok(Some(Check::Asked(HealthCheck { door, port: port(section)?, place })))
}

/// Whom it is asked for: the record itself where nothing is said, as octoDNS has it, and its values where that is null.
fn host(owner: &DnsName, section: &Node, place: &Place) -> Result<Option<Str>, Refusal> {
    let Some(node) = section.get("host") else {
        let name = owner.to_string().trim_end_matches('.').to_owned();
        let advice = format!("write `host:`, as in `host: {}`", name.trim_start_matches("*."));
        return if is_host(&name) { Ok(Some(name.into())) } else { Err(super::fields::at(place, format!("`{}` is no host that anybody could ask", short(&name)), advice)) };
    };
    let Some(name) = text(section, "host")?.filter(|name| !name.is_empty()) else { return Ok(None) };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.parse::<IpAddr>().is_ok() {
        return Err(fault(node, format!("`{name}` is an address, and each value is asked at its own"), "write the site's name, or `host: null` for the value itself"));
    }
    if !is_host(name) {
        return Err(fault(node, format!("`{}` is no host name", short(name)), "write it as in `www.example.com`"));
    }
    Ok(Some(name.to_lowercase().into()))
}

fn path(section: &Node) -> Result<Str, Refusal> {
    let Some(path) = text(section, "path")?.filter(|path| !path.is_empty()) else { return Ok(PATH.into()) };
    if path.len() > LONGEST || path.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '\\' | '#')) {
        let node = section.get("path").unwrap_or(section);
        return Err(fault(node, format!("`{}` is no path", short(path)), "write it as in `/healthz`"));
    }
    Ok(if path.starts_with('/') { path.into() } else { format!("/{path}").into() })
}

/// 443 whatever the protocol, as octoDNS has it.
fn port(section: &Node) -> Result<u16, Refusal> {
    let Some(node) = section.get("port") else { return Ok(443) };
    let number = match Scalar::of(node) {
        Some(Scalar::Int(number)) => u16::try_from(number).ok(),
        Some(Scalar::Text(text)) => text.trim().parse().ok(),
        Some(Scalar::Null | Scalar::Bool(_) | Scalar::Float(_)) | None => None,
    };
    number.filter(|port| *port > 0).ok_or_else(|| fault(node, "the port is no number from 1 to 65535", "write it in digits: `port: 443`"))
}

/// The text under a key; none where there is nothing.
fn text<'n>(section: &'n Node, key: &str) -> Result<Option<&'n str>, Refusal> {
    let Some(node) = section.get(key) else { return Ok(None) };
    match Scalar::of(node) {
        Some(Scalar::Null) => Ok(None),
        Some(Scalar::Text(_)) => Ok(node.text()),
        Some(Scalar::Bool(_) | Scalar::Int(_) | Scalar::Float(_)) | None => Err(fault(node, format!("{} stands where text must be", node.describe()), "put it in quotes")),
    }
}

fn is_host(name: &str) -> bool {
    !name.is_empty() && name.len() < 254 && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}
