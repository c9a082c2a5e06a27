//! The questions a driver sends, and what their answers say.

use hickory_proto::{
    op::{Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, Record, RecordType},
};

/// A question without recursion: only what the server itself holds counts.
pub(super) fn question(name: Name, kind: RecordType) -> Message {
    let mut message = Message::new(0, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(name, kind));
    message
}

/// The records of exactly this owner and type; a CNAME, what it leads to, and a DNAME above are none of them.
pub(super) fn exact<'a>(answer: &'a Message, name: &'a Name, kind: RecordType) -> impl Iterator<Item = &'a Record> {
    answer.answers.iter().filter(move |record| record.record_type() == kind && record.name == *name)
}

/// Whether the answer is the server's own and holds the SOA of this very name: the name is the apex of a zone it serves.
pub(super) fn has_soa(answer: &Message, name: &Name) -> bool {
    answer.metadata.response_code == ResponseCode::NoError && answer.metadata.authoritative && exact(answer, name, RecordType::SOA).next().is_some()
}
