//! What a name server lets be seen of itself without a write: whether it answers, takes the key, serves and transfers the zones, and would take updates.

use super::{
    driver::Rfc2136,
    encode::{Update, encode},
    pack::empty,
    question::{exact, has_soa, question},
    transport::{Conn, WireError},
};
use crate::{
    core::model::Unit,
    kinds::dns::{DnsName, wire},
    ports::Exam,
};
use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{DNSClass, Name, RData, RecordType},
};
use std::{
    collections::BTreeMap,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// A clock that is this far off works still; five minutes are where servers refuse (RFC 8945 §10).
const SKEW_SECONDS: i64 = 60;

/// So many zones are named in one line.
const NAMED: usize = 5;

/// The label asked for in the condition of an update that never happens; nobody has it, and it would do no harm if somebody had.
const NOBODY: &str = "trueup-doctor-asks-for-a-name-that-is-not-there";

/// What was seen of one zone.
#[derive(Default)]
struct Seen {
    served: Vec<String>,
    transferred: Vec<String>,
    updatable: Vec<String>,
    /// The line's name, the reason, the advice, and the zones it holds for.
    faults: BTreeMap<(&'static str, String, &'static str), Vec<String>>,
    serials: BTreeMap<String, u32>,
}

/// Examines the primary, the key, the zones and the name servers, in this order.
pub(super) async fn probe(driver: &Rfc2136, deadline: Instant, units: &[Unit]) -> Vec<Exam> {
    let target = &driver.config.target;
    let about = |what: &str| format!("target {target}: {what}");
    let zones: Vec<DnsName> = units.iter().filter_map(|unit| DnsName::parse(unit.as_str()).ok()).collect();
    if let Err(error) = driver.connect_as_client(&driver.primary, deadline).await {
        return vec![Exam::fail(about("reach"), error.what, error.advice)];
    }
    let mut exams = vec![Exam::ok(about("reach"), format!("{} takes connections", driver.primary))];
    let seen = match look(driver, deadline, &zones).await {
        Ok((seen, skew)) => {
            exams.push(key(driver, about("key"), zones.is_empty()));
            exams.extend(skew.map(|skew| clock(about("clock"), skew)));
            seen
        }
        Err(error) => {
            exams.push(Exam::fail(about("key"), error.what, error.advice));
            return exams;
        }
    };
    if zones.is_empty() {
        exams.push(Exam::warn(about("zones"), "no source asks for a zone here", "nothing to do, unless one should: map a folder to this target in trueup.yaml"));
    }
    for (what, good, said) in [
        ("zones", &seen.served, "served"),
        ("transfer", &seen.transferred, "may be transferred"),
        ("update", &seen.updatable, "may be updated as far as can be seen without writing (rules for single names cannot)"),
    ] {
        if !good.is_empty() {
            exams.push(Exam::ok(about(what), format!("{} {said}: {}", of(good.len()), some(good))));
        }
    }
    exams.extend(seen.faults.iter().map(|((what, why, advice), zones)| Exam::fail(about(what), format!("{why}: {}", some(zones)), *advice)));
    for address in &driver.nameservers {
        exams.push(nameserver(driver, address, deadline, &zones, &seen.serials, about(&format!("name server {address}"))).await);
    }
    exams
}

fn key(driver: &Rfc2136, about: String, no_zone: bool) -> Exam {
    match &driver.config.tsig {
        None => Exam::warn(about, "no key: whoever may send from this host's address may change the zones", "name a TSIG key under `tsig:`"),
        Some(tsig) if no_zone => Exam::ok(about, format!("{} answers with the key {}; servers that keep keys by zone say no more without a zone", driver.primary, tsig.name)),
        Some(tsig) => Exam::ok(about, format!("{} takes the key {}", driver.primary, tsig.name)),
    }
}

fn clock(about: String, skew: i64) -> Exam {
    let said = format!("the name server's clock differs from this host's by {} s", skew.abs());
    if skew.abs() > SKEW_SECONDS { Exam::warn(about, said, "set both by NTP: signatures are refused from about 300 s on") } else { Exam::ok(about, said) }
}

/// Asks for every zone with the key; the skew of the clocks comes with it. An error is the key's or the connection's.
async fn look(driver: &Rfc2136, deadline: Instant, zones: &[DnsName]) -> Result<(Seen, Option<i64>), WireError> {
    let mut seen = Seen::default();
    let mut conn = driver.connect(deadline).await?;
    if zones.is_empty() {
        let answer = conn.ask(question(Name::root(), RecordType::SOA)).await?;
        return Ok((seen, skew(&answer)));
    }
    let mut clocks = None;
    let mut denied = None;
    for zone in zones {
        let apex = wire::to_name(zone);
        // A refused key may be refused for this zone alone; a new connection asks for the next one.
        let answer = match conn.ask(question(apex.clone(), RecordType::SOA)).await {
            Ok(answer) => answer,
            Err(error) => {
                seen.faults.entry(("zones", error.what.clone(), error.advice)).or_default().push(zone.to_string());
                denied.get_or_insert(error);
                conn = driver.connect(deadline).await?;
                continue;
            }
        };
        clocks = clocks.or(skew(&answer));
        if !has_soa(&answer, &apex) {
            let why = format!("{} answers {} and serves no such zone", driver.primary, answer.metadata.response_code);
            seen.faults.entry(("zones", why, "create it on the server, or take its file out")).or_default().push(zone.to_string());
            continue;
        }
        seen.served.push(zone.to_string());
        seen.serials.extend(serial(&answer, &apex).map(|serial| (zone.to_string(), serial)));
        transfer(driver, deadline, zone, &apex, &mut seen).await?;
        update(driver, &mut conn, zone, &apex, &mut seen).await?;
    }
    // When no zone takes it, it is the key and not the zones.
    match denied {
        Some(error) if seen.served.is_empty() => Err(error),
        Some(_) | None => Ok((seen, clocks)),
    }
}

/// Begins a transfer and lets go after its first message.
async fn transfer(driver: &Rfc2136, deadline: Instant, zone: &DnsName, apex: &Name, seen: &mut Seen) -> Result<(), WireError> {
    let mut conn = driver.connect(deadline).await?;
    let mut code = ResponseCode::NoError;
    let begun = conn
        .stream(question(apex.clone(), RecordType::AXFR), |message| {
            code = message.metadata.response_code;
            Ok(true)
        })
        .await;
    let advice = "allow this key to transfer the zone (BIND: `allow-transfer`, Knot: `action: transfer`)";
    match begun {
        Ok(()) if code == ResponseCode::NoError => seen.transferred.push(zone.to_string()),
        Ok(()) => seen.faults.entry(("transfer", format!("{} answers {code} to a transfer", driver.primary), advice)).or_default().push(zone.to_string()),
        Err(error) => seen.faults.entry(("transfer", error.what, error.advice)).or_default().push(zone.to_string()),
    }
    Ok(())
}

/// Sends an update of nothing under a condition that does not hold: a server looks first at who asks, so its answer tells them apart and nothing can happen.
async fn update(driver: &Rfc2136, conn: &mut Conn, zone: &DnsName, apex: &Name, seen: &mut Seen) -> Result<(), WireError> {
    let Ok(nobody) = Name::from_ascii(NOBODY).and_then(|label| label.append_name(apex)) else { return Ok(()) };
    let message = Update { zone: apex.clone(), prerequisites: vec![empty(nobody, RecordType::ANY, DNSClass::ANY)], updates: Vec::new() };
    let advice = "allow this key to update the zone (BIND: `allow-update` or `update-policy`, Knot: `action: update`)";
    let why = match conn.ask_raw(encode(&message)?).await {
        Ok(answer) => match answer.metadata.response_code {
            // The condition was looked at, so the asker was let in.
            ResponseCode::NXDomain | ResponseCode::NXRRSet | ResponseCode::NoError => {
                seen.updatable.push(zone.to_string());
                return Ok(());
            }
            code => format!("{} answers {code} to an update", driver.primary),
        },
        Err(error) => {
            *conn = driver.connect(conn.deadline()).await?;
            error.what
        }
    };
    seen.faults.entry(("update", why, advice)).or_default().push(zone.to_string());
    Ok(())
}

/// Whether a name server answers for the zones as any client sees it, and with what the primary has.
async fn nameserver(driver: &Rfc2136, address: &str, deadline: Instant, zones: &[DnsName], serials: &BTreeMap<String, u32>, about: String) -> Exam {
    let apexes: Vec<Name> = zones.iter().map(wire::to_name).collect();
    let asked = async { driver.connect_as_client(address, deadline).await?.ask_all(apexes.iter().map(|apex| question(apex.clone(), RecordType::SOA)).collect()).await };
    let answers = match asked.await {
        Ok(answers) => answers,
        Err(error) => return Exam::fail(about, error.what, "nothing becomes healthy while it does not answer: start it, or take it out of `nameservers:`"),
    };
    let (mut silent, mut behind, mut good) = (Vec::new(), Vec::new(), 0);
    for ((zone, apex), answer) in zones.iter().zip(&apexes).zip(&answers) {
        let zone = zone.to_string();
        match serials.get(&zone) {
            // What the primary itself does not serve was said already.
            None => {}
            Some(_) if !has_soa(answer, apex) => silent.push(zone),
            Some(expected) if serial(answer, apex) != Some(*expected) => behind.push(zone),
            Some(_) => good += 1,
        }
    }
    match (silent.is_empty(), behind.is_empty()) {
        (false, _) => Exam::fail(about, format!("does not answer for {}", some(&silent)), "let it serve these zones, or take it out of `nameservers:`"),
        (true, false) => Exam::warn(about, format!("has another serial than the primary for {}", some(&behind)), "look whether it is notified and transfers"),
        (true, true) => Exam::ok(about, format!("answers for {} as the primary does", of(good))),
    }
}

/// Seconds by which the clock that signed the answer is ahead of ours.
fn skew(answer: &Message) -> Option<i64> {
    let signed = i64::try_from(answer.signature.as_ref()?.data.time).ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(signed - i64::try_from(now).ok()?)
}

fn serial(answer: &Message, apex: &Name) -> Option<u32> {
    exact(answer, apex, RecordType::SOA).find_map(|record| match &record.data {
        RData::SOA(soa) => Some(soa.serial),
        _ => None,
    })
}

fn of(n: usize) -> String {
    if n == 1 { "1 zone".to_owned() } else { format!("{n} zones") }
}

/// The first few by name, and how many more.
fn some(zones: &[String]) -> String {
    let named = zones.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if zones.len() > NAMED { format!("{named} and {} more", zones.len() - NAMED) } else { named }
}
