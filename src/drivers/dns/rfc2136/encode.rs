//! UPDATE messages as octets.
//!
//! The library's encoder stops compressing names after the first few hundred, which would double a message of thousands of
//! records and with it the number of messages; here every owner points at the zone's name, or at itself where it stood before.

use super::transport::{WireError, WireErrorKind};
use hickory_proto::{
    rr::{DNSClass, Name, RData, Record, RecordType},
    serialize::binary::{BinEncodable, BinEncoder, NameEncoding},
};
use std::collections::BTreeMap;

/// Opcode UPDATE (RFC 2136 §1.3) where a header holds it.
const UPDATE_FLAGS: u16 = 5 << 11;

/// Where the zone's name stands: right after the header.
const ZONE_AT: u16 = 12;

/// A pointer reaches the first 16 KiB of a message only (RFC 1035 §4.1.4).
const POINTER: u16 = 0xc000;

/// The sections of one message.
#[derive(Debug)]
pub(super) struct Update {
    pub zone: Name,
    pub prerequisites: Vec<Record>,
    pub updates: Vec<Record>,
}

/// The message with the id left zero and nothing after its updates.
pub(super) fn encode(update: &Update) -> Result<Vec<u8>, WireError> {
    let count = |records: &[Record]| u16::try_from(records.len()).map_err(|_| unsendable("too many records".into()));
    let mut out = Vec::with_capacity(4096);
    for word in [0, UPDATE_FLAGS, 1, count(&update.prerequisites)?, count(&update.updates)?, 0] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    let zone = plain(&update.zone)?;
    out.extend_from_slice(&zone);
    put(&mut out, RecordType::SOA, DNSClass::IN);
    let mut owners: BTreeMap<&Name, u16> = BTreeMap::from([(&update.zone, ZONE_AT)]);
    for record in update.prerequisites.iter().chain(&update.updates) {
        match owners.get(&record.name) {
            Some(at) => out.extend_from_slice(&(POINTER | at).to_be_bytes()),
            None => {
                if let Some(at) = u16::try_from(out.len()).ok().filter(|at| *at < POINTER >> 2) {
                    owners.insert(&record.name, at);
                }
                let owner = plain(&record.name)?;
                let labels = owner.len().checked_sub(zone.len()).ok_or_else(|| unsendable(format!("`{}` is not in `{}`", record.name, update.zone)))?;
                out.extend_from_slice(&owner[..labels]);
                out.extend_from_slice(&(POINTER | ZONE_AT).to_be_bytes());
            }
        }
        put(&mut out, record.record_type(), record.dns_class);
        out.extend_from_slice(&record.ttl.to_be_bytes());
        let data = data(&record.data)?;
        let len = u16::try_from(data.len()).map_err(|_| unsendable("a record is too long".into()))?;
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(&data);
    }
    Ok(out)
}

fn put(out: &mut Vec<u8>, kind: RecordType, class: DNSClass) {
    out.extend_from_slice(&u16::from(kind).to_be_bytes());
    out.extend_from_slice(&u16::from(class).to_be_bytes());
}

/// A record's data, empty where an UPDATE wants none.
pub(super) fn data(data: &RData) -> Result<Vec<u8>, WireError> {
    if matches!(data, RData::Update0(_)) { Ok(Vec::new()) } else { plain(data) }
}

/// Without compression, for a pointer would count from the wrong place.
pub(super) fn plain(part: &impl BinEncodable) -> Result<Vec<u8>, WireError> {
    let mut out = Vec::new();
    let mut encoder = BinEncoder::new(&mut out);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    part.emit(&mut encoder).map_err(|why| unsendable(why.to_string()))?;
    Ok(out)
}

/// The error of a message that cannot be sent; nothing was.
pub(super) fn unsendable(why: String) -> WireError {
    WireError::new(WireErrorKind::Unsendable, format!("a message cannot be encoded: {why}"), "split what it carries")
}
