//! A whole zone by AXFR (RFC 5936): the strongest read there is, one consistent state of every name.

use super::{
    question::question,
    transport::{Conn, WireError, WireErrorKind},
};
use hickory_proto::{
    op::ResponseCode,
    rr::{Name, Record, RecordType},
};

/// What a transfer came to.
pub(super) enum Transfer {
    /// Every record of the zone, the SOA once and first.
    Whole(Vec<Record>),
    /// The server answered with this code and no records.
    Refused(ResponseCode),
}

/// Reads the zone. A transfer that stops early or does not begin with the zone's SOA is an error, never a shorter zone.
pub(super) async fn transfer(conn: &mut Conn, zone: &Name) -> Result<Transfer, WireError> {
    let mut records: Vec<Record> = Vec::new();
    let mut refused = None;
    conn.stream(question(zone.clone(), RecordType::AXFR), |message| {
        let code = message.metadata.response_code;
        if code != ResponseCode::NoError {
            refused = Some(code);
            return Ok(true);
        }
        if message.metadata.truncation {
            return Err(broken(zone, "is cut short, as servers do that send it in one message"));
        }
        for record in message.answers {
            let soa = record.record_type() == RecordType::SOA && record.name == *zone;
            if records.is_empty() && !soa {
                return Err(broken(zone, "does not begin with its SOA record"));
            }
            if soa && !records.is_empty() {
                return Ok(true);
            }
            records.push(record);
        }
        if records.is_empty() { Err(broken(zone, "is empty")) } else { Ok(false) }
    })
    .await?;
    Ok(refused.map_or(Transfer::Whole(records), Transfer::Refused))
}

fn broken(zone: &Name, what: &str) -> WireError {
    WireError::new(WireErrorKind::Broken, format!("the transfer of {zone} {what}"), "look into the server's log")
}
