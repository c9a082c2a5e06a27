//! What DNS means: the canonical form of an RRset, its zone, its references, and what cannot be live together.

use super::{
    RType, check,
    fault::fault,
    ids::{self, split, zone_text},
    rdata, text,
};
use crate::core::{
    model::{Desired, Kind, Limits, Mention, Refusal, ResourceId, Span, Str, Unit, Value},
    plan::Undo,
};

/// The DNS kind.
#[derive(Clone, Copy, Debug)]
pub struct Dns;

/// The one instance.
pub static DNS: Dns = Dns;

/// The largest TTL (RFC 2181, 8).
pub(super) const MAX_TTL: i64 = (1 << 31) - 1;

/// The canonical value of an RRset, from values that are canonical one by one.
pub fn rrset(ttl: u32, mut values: Vec<String>) -> Value {
    values.sort();
    values.dedup();
    Value::map([("ttl", Value::Int(i64::from(ttl))), ("values", Value::List(values.into_iter().map(Value::str).collect()))])
}

/// The record data of an RRset's value, one text a record.
pub fn data(value: &Value) -> impl Iterator<Item = &str> {
    value.get("values").map(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_str)
}

impl Kind for Dns {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn stands_by_name(&self) -> bool {
        true
    }

    /// `ttl`, and `values.0` on in the order of the canonical form.
    fn fields(&self, value: &Value) -> Vec<(Str, Str)> {
        let ttl = value.get("ttl").and_then(Value::as_int).map(|ttl| ("ttl".into(), ttl.to_string().into()));
        let values = value.get("values").map(Value::as_list).unwrap_or_default().iter().enumerate();
        ttl.into_iter().chain(values.filter_map(|(at, data)| Some((format!("values.{at}").into(), data.as_str()?.into())))).collect()
    }

    fn written(&self, id: &ResourceId, text: &str) -> Result<String, Refusal> {
        text::written(id.name.rsplit('/').next().unwrap_or_default(), text)
    }

    fn made_elsewhere(&self, id: &ResourceId) -> Option<&'static str> {
        let rtype = RType::parse(id.name.rsplit('/').next()?).ok()?;
        rtype.generated().then_some("the name server makes it, anew with every change of the zone")
    }

    fn canon(&self, id: &ResourceId, value: Value) -> Result<Value, Refusal> {
        let parts = split(id)?;
        if parts.rtype.generated() || parts.rtype.is_meta() {
            return Err(fault(format!("{} records are made by the name server", parts.rtype), "leave the record out"));
        }
        let Value::Map(map) = &value else {
            return Err(fault(format!("`{id}` is no map of ttl and values"), "write `ttl` and `values`"));
        };
        if let Some(key) = map.keys().find(|key| !["ttl", "values"].contains(&&***key)) {
            return Err(fault(format!("`{key}` means nothing to an RRset"), "write `ttl` and `values` alone"));
        }
        let ttl = value.get("ttl").and_then(Value::as_int).filter(|ttl| (0..=MAX_TTL).contains(ttl)).and_then(|ttl| u32::try_from(ttl).ok());
        let ttl = ttl.ok_or_else(|| fault(format!("the ttl is no number from 0 to {MAX_TTL}"), "write it in seconds: `ttl: 300`"))?;
        let mut values = Vec::new();
        for text in value.get("values").map(Value::as_list).unwrap_or_default() {
            let text = text.as_str().ok_or_else(|| fault(format!("`{text}` is no record data"), "write record data as text"))?;
            values.push(rdata::print(parts.rtype, &rdata::parse(parts.rtype, text)?));
        }
        if values.is_empty() {
            return Err(fault("the RRset has no value", "give it one, or leave the record out"));
        }
        let canonical = rrset(ttl, values);
        let count = canonical.get("values").map_or(0, |values| values.as_list().len());
        if count > 1 && matches!(parts.rtype, RType::CNAME | RType::DNAME) {
            return Err(fault(format!("a {} has {count} values; one is allowed", parts.rtype), "leave one"));
        }
        Ok(canonical)
    }

    fn unit(&self, id: &ResourceId) -> Unit {
        Unit::new(zone_text(id).replace("\\047", "/"))
    }

    /// About one UPDATE message: at most 64 KiB over TCP, all or nothing, applied in order (RFC 2136, 3.4). The driver sends what does not fit as a second.
    fn limits(&self) -> Limits {
        // A plan weighs text and guesses what stands beside it; on the wire, where names are compressed and addresses take four octets, the
        // usual record takes two thirds of its weight or less. A smaller bound leaves messages half empty, and every step costs a proof.
        Limits { ops: 2_000, bytes: 88 * 1024, atomic: true, ordered: true }
    }

    fn undo(&self, before: Option<&Value>, _after: Option<&Value>) -> Undo {
        Undo::To(before.cloned())
    }

    fn mentions(&self, id: &ResourceId, value: &Value) -> Vec<Mention> {
        let Some(rule) = rule(id) else { return Vec::new() };
        let Ok(parts) = split(id) else { return Vec::new() };
        let wires = data(value).filter_map(|text| rdata::parse(parts.rtype, text).ok());
        let names = wires.filter_map(|wire| rdata::pointed(parts.rtype, &wire)).filter(|name| !name.is_root());
        let mut out: Vec<Mention> = names.map(|name| Mention { key: format!("dns:{name}").into(), rule: rule.into(), guess: false }).collect();
        out.sort();
        out.dedup();
        out
    }

    fn provides(&self, id: &ResourceId, _value: &Value) -> Vec<Str> {
        if !matches!(id.name.rsplit('/').next(), Some("A" | "AAAA" | "CNAME")) {
            return Vec::new();
        }
        split(id).map(|parts| vec![format!("dns:{}", parts.owner).into()]).unwrap_or_default()
    }

    /// All RRsets of one owner share a key, since any of them can be what a CNAME replaces; the apex can hold no CNAME and has none.
    fn excludes(&self, id: &ResourceId) -> Vec<Str> {
        match id.name.rsplit_once('/') {
            Some((owner, _)) if !owner.ends_with("/@") => vec![format!("owner {owner}").into()],
            Some(_) | None => Vec::new(),
        }
    }

    fn beside(&self, id: &ResourceId, made: bool) -> Vec<ResourceId> {
        ids::beside(id, made)
    }

    fn check_unit(&self, desired: &Desired) -> Vec<Refusal> {
        check::unit(desired)
    }

    /// Caches keep the RRset as long as it said (RFC 1035, 3.2.1).
    fn lingers(&self, _id: &ResourceId, value: &Value) -> Option<Span> {
        let ttl = value.get("ttl").and_then(Value::as_int)?;
        u64::try_from(ttl).ok().filter(|ttl| *ttl > 0).map(Span::secs)
    }

    /// Addresses that all change: old and new ones together, with the new TTL.
    fn between(&self, id: &ResourceId, from: &Value, to: &Value) -> Option<Value> {
        if !matches!(id.name.rsplit('/').next(), Some("A" | "AAAA")) {
            return None;
        }
        let values = |of: &Value| data(of).map(str::to_owned).collect::<Vec<_>>();
        let (old, new) = (values(from), values(to));
        let ttl = to.get("ttl").and_then(Value::as_int).and_then(|ttl| u32::try_from(ttl).ok())?;
        (!old.iter().any(|old| new.contains(old))).then(|| rrset(ttl, [old, new].concat()))
    }

    fn protected(&self, id: &ResourceId) -> Option<Str> {
        let (owner, rtype) = id.name.rsplit_once('/')?;
        match rtype {
            "NS" if owner.ends_with("/@") => Some("a zone without its own name servers answers nobody".into()),
            "SOA" if owner.ends_with("/@") => Some("a zone without its SOA is no zone".into()),
            _ => None,
        }
    }

    fn health(&self) -> &'static [&'static str] {
        &["answered_by_all"]
    }

    fn title(&self, id: &ResourceId) -> String {
        match split(id) {
            Ok(parts) => format!("{} {}", parts.owner.to_string().trim_end_matches('.'), parts.rtype),
            Err(_) => id.name.to_string(),
        }
    }

    fn lines(&self, _id: &ResourceId, value: &Value) -> Vec<String> {
        let ttl = value.get("ttl").map_or_else(|| "?".to_owned(), Value::to_string);
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match value.get("values") {
            Some(values) => values.as_list().iter().map(|value| format!("{ttl} {}", text(value))).collect(),
            None => vec![value.to_string()],
        }
    }
}

/// Why the types that point at names do, by the last segment of the id; `None` for the others, without parsing anything.
fn rule(id: &ResourceId) -> Option<&'static str> {
    match id.name.rsplit('/').next()? {
        "CNAME" => Some("a CNAME points at a name"),
        "DNAME" => Some("a DNAME points at a name"),
        "MX" => Some("mail goes to a name"),
        "NS" => Some("a delegation points at a name server"),
        "PTR" => Some("an address points back at a name"),
        "SRV" => Some("a service is found at a name"),
        "SVCB" | "HTTPS" => Some("a service binding points at a name"),
        _ => None,
    }
}
