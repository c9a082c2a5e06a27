//! Packs writes into UPDATE messages (RFC 2136): as large as they may be, what belongs together in one, every prerequisite the content it was planned from.

use super::{
    encode::{Update, data, plain},
    transport::WireError,
};
use crate::{
    core::model::{Refusal, RefusalKind, ResourceId, Value},
    kinds::dns::{split, wire},
};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType, rdata::NS};
use std::collections::{BTreeMap, BTreeSet};

/// One write on its way.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// Its place in the act.
    pub item: usize,
    pub id: ResourceId,
    pub zone: Name,
    pub owner: Name,
    pub rtype: RecordType,
    /// The records that must be there, all and alone; empty: the RRset must be absent.
    pub from: Vec<Record>,
    pub to: Vec<Record>,
}

/// What one message carries at most. A DNS message over TCP holds 65,535 octets; 600 are left for the header, the zone and the
/// signature (two names of 255 at the longest, a MAC of 64, fixed fields).
const MESSAGE_OCTETS: usize = 65_535 - 600;

/// Octets of a record besides its owner and its data: type, class, TTL, length.
const RECORD_OCTETS: usize = 10;

/// The jobs of one message.
pub(super) type Batch = Vec<Job>;

impl Job {
    pub fn at_apex(&self) -> bool {
        self.owner == self.zone
    }

    /// An upper bound of what the job adds to a message: every owner written against the zone, whether or not it stood before.
    fn octets(&self) -> usize {
        let owner = octets(plain(&self.owner)).saturating_sub(octets(plain(&self.zone))) + 2;
        let fixed = owner + RECORD_OCTETS;
        let all = |records: &[Record]| records.iter().map(|record| fixed + octets(data(&record.data))).sum::<usize>();
        match (self.from.is_empty(), is_apex_ns(self)) {
            // Absence of the RRset and of a CNAME.
            (true, _) => 2 * fixed + all(&self.to),
            // The delete of the RRset.
            (false, false) => all(&self.from) + fixed + all(&self.to),
            // Deletes one by one, and the stand-in's coming and going.
            (false, true) => 2 * all(&self.from) + 2 * all(&self.to) + 2 * (fixed + octets(data(&stand_in(0).data))),
        }
    }
}

/// Cuts jobs into messages in their order; all jobs of one owner name stay in one, for a CNAME and what it replaces must swap at once.
pub(super) fn pack(jobs: Vec<Job>) -> (Vec<Batch>, Vec<(Job, Refusal)>) {
    let mut groups: Vec<Batch> = Vec::new();
    let mut place = BTreeMap::new();
    for job in jobs {
        let at = *place.entry(job.owner.clone()).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(at) {
            group.push(job);
        }
    }
    let (mut batches, mut too_large, mut used) = (Vec::<Batch>::new(), Vec::new(), 0);
    for group in groups {
        let octets: usize = group.iter().map(Job::octets).sum();
        if octets > MESSAGE_OCTETS {
            too_large.extend(group.into_iter().map(|job| (job, oversize(octets))));
            continue;
        }
        match batches.last_mut() {
            Some(batch) if used + octets <= MESSAGE_OCTETS => {
                batch.extend(group);
                used += octets;
            }
            Some(_) | None => {
                batches.push(group);
                used = octets;
            }
        }
    }
    (batches, too_large)
}

fn oversize(octets: usize) -> Refusal {
    Refusal::new(RefusalKind::Target, format!("the changes of one name take {octets} bytes, and one UPDATE message holds {MESSAGE_OCTETS}"))
        .advice("change the name in several merge requests, or give it fewer records")
}

/// Halves a batch at an owner; `None` when it holds one owner only.
pub(super) fn halve(batch: Batch) -> Result<(Batch, Batch), Batch> {
    let owners: BTreeSet<&Name> = batch.iter().map(|job| &job.owner).collect();
    if owners.len() < 2 {
        return Err(batch);
    }
    let first: BTreeSet<Name> = owners.iter().take(owners.len() / 2).map(|name| (*name).clone()).collect();
    Ok(batch.into_iter().partition(|job| first.contains(&job.owner)))
}

/// The message: prerequisites of all jobs, then deletes, then adds, so that a CNAME is gone before what replaces it comes.
pub(super) fn message(batch: &[Job]) -> Update {
    Update {
        zone: batch.first().map_or_else(Name::root, |job| job.zone.clone()),
        prerequisites: batch.iter().flat_map(prerequisites).chain(neighbours(batch)).collect(),
        updates: batch.iter().flat_map(deletes).chain(batch.iter().flat_map(adds)).chain(batch.iter().flat_map(apex)).collect(),
    }
}

/// §2.4.2 and §2.4.3: the RRset holds exactly these data, or does not exist.
fn prerequisites(job: &Job) -> Vec<Record> {
    if job.from.is_empty() {
        return vec![empty(job.owner.clone(), job.rtype, DNSClass::NONE)];
    }
    let without_ttl = |record: &Record| {
        let mut record = record.clone();
        record.ttl = 0;
        record
    };
    job.from.iter().map(without_ttl).collect()
}

/// A server ignores an add that a CNAME excludes and answers as if it had done it (§3.4.2.2), so what would exclude it is named: a new
/// RRset wants no CNAME at its owner, and a new CNAME wants nothing at all. Where a message both clears and fills an owner no
/// prerequisite can say that nothing else is there; `act` reads the zone first.
fn neighbours(batch: &[Job]) -> Vec<Record> {
    let mut by_owner: BTreeMap<&Name, Vec<&Job>> = BTreeMap::new();
    for job in batch.iter().filter(|job| !job.at_apex()) {
        by_owner.entry(&job.owner).or_default().push(job);
    }
    let mut out = Vec::new();
    for (owner, jobs) in by_owner {
        if let [Job { rtype: RecordType::CNAME, from, .. }] = jobs.as_slice()
            && from.is_empty()
        {
            out.push(empty(owner.clone(), RecordType::ANY, DNSClass::NONE));
        } else if jobs.iter().any(|job| job.from.is_empty()) && !jobs.iter().any(|job| job.rtype == RecordType::CNAME) {
            out.push(empty(owner.clone(), RecordType::CNAME, DNSClass::NONE));
        }
    }
    out
}

/// §2.5.2: the whole RRset goes, so that its TTL and every datum are new; not at the apex, where name servers are never deleted as a set (§3.4.2.3).
fn deletes(job: &Job) -> Option<Record> {
    let set = !job.from.is_empty() && !is_apex_ns(job);
    set.then(|| empty(job.owner.clone(), job.rtype, DNSClass::ANY))
}

fn adds(job: &Job) -> Vec<Record> {
    if is_apex_ns(job) { Vec::new() } else { job.to.clone() }
}

/// §2.5.4 and §3.4.2.4: name servers of the apex go one by one, and the last one stays. A stand-in comes first, so that all
/// old ones can go and come again with a new TTL, which servers do not take from an add of what is there; it goes last.
fn apex(job: &Job) -> Vec<Record> {
    if !is_apex_ns(job) {
        return Vec::new();
    }
    let delete = |record: &Record| {
        let mut record = record.clone();
        record.ttl = 0;
        record.dns_class = DNSClass::NONE;
        record
    };
    let ttl = job.to.first().map_or(0, |record| record.ttl);
    let mut stand_in = stand_in(ttl);
    stand_in.name = job.owner.clone();
    let (come, go) = (stand_in.clone(), delete(&stand_in));
    std::iter::once(come).chain(job.from.iter().map(delete)).chain(job.to.iter().cloned()).chain(std::iter::once(go)).collect()
}

/// A name server that is never visible: it comes and goes in one message. `invalid.` belongs to nobody (RFC 6761).
fn stand_in(ttl: u32) -> Record {
    let name = Name::from_labels(["trueup", "stand-in", "invalid"]).unwrap_or_else(|_| Name::root());
    Record::from_rdata(Name::root(), ttl, RData::NS(NS(name)))
}

fn is_apex_ns(job: &Job) -> bool {
    job.at_apex() && job.rtype == RecordType::NS
}

/// A record without data, as prerequisites of absence and deletes are written.
pub(super) fn empty(name: Name, kind: RecordType, class: DNSClass) -> Record {
    let mut record = Record::update0(name, 0, kind).into_record_of_rdata();
    record.dns_class = class;
    record
}

/// The length of a part. What does not encode is refused when the message is made; here it counts as too large.
fn octets(part: Result<Vec<u8>, WireError>) -> usize {
    part.map_or(MESSAGE_OCTETS, |octets| octets.len())
}

/// The records of a value, and the names around them.
pub(super) fn job(item: usize, id: &ResourceId, from: Option<&Value>, to: Option<&Value>) -> Result<Job, Refusal> {
    let parts = split(id)?;
    let owner = wire::to_name(&parts.owner);
    let records = |value: Option<&Value>| -> Result<Vec<Record>, Refusal> {
        let Some(value) = value else { return Ok(Vec::new()) };
        let (ttl, data) = wire::to_data(id, parts.rtype, value)?;
        Ok(data.into_iter().map(|data| Record::from_rdata(owner.clone(), ttl, data)).collect())
    };
    let (from, to) = (records(from)?, records(to)?);
    let job = Job { item, id: id.clone(), zone: wire::to_name(&parts.zone), owner, rtype: RecordType::from(parts.rtype.0), from, to };
    if is_apex_ns(&job) && job.to.is_empty() {
        return Err(Refusal::new(RefusalKind::Protected, format!("the name servers of `{}` cannot be deleted", parts.zone))
            .advice("delete the zone on the server, or keep at least one name server"));
    }
    if job.rtype == RecordType::SOA {
        return Err(Refusal::new(RefusalKind::Target, format!("the SOA of `{}` is the server's own", parts.zone)).advice("leave it out; the server counts its serial"));
    }
    Ok(job)
}

/// Whether two RRsets hold the same data, TTL aside: all that a prerequisite sees.
pub(super) fn same_data(a: &[Record], b: &[Record]) -> bool {
    let covers = |a: &[Record], b: &[Record]| a.iter().all(|x| b.iter().any(|y| x.data == y.data));
    a.len() == b.len() && covers(a, b)
}
