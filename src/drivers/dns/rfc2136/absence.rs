//! How long resolvers remember that a name was not there: the lesser of the SOA's own TTL and its last field (RFC 2308, 5).

use super::{
    driver::Rfc2136,
    question::{exact, question},
};
use crate::{
    core::model::{ABSENCE_LINGERS, FactValue, Observed},
    kinds::dns::{DnsName, split, wire},
};
use hickory_proto::rr::{RData, RecordType};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

/// Sets the fact of every resource whose zone's SOA could be read; without it a plan waits for nothing.
pub(super) async fn ask(driver: &Rfc2136, deadline: Instant, seen: &mut [Observed]) {
    let zones: BTreeSet<DnsName> = seen.iter().filter_map(|seen| Some(split(&seen.id).ok()?.zone)).collect();
    let zones: Vec<DnsName> = zones.into_iter().collect();
    let row = zones.iter().map(|zone| question(wire::to_name(zone), RecordType::SOA)).collect();
    let Ok(mut conn) = driver.connect_as_client(&driver.primary, deadline).await else { return };
    let Ok(answers) = conn.ask_all(row).await else { return };
    driver.count_questions(zones.len());
    let mut known: BTreeMap<&DnsName, i64> = BTreeMap::new();
    for (zone, answer) in zones.iter().zip(&answers) {
        let name = wire::to_name(zone);
        let seconds = exact(answer, &name, RecordType::SOA).find_map(|record| if let RData::SOA(soa) = &record.data { Some(record.ttl.min(soa.minimum)) } else { None });
        known.extend(seconds.map(|seconds| (zone, i64::from(seconds))));
    }
    for seen in seen {
        let seconds = split(&seen.id).ok().and_then(|parts| known.get(&parts.zone).copied());
        seen.facts.extend(seconds.map(|seconds| (ABSENCE_LINGERS.into(), FactValue::Int(seconds))));
    }
}
