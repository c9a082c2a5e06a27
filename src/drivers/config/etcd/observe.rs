//! Reading: linearizable, as many keys at once as the server takes in one transaction.

use super::driver::Etcd;
use crate::{
    core::model::{CHANGED, Fact, FactValue, Health, Kind, Observed, Reading, ResourceId, Token, Want},
    etcd::{Fault, Live, NO_SPACE, encoded, kvs, ranges},
    kinds::config::{key_id, value},
    ports::{Clock, ObserveError, ObserveErrorKind, SystemClock},
};
use serde_json::json;
use std::time::{Duration, Instant};

/// A read that got no answer is asked again so often: a leader is elected within a second or two.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// Keys of one page of a listing.
const PAGE: usize = 1000;

/// What a key was when it was read: the revision counts only for the content that came with it.
pub(super) fn token(live: &Live) -> Token {
    let content = live.bytes.as_deref().map_or_else(|| "none".to_owned(), |bytes| value(bytes).fingerprint().to_string());
    Token(Some(format!("{}:{content}", live.revision).into()))
}

/// The live state of keys, in the order asked.
pub(super) async fn read(driver: &Etcd, keys: &[&str], deadline: Instant) -> Result<Vec<Live>, (Fault, Vec<usize>)> {
    let mut found: Vec<Option<Live>> = vec![None; keys.len()];
    let mut waiting: Vec<Vec<usize>> = (0..keys.len()).collect::<Vec<_>>().chunks(driver.ops()).map(<[usize]>::to_vec).rev().collect();
    let mut denied: Vec<usize> = Vec::new();
    let mut why = None;
    while let Some(some) = waiting.pop() {
        let gets: Vec<_> = some.iter().map(|at| json!({ "request_range": { "key": encoded(keys[*at].as_bytes()) } })).collect();
        match patiently(driver, &json!({ "success": gets }), deadline).await.and_then(|answer| ranges(&answer, some.len())) {
            Ok(all) => some.iter().zip(all).for_each(|(at, live)| found[*at] = Some(live)),
            Err(Fault::TooMany) if some.len() > 1 => {
                driver.takes_less_than(some.len());
                waiting.extend(some.chunks(driver.ops()).map(<[usize]>::to_vec));
            }
            Err(Fault::Denied(text)) if some.len() > 1 && denied.len() < 10 => {
                why = Some(Fault::Denied(text));
                let (a, b) = some.split_at(some.len() / 2);
                waiting.extend([b.to_vec(), a.to_vec()]);
            }
            Err(fault @ Fault::Denied(_)) => {
                why = Some(fault);
                denied.extend(some);
            }
            Err(fault) => return Err((fault, some)),
        }
    }
    if let Some(fault) = why.filter(|_| !denied.is_empty()) {
        return Err((fault, denied));
    }
    Ok(found.into_iter().map(|live| live.unwrap_or(Live { revision: 0, bytes: None })).collect())
}

/// Asks again what reading alone may ask again.
async fn patiently(driver: &Etcd, body: &serde_json::Value, deadline: Instant) -> Result<serde_json::Value, Fault> {
    let mut tries = 1;
    loop {
        match driver.wire.ask("/v3/kv/txn", body, deadline).await {
            Err(Fault::Lost(_)) if tries < TRIES && Instant::now() + PAUSE < deadline => {
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

pub(super) async fn observe(driver: &Etcd, deadline: Instant, wants: &[Want], facts: &[Fact]) -> Result<Vec<Observed>, ObserveError> {
    let keys: Vec<&str> = wants.iter().map(|want| &*want.id.name).collect();
    let all = read(driver, &keys, deadline).await.map_err(|(fault, some)| {
        let about = some.into_iter().map(|at| wants[at].id.clone()).collect();
        error(driver, &fault, about)
    })?;
    let one = |(want, live): (&Want, Live)| {
        let merged = want.merged.clone().map(|value| driver.kind.canon(&want.id, value)).transpose();
        let base = want.base.clone().map(|value| driver.kind.canon(&want.id, value.clone()).unwrap_or(value));
        let mut seen = seen(want.id.clone(), &live, base, merged);
        if live.revision > 0 && facts.iter().any(|fact| &**fact == CHANGED) {
            seen.facts.insert(CHANGED.into(), FactValue::Text(format!("written at revision {}", live.revision).into()));
        }
        seen
    };
    Ok(wants.iter().zip(all).map(one).collect())
}

type Merged = Result<Option<crate::core::model::Value>, crate::core::model::Refusal>;

fn seen(id: ResourceId, live: &Live, base: Option<crate::core::model::Value>, merged: Merged) -> Observed {
    let reading = Reading::Seen { live: live.bytes.as_deref().map(value), base, merged };
    Observed { id, reading, facts: Default::default(), health: Health::NotAsked, token: token(live), at: SystemClock.now() }
}

/// Every key of the cluster that is text, in pages of one revision.
pub(super) async fn list(driver: &Etcd, deadline: Instant) -> Result<Vec<Observed>, ObserveError> {
    let of = |fault: Fault| error(driver, &fault, Vec::new());
    let (mut from, mut revision, mut found) = (vec![0u8], "0".to_owned(), Vec::new());
    loop {
        let body = json!({ "key": encoded(&from), "range_end": encoded(&[0]), "limit": PAGE, "revision": revision });
        let answer = driver.wire.ask("/v3/kv/range", &body, deadline).await.map_err(of)?;
        let page = kvs(&answer).map_err(of)?;
        if revision == "0" {
            revision = answer["header"]["revision"].as_str().unwrap_or("0").to_owned();
        }
        let Some((last, _)) = page.last() else { break };
        from = [last.as_slice(), &[0]].concat();
        let more = answer["more"].as_bool().unwrap_or(false);
        for (key, live) in page {
            if let Ok(key) = String::from_utf8(key) {
                found.push(seen(key_id(driver.target(), &key), &live, None, Ok(None)));
            }
        }
        if !more {
            break;
        }
    }
    Ok(found)
}

pub(super) fn error(driver: &Etcd, fault: &Fault, about: Vec<ResourceId>) -> ObserveError {
    let keys = about.iter().take(3).map(|id| format!("`{}`", id.name)).collect::<Vec<_>>().join(", ");
    let (what, kind) = match fault {
        Fault::Unreachable(why) | Fault::Lost(why) => (why.clone(), ObserveErrorKind::Unreachable),
        Fault::Denied(why) if about.is_empty() || !why.contains("permission denied") => (why.clone(), ObserveErrorKind::Denied),
        Fault::Denied(_) => (format!("the user `{}` may not read {keys}; grant its role the right to", driver.wire.user()), ObserveErrorKind::Denied),
        Fault::TooMany | Fault::TooLarge => ("the server takes no question of this size; raise --max-request-bytes".to_owned(), ObserveErrorKind::Broken),
        Fault::NoSpace => (NO_SPACE.to_owned(), ObserveErrorKind::Broken),
        Fault::Other(why) => (why.clone(), ObserveErrorKind::Broken),
    };
    ObserveError { target: driver.target().to_owned(), what, kind, about }
}
