//! Between canonical values and the wire's records: what the driver sends, and what it reads.

use super::{DnsName, RType, fault::fault, ids::split, kind::rrset, rdata, rrset_id};
use crate::core::model::{Refusal, ResourceId, Value};
use hickory_proto::{
    rr::{Name, RData, Record, RecordType, rdata::NULL},
    serialize::binary::{BinDecodable, BinDecoder, BinEncodable, BinEncoder, Restrict},
};

/// One RRset as records need it: every record of it is `name ttl IN rtype data[i]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rrset {
    pub zone: Name,
    pub name: Name,
    pub rtype: RecordType,
    pub ttl: u32,
    pub data: Vec<RData>,
}

impl Rrset {
    /// Its records, each with the RRset's TTL.
    pub fn records(&self) -> Vec<Record> {
        self.data.iter().map(|data| Record::from_rdata(self.name.clone(), self.ttl, data.clone())).collect()
    }
}

/// The records that a canonical value stands for; refused when the value is not canonical.
pub fn to_rrset(id: &ResourceId, value: &Value) -> Result<Rrset, Refusal> {
    let parts = split(id)?;
    let (ttl, data) = to_data(id, parts.rtype, value)?;
    Ok(Rrset { zone: to_name(&parts.zone), name: to_name(&parts.owner), rtype: RecordType::from(parts.rtype.0), ttl, data })
}

/// The TTL and the data of a canonical value, for callers that know the names in its id.
pub fn to_data(id: &ResourceId, rtype: RType, value: &Value) -> Result<(u32, Vec<RData>), Refusal> {
    let ttl = value.get("ttl").and_then(Value::as_int).and_then(|ttl| u32::try_from(ttl).ok());
    let ttl = ttl.ok_or_else(|| fault(format!("`{id}` has no ttl that fits"), "give it a ttl from 0 to 2147483647"))?;
    let one = |text: &Value| {
        let text = text.as_str().ok_or_else(|| fault(format!("`{id}` holds a value that is no text"), "write record data as text"))?;
        Ok(to_rdata(rtype, &rdata::parse(rtype, text)?))
    };
    let data = value.get("values").map(Value::as_list).unwrap_or_default().iter().map(one).collect::<Result<_, Refusal>>()?;
    Ok((ttl, data))
}

/// The canonical value of an RRset's live records; `None` when there are none, or when one cannot be encoded.
///
/// Servers hold one TTL an RRset; should a transfer show several, the least counts (RFC 2181, 5.2).
pub fn from_records<'a>(records: impl IntoIterator<Item = &'a Record>) -> Option<Value> {
    let mut ttl: Option<u32> = None;
    let mut values = Vec::new();
    for record in records {
        ttl = Some(ttl.map_or(record.ttl, |least| least.min(record.ttl)));
        let rtype = RType(u16::from(record.record_type()));
        values.push(rdata::print(rtype, &from_rdata(&record.data)?));
    }
    Some(rrset(ttl?, values))
}

/// The resource a live record belongs to; `None` for what is never a resource: SOA, what signing yields, and records outside of the zone.
pub fn record_id(target: &str, zone: &DnsName, record: &Record) -> Option<ResourceId> {
    let rtype = RType(u16::from(record.record_type()));
    if rtype.generated() || rtype.is_meta() {
        return None;
    }
    rrset_id(target, zone, &from_name(&record.name)?, rtype).ok()
}

/// The name as the DNS library holds it.
pub fn to_name(name: &DnsName) -> Name {
    Name::read(&mut BinDecoder::new(name.wire())).expect("a DnsName is wire form within every limit, so it always decodes")
}

/// The name as we hold it: lower case. `None` only for a name that does not encode.
pub fn from_name(name: &Name) -> Option<DnsName> {
    DnsName::from_labels(name.iter()).ok()
}

/// Wire data as the library's own variant where that keeps every octet, else as opaque octets of the same type.
fn to_rdata(rtype: RType, wire: &[u8]) -> RData {
    let code = RecordType::from(rtype.0);
    let opaque = || RData::Unknown { code, rdata: NULL::with(wire.to_vec()) };
    let Ok(len) = u16::try_from(wire.len()) else { return opaque() };
    match RData::read(&mut BinDecoder::new(wire), code, Restrict::new(len)) {
        Ok(data) if data.record_type() == code && from_rdata(&data).as_deref() == Some(wire) => data,
        Ok(_) | Err(_) => opaque(),
    }
}

/// The octets of a record's data, without compression.
fn from_rdata(data: &RData) -> Option<Vec<u8>> {
    let mut wire = Vec::new();
    data.emit(&mut BinEncoder::new(&mut wire)).ok()?;
    Some(wire)
}
