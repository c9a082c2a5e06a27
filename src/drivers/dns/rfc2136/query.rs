//! Reads single RRsets by questions, and says so when questions cannot tell.
//!
//! An answer shows what a resolver would see, which is not always what the zone holds. A wildcard answers for names that
//! are not there; a name at or below a delegation belongs to another zone, which the same server may serve as well; a DNAME
//! above makes up CNAMEs. Each of these is recognised here, by a second row of questions about the names around, and ends in
//! `Unsure`, upon which the caller transfers the zone. An answer that says "not there" with the SOA of this zone is certain.

use super::{
    driver::Rfc2136,
    question::{exact, has_soa, question},
    transport::{Conn, WireError},
};
use crate::{
    core::model::ResourceId,
    kinds::dns::{DnsName, split, wire},
};
use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{Name, Record, RecordType},
};
use std::collections::{BTreeMap, BTreeSet};

/// What a row of questions came to.
pub(super) enum Answered {
    /// The records of each RRset that is there.
    All(Vec<Vec<Record>>),
    /// The server does not answer for the zone.
    NoZone,
    /// Only a transfer can tell.
    Unsure,
}

/// What one answer says about the RRset asked for.
enum Said<'a> {
    Absent,
    /// Present, if no wildcard and no other zone speaks here.
    Perhaps(Vec<&'a Record>),
    /// Absent for a CNAME stands there, if no other zone speaks here.
    PerhapsNot,
    Unsure,
}

/// Asks for every RRset in one pipeline, then about the names around those that are there in a second.
pub(super) async fn ask(driver: &Rfc2136, conn: &mut Conn, zone: &DnsName, ids: &BTreeSet<ResourceId>) -> Result<Answered, WireError> {
    let apex = wire::to_name(zone);
    let names: Vec<(Name, RecordType)> = ids.iter().filter_map(|id| split(id).ok()).map(|parts| (wire::to_name(&parts.owner), RecordType::from(parts.rtype.0))).collect();
    // What stands at a delegation is answered by the other side of it.
    let at_cut = |(name, kind): &(Name, RecordType)| *name != apex && matches!(kind, RecordType::NS | RecordType::DS);
    if names.iter().any(at_cut) {
        return Ok(Answered::Unsure);
    }
    let mut row = vec![question(apex.clone(), RecordType::SOA)];
    row.extend(names.iter().map(|(name, kind)| question(name.clone(), *kind)));
    driver.count_questions(row.len());
    let answers = conn.ask_all(row).await?;
    let Some((soa, answers)) = answers.split_first() else { return Ok(Answered::Unsure) };
    if !has_soa(soa, &apex) {
        return Ok(Answered::NoZone);
    }
    let mut found: BTreeMap<(Name, RecordType), Vec<Record>> = BTreeMap::new();
    let mut around = Around::default();
    for ((name, kind), answer) in names.iter().zip(answers) {
        match said(answer, name, *kind, &apex) {
            Said::Absent => {}
            Said::Unsure => return Ok(Answered::Unsure),
            Said::PerhapsNot => around.cuts(name, &apex),
            Said::Perhaps(records) => {
                around.cuts(name, &apex);
                around.wildcards(name, *kind, &apex);
                found.insert((name.clone(), *kind), records.into_iter().cloned().collect());
            }
        }
    }
    if around.holds(driver, conn, &found).await? { Ok(Answered::All(found.into_values().collect())) } else { Ok(Answered::Unsure) }
}

fn said<'a>(answer: &'a Message, name: &'a Name, kind: RecordType, apex: &Name) -> Said<'a> {
    let code = answer.metadata.response_code;
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) || !answer.metadata.authoritative {
        return Said::Unsure;
    }
    if answer.answers.iter().any(|record| record.record_type() == RecordType::DNAME && record.name != *name) {
        return Said::Unsure;
    }
    let here: Vec<&Record> = exact(answer, name, kind).collect();
    if !here.is_empty() {
        return Said::Perhaps(here);
    }
    if exact(answer, name, RecordType::CNAME).next().is_some() {
        return Said::PerhapsNot;
    }
    let ours = answer.authorities.iter().any(|record| record.record_type() == RecordType::SOA && record.name == *apex);
    if answer.answers.is_empty() && ours { Said::Absent } else { Said::Unsure }
}

/// What must not be there for the answers to mean what they seem to.
#[derive(Default)]
struct Around {
    /// Names that must not be the apex of another zone.
    cuts: BTreeSet<Name>,
    /// Wildcards that must not hold the very content that was answered, and the names they would answer for.
    wildcards: BTreeMap<(Name, RecordType), BTreeSet<Name>>,
}

impl Around {
    fn cuts(&mut self, name: &Name, apex: &Name) {
        let mut at = name.clone();
        while at != *apex && !at.is_root() {
            self.cuts.insert(at.clone());
            at = at.base_name();
        }
    }

    fn wildcards(&mut self, name: &Name, kind: RecordType, apex: &Name) {
        let mut at = name.clone();
        while at != *apex && !at.is_root() {
            at = at.base_name();
            // A name too long for one more label has no wildcard above it that could be that long.
            let Ok(star) = Name::from_ascii("*").and_then(|star| star.append_name(&at)) else { continue };
            if star != *name {
                self.wildcards.entry((star, kind)).or_default().insert(name.clone());
            }
        }
    }

    /// Asks; true when the answers mean what they seem to.
    async fn holds(self, driver: &Rfc2136, conn: &mut Conn, found: &BTreeMap<(Name, RecordType), Vec<Record>>) -> Result<bool, WireError> {
        let cuts = self.cuts.iter().map(|name| question(name.clone(), RecordType::SOA));
        let stars = self.wildcards.keys().map(|(name, kind)| question(name.clone(), *kind));
        let row: Vec<Message> = cuts.chain(stars).collect();
        if row.is_empty() {
            return Ok(true);
        }
        driver.count_questions(row.len());
        let answers = conn.ask_all(row).await?;
        let (at_cuts, at_stars) = answers.split_at(self.cuts.len().min(answers.len()));
        if self.cuts.iter().zip(at_cuts).any(|(name, answer)| exact(answer, name, RecordType::SOA).next().is_some()) {
            return Ok(false);
        }
        let same = |((star, kind), names): (&(Name, RecordType), &BTreeSet<Name>), answer: &Message| {
            let wild = content(exact(answer, star, *kind));
            !wild.is_empty() && names.iter().any(|name| found.get(&(name.clone(), *kind)).is_some_and(|records| content(records) == wild))
        };
        Ok(!self.wildcards.iter().zip(at_stars).any(|(asked, answer)| same(asked, answer)))
    }
}

/// TTL and data, in an order of their own.
fn content<'a>(records: impl IntoIterator<Item = &'a Record>) -> BTreeSet<(u32, String)> {
    records.into_iter().map(|record| (record.ttl, record.data.to_string())).collect()
}
