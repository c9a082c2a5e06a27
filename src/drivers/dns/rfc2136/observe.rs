//! Reads live RRsets: wants grouped by zone, each zone by a transfer or by questions, whichever costs less.

use super::{
    driver::Rfc2136,
    query::{self, Answered},
    question::{has_soa, question},
    transfer::{Transfer, transfer},
    transport::{WireError, WireErrorKind},
};
use crate::{
    core::model::{Health, Kind, Observed, Reading, ResourceId, Token, Unit, Value, Want},
    kinds::dns::{DNS, DnsName, split, wire},
    ports::{Clock, ObserveError, ObserveErrorKind, SystemClock},
};
use futures::{StreamExt, stream};
use hickory_proto::rr::{Record, RecordType};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

/// One RRset as the server has it.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub value: Value,
    /// As they came, spelling included: what a server that compares octets must be shown again.
    pub records: Vec<Record>,
}

/// The RRsets of one zone that were asked for, or all of it.
pub(super) type Zone = BTreeMap<ResourceId, Live>;

/// How a zone is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// A transfer or questions by `QUESTIONS_AT_MOST`.
    Cheapest,
    /// A transfer, because all types of a name count.
    Whole,
}

/// Zones read at the same time: enough to hide the way to the server, few enough for one that allows 100 TCP clients.
const ZONES_AT_ONCE: usize = 8;

/// Up to so many RRsets of a zone are asked one by one. Each costs up to four signed questions in one pipeline, about 0.2 ms
/// of a server's time, so that 100 cost what a transfer of some 2,500 records costs, a usual zone; beyond that a transfer wins on
/// all but the largest zones, and it sees one state where questions see many.
const QUESTIONS_AT_MOST: usize = 100;

/// Observes the wants in the order asked.
pub(super) async fn observe(driver: &Rfc2136, deadline: Instant, wants: &[Want]) -> Result<Vec<Observed>, ObserveError> {
    let mut zones: BTreeMap<DnsName, BTreeSet<ResourceId>> = BTreeMap::new();
    for want in wants {
        if let Ok(parts) = split(&want.id) {
            zones.entry(parts.zone).or_default().insert(want.id.clone());
        }
    }
    let reads = stream::iter(zones).map(|(zone, ids)| async move { read(driver, deadline, &zone, &ids, How::Cheapest).await }).buffered(ZONES_AT_ONCE);
    let read: Vec<Result<Zone, ObserveError>> = reads.collect().await;
    let mut live = Zone::new();
    for zone in read {
        live.append(&mut zone?);
    }
    Ok(wants.iter().map(|want| observed(want, live.get(&want.id))).collect())
}

/// Lists every resource of the zone, in the order of ids.
pub(super) async fn list(driver: &Rfc2136, deadline: Instant, unit: &Unit) -> Result<Vec<Observed>, ObserveError> {
    let fault = |what: String| ObserveError { target: driver.config.target.clone(), what, kind: ObserveErrorKind::Missing, about: Vec::new() };
    let zone = DnsName::parse(unit.as_str()).map_err(|refusal| fault(refusal.to_string()))?;
    let live = read(driver, deadline, &zone, &BTreeSet::new(), How::Whole).await?;
    let want = |id: &ResourceId| Want { id: id.clone(), base: None, merged: None, ours: None };
    Ok(live.iter().map(|(id, found)| observed(&want(id), Some(found))).collect())
}

fn observed(want: &Want, live: Option<&Live>) -> Observed {
    let live = live.map(|live| &live.value);
    // What was read is canonical already, and so is what equals it.
    let canon = |value: &Value| if live == Some(value) { Ok(value.clone()) } else { DNS.canon(&want.id, value.clone()) };
    let merged = match &want.merged {
        None => split(&want.id).map(|_| None),
        Some(value) => canon(value).map(Some),
    };
    // A base that today's rules refuse is compared as it stands: it was accepted once, and refusing is for merged.
    let base = want.base.as_ref().map(|value| canon(value).unwrap_or_else(|_| value.clone()));
    let reading = Reading::Seen { live: live.cloned(), base, merged };
    Observed { id: want.id.clone(), reading, facts: BTreeMap::new(), health: Health::NotAsked, token: Token::default(), at: SystemClock.now() }
}

/// Reads the RRsets `ids` of one zone; with `How::Whole`, every RRset of it.
pub(super) async fn read(driver: &Rfc2136, deadline: Instant, zone: &DnsName, ids: &BTreeSet<ResourceId>, how: How) -> Result<Zone, ObserveError> {
    let fault = |(kind, what): (ObserveErrorKind, String)| ObserveError { target: driver.config.target.clone(), what, kind, about: ids.iter().cloned().collect() };
    read_zone(driver, deadline, zone, ids, how).await.map_err(fault)
}

type Fault = (ObserveErrorKind, String);

async fn read_zone(driver: &Rfc2136, deadline: Instant, zone: &DnsName, ids: &BTreeSet<ResourceId>, how: How) -> Result<Zone, Fault> {
    match read_signed(driver, deadline, zone, ids, how).await {
        // Servers that keep their keys by zone say "bad key" for a zone they do not have.
        Err((ObserveErrorKind::Denied, _)) if !exists(driver, deadline, zone).await => Err(no_zone(driver, zone)),
        read => read,
    }
}

async fn read_signed(driver: &Rfc2136, deadline: Instant, zone: &DnsName, ids: &BTreeSet<ResourceId>, how: How) -> Result<Zone, Fault> {
    let few = ids.len() <= QUESTIONS_AT_MOST;
    if how == How::Cheapest
        && few
        && let Some(found) = by_questions(driver, deadline, zone, ids).await?
    {
        return Ok(found);
    }
    driver.count_transfer();
    let mut conn = driver.connect(deadline).await.map_err(fault)?;
    let code = match transfer(&mut conn, &wire::to_name(zone)).await.map_err(fault)? {
        Transfer::Whole(records) => return rrsets(driver, zone, records, (how == How::Cheapest).then_some(ids)),
        Transfer::Refused(code) => code,
    };
    if how == How::Cheapest
        && !few
        && let Some(found) = by_questions(driver, deadline, zone, ids).await?
    {
        return Ok(found);
    }
    let at = &driver.primary;
    Err((ObserveErrorKind::Denied, format!("{at} answers {code} to a transfer of `{zone}`, and single questions cannot show all of it; allow this key to transfer the zone")))
}

/// `None` when only a transfer can tell: names around hide the zone's own, or the server takes this key for transfers alone, as Knot does without `action: query`.
async fn by_questions(driver: &Rfc2136, deadline: Instant, zone: &DnsName, ids: &BTreeSet<ResourceId>) -> Result<Option<Zone>, Fault> {
    let mut conn = driver.connect(deadline).await.map_err(fault)?;
    match query::ask(driver, &mut conn, zone, ids).await {
        Ok(Answered::All(found)) => rrsets(driver, zone, found.into_iter().flatten(), Some(ids)).map(Some),
        Ok(Answered::NoZone) => Err(no_zone(driver, zone)),
        Ok(Answered::Unsure) => Ok(None),
        Err(error) if error.kind == WireErrorKind::Denied => Ok(None),
        Err(error) => Err(fault(error)),
    }
}

/// Whether the server answers for the zone itself, to anyone. It chooses between two texts and decides nothing else, so an unsigned answer is good enough.
async fn exists(driver: &Rfc2136, deadline: Instant, zone: &DnsName) -> bool {
    let name = wire::to_name(zone);
    let Ok(mut conn) = driver.connect_as_client(&driver.primary, deadline).await else { return true };
    conn.ask(question(name.clone(), RecordType::SOA)).await.map_or(true, |answer| has_soa(&answer, &name))
}

/// Groups records into canonical RRsets, of which `only` are kept.
fn rrsets(driver: &Rfc2136, zone: &DnsName, records: impl IntoIterator<Item = Record>, only: Option<&BTreeSet<ResourceId>>) -> Result<Zone, Fault> {
    // The ids wanted carry the target's name; a transfer of a whole zone is of our own target.
    let target = only.and_then(|ids| ids.first()).map_or(driver.config.target.as_str(), |id| &id.target);
    // The records of one RRset mostly follow one another, and an id is costly to make.
    let mut runs: Vec<(ResourceId, Vec<Record>)> = Vec::new();
    for record in records {
        let goes_on = |last: &&mut (ResourceId, Vec<Record>)| last.1.first().is_some_and(|first| first.record_type() == record.record_type() && first.name == record.name);
        if let Some((_, run)) = runs.last_mut().filter(goes_on) {
            run.push(record);
        } else if let Some(id) = wire::record_id(target, zone, &record).filter(|id| only.is_none_or(|only| only.contains(id))) {
            runs.push((id, vec![record]));
        }
    }
    let mut groups: BTreeMap<ResourceId, Vec<Record>> = BTreeMap::new();
    for (id, mut run) in runs {
        groups.entry(id).or_default().append(&mut run);
    }
    let mut out = Zone::new();
    for (id, records) in groups {
        let value = wire::from_records(&records);
        let value = value.ok_or_else(|| (ObserveErrorKind::Broken, format!("the records of `{}` cannot be read; look at them with `dig`", DNS.title(&id))))?;
        out.insert(id, Live { value, records });
    }
    Ok(out)
}

fn no_zone(driver: &Rfc2136, zone: &DnsName) -> Fault {
    (ObserveErrorKind::Missing, format!("{} does not serve the zone `{zone}`; create the zone on the server first", driver.primary))
}

fn fault(error: WireError) -> Fault {
    let kind = match error.kind {
        WireErrorKind::Unreachable | WireErrorKind::Lost => ObserveErrorKind::Unreachable,
        WireErrorKind::Denied => ObserveErrorKind::Denied,
        WireErrorKind::Broken | WireErrorKind::Unsendable => ObserveErrorKind::Broken,
    };
    (kind, error.to_string())
}
