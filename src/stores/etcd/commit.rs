//! One commit is one transaction; a lost answer is resolved by its mark.

use super::{
    kv::{Inner, PATIENCE, PAUSE, error},
    marks::{self, Borrowed, Fate, Stand},
};
use crate::{
    etcd::{Fault, encoded, kvs},
    ports::{Compare, Key, KvError, KvErrorKind, Miss, Put, Rev},
};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, sync::atomic::Ordering, time::Instant};

/// How often a commit is sent again because its mark was not where it was believed to be: only a session that ended moves one.
const ROUNDS: u32 = 8;

/// What a transaction came to.
enum Came {
    Done(u64),
    Missed(Key),
    /// The mark was elsewhere, nothing was written; where it is now.
    Elsewhere(u64),
}

pub(super) async fn commit(inner: &Inner, when: Vec<Compare>, then: Vec<Put>) -> Result<Result<Rev, Miss>, KvError> {
    // etcd refuses a key that is written twice; the last write of it is what the port means.
    let then: BTreeMap<Key, Option<(Vec<u8>, u64)>> = then
        .into_iter()
        .map(|put| match put {
            Put::Set(key, value, session) => (key, Some((value, session.map_or(0, |session| session.0)))),
            Put::Del(key) => (key, None),
        })
        .collect();
    let tied = then.values().flatten().any(|(_, lease)| *lease != 0);
    let mut mark = inner.marks.borrow().await;
    let end = Instant::now() + PATIENCE;
    let mut rounds = 0;
    loop {
        // A mark goes with the session, so that a process that ended leaves none behind.
        let lease = inner.sessions.newest();
        match attempt(inner, &mut mark, &when, &then, lease, end).await {
            Ok(Came::Done(revision)) => {
                mark.stands_at(revision);
                return Ok(Ok(Rev(revision)));
            }
            Ok(Came::Missed(key)) => return Ok(Err(Miss { key })),
            Ok(Came::Elsewhere(revision)) if rounds < ROUNDS => {
                rounds += 1;
                mark.stands_at(revision);
            }
            Ok(Came::Elsewhere(_)) => return Err(KvError { what: "the store's etcd gave contradictory answers; check its members".into(), kind: KvErrorKind::Io }),
            Err(fault) => {
                let error = error(fault);
                if error.kind == KvErrorKind::Session && lease != 0 && !tied {
                    // It was only the mark's: what is to be written belongs to no session.
                    inner.sessions.ended(lease);
                    continue;
                }
                return Err(error);
            }
        }
    }
}

/// Sends it until it is known what came of it, or the patience is over.
async fn attempt(inner: &Inner, mark: &mut Borrowed<'_>, when: &[Compare], then: &BTreeMap<Key, Option<(Vec<u8>, u64)>>, lease: u64, end: Instant) -> Result<Came, Fault> {
    loop {
        if Instant::now() >= end {
            return Err(Fault::Unreachable("nothing came of a commit in time".into()));
        }
        let value = inner.marks.value();
        let at = match mark.stand() {
            Stand::At(at) => at,
            Stand::Left(_) => {
                // An earlier commit with this mark was given up: it is moved on first.
                settle(inner, mark, &value, lease, end).await?;
                continue;
            }
        };
        mark.left_at(at);
        let answer = inner.wire.ask("/v3/kv/txn", &transaction(inner, &mark.key(), at, &value, when, then, lease), end).await;
        if !matches!(answer, Err(Fault::Lost(_))) {
            mark.stands_at(at);
        }
        match answer {
            Ok(answer) => return came(&answer, at, when),
            Err(Fault::Unreachable(_)) if Instant::now() + PAUSE < end => tokio::time::sleep(PAUSE).await,
            Err(Fault::Lost(_)) => {
                // What was sent in the last moment is asked for all the same.
                let end = end.max(Instant::now() + PATIENCE / 2);
                if let Fate::Happened(revision) = settle(inner, mark, &value, lease, end).await? {
                    return Ok(Came::Done(revision));
                }
            }
            Err(Fault::TooMany(told)) => {
                let sent = when.len().max(then.len()) + 1;
                inner.ops.fetch_min((sent / 2).max(8), Ordering::Relaxed);
                return Err(Fault::TooMany(told));
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// Finds out what became of the commit that wrote `value`; afterwards it never happens any more.
async fn settle(inner: &Inner, mark: &mut Borrowed<'_>, value: &[u8], lease: u64, end: Instant) -> Result<Fate, Fault> {
    let key = mark.key();
    let first = mark.stand() == Stand::Left(0);
    let mut lease = if first { 0 } else { lease };
    loop {
        // Asking twice is safe: a mark that was moved on is moved on again.
        match inner.wire.ask("/v3/kv/txn", &marks::question(&key, value, &inner.marks.value(), lease), end).await {
            Ok(answer) => {
                let (fate, stands) = marks::fate(&answer)?;
                match fate {
                    Fate::Never if first => mark.renew(),
                    Fate::Never | Fate::Happened(_) => mark.stands_at(stands),
                }
                return Ok(fate);
            }
            Err(Fault::Lost(_) | Fault::Unreachable(_)) if Instant::now() + PAUSE < end => tokio::time::sleep(PAUSE).await,
            Err(fault @ Fault::Other(_)) if lease != 0 && error(fault.clone()).kind == KvErrorKind::Session => lease = 0,
            // No space to move the mark on, so that it is not known what comes of the commit.
            Err(Fault::Full(_)) => return Err(Fault::Lost("the answer to a commit was lost, and its quota is used up since".into())),
            Err(fault) => return Err(fault),
        }
    }
}

fn transaction(inner: &Inner, mark: &[u8], at: u64, value: &[u8], when: &[Compare], then: &BTreeMap<Key, Option<(Vec<u8>, u64)>>, lease: u64) -> Json {
    let is = |key: &[u8], revision: u64| json!({ "key": encoded(key), "target": "MOD", "result": "EQUAL", "mod_revision": revision.to_string() });
    let put = |key: &[u8], value: &[u8], lease: u64| json!({ "request_put": { "key": encoded(key), "value": encoded(value), "lease": lease.to_string() } });
    let look = |key: &[u8]| json!({ "request_range": { "key": encoded(key), "keys_only": true } });
    let compared = |compare: &Compare| match compare {
        Compare::Absent(key) => is(&inner.key(key), 0),
        Compare::At(key, rev) => is(&inner.key(key), rev.0),
    };
    let written = |(key, value): (&Key, &Option<(Vec<u8>, u64)>)| match value {
        Some((value, lease)) => put(&inner.key(key), value, *lease),
        None => json!({ "request_delete_range": { "key": encoded(&inner.key(key)) } }),
    };
    let seen = |compare: &Compare| {
        let (Compare::Absent(key) | Compare::At(key, _)) = compare;
        look(&inner.key(key))
    };
    json!({
        "compare": std::iter::once(is(mark, at)).chain(when.iter().map(compared)).collect::<Vec<_>>(),
        "success": std::iter::once(put(mark, value, lease)).chain(then.iter().map(written)).collect::<Vec<_>>(),
        "failure": std::iter::once(look(mark)).chain(when.iter().map(seen)).collect::<Vec<_>>(),
    })
}

fn came(answer: &Json, at: u64, when: &[Compare]) -> Result<Came, Fault> {
    if answer["succeeded"].as_bool().unwrap_or(false) {
        return Ok(Came::Done(revision(answer)?));
    }
    let found = |n: usize| Ok::<u64, Fault>(kvs(&answer["responses"][n]["response_range"])?.first().map_or(0, |(_, live)| live.revision));
    let mark = found(0)?;
    if mark != at {
        return Ok(Came::Elsewhere(mark));
    }
    for (n, compare) in when.iter().enumerate() {
        let is = found(n + 1)?;
        let (key, holds) = match compare {
            Compare::Absent(key) => (key, is == 0),
            Compare::At(key, rev) => (key, is == rev.0),
        };
        if !holds {
            return Ok(Came::Missed(key.clone()));
        }
    }
    Err(Fault::Other("the server refused a transaction whose comparisons all hold".into()))
}

/// The store's revision in the head of an answer.
pub(super) fn revision(answer: &Json) -> Result<u64, Fault> {
    answer["header"]["revision"].as_str().and_then(|text| text.parse().ok()).ok_or_else(|| Fault::Other("the server's answer has no revision".into()))
}
