//! Health of an RRset: every configured name server answers with it, as any client would see it.

use super::{
    driver::Rfc2136,
    question::{exact, question},
};
use crate::{
    core::model::{FactValue, Health, Observed, Reading, ResourceId, Value},
    kinds::dns::{split, wire},
};
use futures::future::join_all;
use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{Name, RecordType},
};
use std::{collections::BTreeSet, time::Instant};

/// The fact that this driver measures, and the only one.
pub(super) const ANSWERED_BY_ALL: &str = "answered_by_all";

/// What one server said about each question, or why it could not be asked.
type Answers = Result<Vec<Message>, String>;

/// Sets health and fact of every resource seen. A server that cannot be asked leaves health unknown: a gap, not a failure.
pub(super) async fn ask(driver: &Rfc2136, deadline: Instant, seen: &mut [Observed]) {
    let questions: Vec<Option<(Name, RecordType)>> = seen.iter().map(|seen| of(&seen.id)).collect();
    // The primary too, as a client sees it: below wildcards and delegations an answer is right when it equals the primary's.
    let mut servers = vec![driver.primary.as_str()];
    servers.extend(driver.nameservers.iter().map(String::as_str).filter(|address| *address != driver.primary));
    let asked = join_all(servers.iter().map(|address| one(driver, address, deadline, &questions))).await;
    let judged: BTreeSet<&str> = driver.nameservers.iter().map(String::as_str).collect();
    let mut at = 0;
    for (seen, question) in seen.iter_mut().zip(&questions) {
        let Some((name, kind)) = question else {
            seen.health = Health::Unknown("it names no RRset; look at its id".into());
            continue;
        };
        let (desired, settled) = match &seen.reading {
            Reading::Seen { live, merged: Ok(merged), .. } => (merged.as_ref(), live == merged),
            Reading::Seen { merged: Err(_), .. } | Reading::Opaque { .. } | Reading::Later { .. } => (None, false),
        };
        let primary = asked.first().filter(|_| settled).and_then(|answers| answers.as_ref().ok()).and_then(|answers| answers.get(at));
        let mut health = Health::Current;
        for (address, answers) in servers.iter().zip(&asked).filter(|(address, _)| judged.contains(*address)) {
            let says = match answers {
                Err(why) => Health::Unknown(why.as_str().into()),
                Ok(answers) => judge(address, answers.get(at), primary, name, *kind, desired),
            };
            // What still lags outweighs what cannot be asked: it is the more certain "not yet".
            if health == Health::Current || (matches!(health, Health::Unknown(_)) && matches!(says, Health::InProgress(_))) {
                health = says;
            }
        }
        seen.facts.insert(ANSWERED_BY_ALL.into(), FactValue::Bool(health == Health::Current));
        seen.health = health;
        at += 1;
    }
}

fn judge(address: &str, answer: Option<&Message>, primary: Option<&Message>, name: &Name, kind: RecordType, desired: Option<&Value>) -> Health {
    let Some(answer) = answer else { return Health::Unknown(format!("{address} gave no answer").into()) };
    let code = answer.metadata.response_code;
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return Health::Unknown(format!("{address} answers {code}; check that it serves this zone").into());
    }
    let found = content(answer, name, kind);
    if found.as_ref() == desired {
        return Health::Current;
    }
    // A wildcard or a delegation hides what the zone holds from every client alike. `primary` is given only when the zone itself holds what is desired.
    let hidden = primary.is_some_and(|primary| content(primary, name, kind).as_ref() != desired && same(primary, answer));
    if hidden {
        return Health::Current;
    }
    let still =
        |value: &Value| value.get("values").map(Value::as_list).unwrap_or_default().iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>().join(", ");
    let ttl = |value: &Value| value.get("ttl").map_or_else(String::new, |ttl| format!(" (ttl {ttl})"));
    Health::InProgress(match found {
        None => format!("{address} does not answer with it yet").into(),
        Some(value) => format!("{address} still answers {}{}", still(&value), ttl(&value)).into(),
    })
}

fn content(answer: &Message, name: &Name, kind: RecordType) -> Option<Value> {
    wire::from_records(exact(answer, name, kind))
}

/// Whether two answers hold the same records, in any order.
fn same(a: &Message, b: &Message) -> bool {
    let records = |message: &Message| -> BTreeSet<String> {
        message.answers.iter().chain(message.authorities.iter().filter(|record| record.record_type() != RecordType::SOA)).map(ToString::to_string).collect()
    };
    a.metadata.response_code == b.metadata.response_code && records(a) == records(b)
}

async fn one(driver: &Rfc2136, address: &str, deadline: Instant, questions: &[Option<(Name, RecordType)>]) -> Answers {
    let row: Vec<Message> = questions.iter().flatten().map(|(name, kind)| question(name.clone(), *kind)).collect();
    let mut conn = driver.connect_as_client(address, deadline).await.map_err(|error| error.to_string())?;
    conn.ask_all(row).await.map_err(|error| error.to_string())
}

fn of(id: &ResourceId) -> Option<(Name, RecordType)> {
    let parts = split(id).ok()?;
    Some((wire::to_name(&parts.owner), RecordType::from(parts.rtype.0)))
}
