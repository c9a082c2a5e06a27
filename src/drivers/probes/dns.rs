//! What one name server answers for one name, asked over TCP: an answer is never cut and never from somebody else.

use super::{networks::Networks, reach::Lookup, tcp::connect};
use crate::{
    core::model::{DnsProbe, Saw},
    kinds::dns::{RType, parse_rdata, print_rdata, wire},
};
use hickory_proto::{
    op::{Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, RecordType},
};
use std::collections::BTreeSet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The one question of a connection.
const ID: u16 = 1;

pub(super) async fn ask(networks: &Networks, lookup: &dyn Lookup, probe: &DnsProbe) -> Saw {
    let (mut stream, at) = match connect(networks, lookup, &probe.server, 53).await {
        Ok(connected) => connected,
        Err(saw) => return saw,
    };
    let silent = |why: String| Saw::Nothing(format!("{at}: {why}").into());
    let (Ok(name), Ok(rtype)) = (Name::from_ascii(&*probe.name), RType::parse(&probe.r#type)) else { return silent("the question names no name or type".into()) };
    let kind = RecordType::from(rtype.0);
    let mut message = Message::new(ID, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name.clone(), kind));
    let answer = match exchange(&mut stream, &message).await {
        Ok(answer) => answer,
        Err(why) => return silent(why),
    };
    let code = answer.metadata.response_code;
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return silent(format!("it answers {code}; check that it serves this name"));
    }
    let records = answer.answers.iter().filter(|record| record.record_type() == kind && (record.name == name || has_alias(&answer)));
    let found: BTreeSet<String> = match wire::from_records(records) {
        Some(value) => value.get("values").map(|values| values.as_list().iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()).unwrap_or_default(),
        None => BTreeSet::new(),
    };
    let canonical = |text: &str| parse_rdata(rtype, text).map(|data| print_rdata(rtype, &data)).unwrap_or_else(|_| text.to_owned());
    let expected: BTreeSet<String> = probe.expect.iter().map(|text| canonical(text)).collect();
    let said = match found.is_empty() {
        true => format!("{at} has no {} of {}", probe.r#type, probe.name),
        false => format!("{at} answers {}", some(&found)),
    };
    let holds = if expected.is_empty() { !found.is_empty() } else { found == expected };
    if holds { Saw::Good(said.into()) } else { Saw::Bad(said.into()) }
}

/// Whether the answer leads on through a CNAME, so that the data has another owner.
fn has_alias(answer: &Message) -> bool {
    answer.answers.iter().any(|record| record.record_type() == RecordType::CNAME)
}

/// The first few of many.
fn some(found: &BTreeSet<String>) -> String {
    let shown: Vec<String> = found.iter().take(5).map(|text| text.chars().take(80).flat_map(char::escape_debug).collect()).collect();
    let more = if found.len() > 5 { format!(" and {} more", found.len() - 5) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

async fn exchange(stream: &mut tokio::net::TcpStream, message: &Message) -> Result<Message, String> {
    let octets = message.to_vec().map_err(|error| format!("the question cannot be sent: {error}"))?;
    let length = u16::try_from(octets.len()).map_err(|_| "the question is too long".to_owned())?;
    let lost = |error: std::io::Error| format!("no answer: {error}");
    stream.write_all(&[&length.to_be_bytes()[..], &octets].concat()).await.map_err(lost)?;
    let length = stream.read_u16().await.map_err(lost)?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await.map_err(lost)?;
    let answer = Message::from_vec(&answer).map_err(|_| "the answer makes no sense".to_owned())?;
    if answer.metadata.id == ID { Ok(answer) } else { Err("the answer is to another question".to_owned()) }
}
