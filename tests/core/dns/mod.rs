//! The DNS kind.

mod kind;
mod rdata;
mod wire;

use trueup::core::model::{Refusal, ResourceId, Value};
use trueup::kinds::dns::{DnsName, RType, rrset_id};

/// The id of an RRset of `example.com.` on the target `ns`.
pub fn id(owner: &str, rtype: &str) -> ResourceId {
    let zone = DnsName::parse("example.com.").unwrap();
    let owner = if owner == "@" { zone.clone() } else { DnsName::parse_under(owner, &zone).unwrap() };
    rrset_id("ns", &zone, &owner, RType::parse(rtype).unwrap()).unwrap()
}

/// A value as a format hands it on, not yet canonical.
pub fn raw(ttl: i64, values: &[&str]) -> Value {
    Value::map([("ttl", Value::Int(ttl)), ("values", Value::List(values.iter().map(|text| Value::str(*text)).collect()))])
}

/// The canonical texts of one value.
pub fn canon(rtype: &str, values: &[&str]) -> Result<Vec<String>, Refusal> {
    use trueup::core::model::Kind as _;
    let value = trueup::kinds::dns::DNS.canon(&id("www", rtype), raw(300, values))?;
    Ok(value.get("values").unwrap().as_list().iter().map(|text| text.as_str().unwrap().to_owned()).collect())
}
