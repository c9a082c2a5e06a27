//! How long resolvers remember that a name was not there: the lesser of the SOA's own TTL and its last field (RFC 2308, 5).

use super::{
    driver::Rfc2136,
    question::{exact, question},
};
use crate::{
    core::model::{ABSENCE_LINGERS, FactValue, Observed},
    kinds::dns::{DnsName, split, wire},
};
use hickory_proto::{
    op::Message,
    rr::{RData, RecordType},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

/// Sets the fact of every resource: seconds where its zone's SOA could be read, else why it could not, so that a plan waits as long as it may take.
pub(super) async fn ask(driver: &Rfc2136, deadline: Instant, seen: &mut [Observed]) {
    let zones: BTreeSet<DnsName> = seen.iter().filter_map(|seen| Some(split(&seen.id).ok()?.zone)).collect();
    let zones: Vec<DnsName> = zones.into_iter().collect();
    driver.count_questions(zones.len());
    let answers = answers(driver, deadline, &zones).await;
    let mut known: BTreeMap<&DnsName, FactValue> = BTreeMap::new();
    for (at, zone) in zones.iter().enumerate() {
        let fact = match answers.as_ref().map(|answers| answers.get(at)) {
            Ok(Some(answer)) => seconds(&driver.primary, zone, answer),
            Ok(None) => Err(format!("{} does not answer", driver.primary)),
            Err(why) => Err(why.clone()),
        };
        known.insert(zone, fact.map_or_else(|why| FactValue::Text(why.into()), FactValue::Int));
    }
    for seen in seen {
        let fact = split(&seen.id).ok().and_then(|parts| known.get(&parts.zone).cloned());
        seen.facts.extend(fact.map(|fact| (ABSENCE_LINGERS.into(), fact)));
    }
}

async fn answers(driver: &Rfc2136, deadline: Instant, zones: &[DnsName]) -> Result<Vec<Message>, String> {
    let row = zones.iter().map(|zone| question(wire::to_name(zone), RecordType::SOA)).collect();
    let mut conn = driver.connect_as_client(&driver.primary, deadline).await.map_err(|error| error.to_string())?;
    conn.ask_all(row).await.map_err(|error| error.to_string())
}

fn seconds(address: &str, zone: &DnsName, answer: &Message) -> Result<i64, String> {
    let name = wire::to_name(zone);
    let found = exact(answer, &name, RecordType::SOA).find_map(|record| if let RData::SOA(soa) = &record.data { Some(record.ttl.min(soa.minimum)) } else { None });
    found.map(i64::from).ok_or_else(|| format!("{address} answers {} to the question for the SOA of {zone}", answer.metadata.response_code))
}
