//! The inbox: deliveries (webhooks, commands) kept before they are answered, each once.

use super::{
    codec, keys,
    store::{FETCH, Store, corrupt},
};
use crate::{
    core::model::{BlobId, Time},
    ports::{Compare, Key, KvError, Put, Row},
};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// One delivery that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What `done` takes; grows in the order of arrival.
    pub n: u64,
    /// Which webhook or interface it came by.
    pub source: String,
    /// The sender's own id of it; empty where it has none.
    pub id: String,
    pub at: Time,
    pub bytes: Vec<u8>,
}

/// What became of an enqueue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It is durable and waits.
    New(u64),
    /// A delivery of this source and id came before; nothing was written.
    Known,
}

/// The first line of a stored delivery; its packed bytes follow.
#[derive(Serialize, Deserialize)]
pub(super) struct Slip {
    pub source: String,
    pub id: String,
    pub at: Time,
    /// Where the bytes are when they are too large for a row.
    pub blob: Option<BlobId>,
}

impl Store {
    /// Keeps a delivery; on return it is durable, and a second one of the same source and id is known.
    pub async fn enqueue(&self, source: &str, id: &str, at: Time, bytes: &[u8]) -> Result<Enqueued, KvError> {
        let seen = keys::seen(source, id);
        let row = self.slip(&seen, source, id, at, bytes).await?;
        let when_seen = at.0.to_string().into_bytes();
        loop {
            let n = self.numbers().await?.fetch_add(1, Ordering::SeqCst);
            let key = keys::delivery(n);
            let when = vec![Compare::Absent(seen.clone()), Compare::Absent(key.clone())];
            let then = vec![Put::Set(seen.clone(), when_seen.clone(), None), Put::Set(key, row.clone(), None)];
            match self.0.kv.commit(when, then).await? {
                Ok(_) => return Ok(Enqueued::New(n)),
                Err(miss) if miss.key == seen => return Ok(Enqueued::Known),
                // Another replica took the number.
                Err(_) => {}
            }
        }
    }

    /// Keeps a delivery whose sender has no name for it, so that each is one of its own; its number.
    pub async fn keep(&self, source: &str, at: Time, bytes: &[u8]) -> Result<u64, KvError> {
        let row = self.slip(&keys::inbox(), source, "", at, bytes).await?;
        loop {
            let n = self.numbers().await?.fetch_add(1, Ordering::SeqCst);
            let key = keys::delivery(n);
            // A miss means that another replica took the number.
            if self.0.kv.commit(vec![Compare::Absent(key.clone())], vec![Put::Set(key, row.clone(), None)]).await?.is_ok() {
                return Ok(n);
            }
        }
    }

    /// The row of a delivery; bytes too large for one are a blob.
    async fn slip(&self, about: &Key, source: &str, id: &str, at: Time, bytes: &[u8]) -> Result<Vec<u8>, KvError> {
        let packed = codec::pack(bytes);
        let large = packed.len() > self.0.kv.limits().bytes / 2;
        let blob = if large { Some(self.put_blob(bytes).await?) } else { None };
        let slip = Slip { source: source.to_owned(), id: id.to_owned(), at, blob };
        let mut row = serde_json::to_vec(&slip).map_err(|error| corrupt(about, &error.to_string()))?;
        row.push(b'\n');
        if !large {
            row.extend(packed);
        }
        Ok(row)
    }

    /// The oldest deliveries that are not done, at most `limit`; they stay until they are done.
    pub async fn take(&self, limit: usize) -> Result<Vec<Delivery>, KvError> {
        let mut out = Vec::new();
        for row in self.below(&keys::inbox(), None, limit).await? {
            out.push(self.opened(row).await?);
        }
        Ok(out)
    }

    /// One delivery; none when it is done.
    pub async fn delivery(&self, n: u64) -> Result<Option<Delivery>, KvError> {
        match self.at(&keys::delivery(n)).await? {
            Some(row) => self.opened(row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn opened(&self, row: Row) -> Result<Delivery, KvError> {
        let bad = |what: String| corrupt(&row.key, &what);
        let line = row.value.iter().position(|byte| *byte == b'\n').ok_or_else(|| bad("has no slip".into()))?;
        let slip: Slip = serde_json::from_slice(&row.value[..line]).map_err(|error| bad(format!("cannot be understood ({error})")))?;
        let bytes = match &slip.blob {
            Some(id) => self.blob(id).await?.ok_or_else(|| bad(format!("has lost its blob {id}")))?,
            None => codec::unpack(&row.value[line + 1..]).map_err(bad)?,
        };
        let n = number(&row.key).ok_or_else(|| bad("has no number".into()))?;
        Ok(Delivery { n, source: slip.source, id: slip.id, at: slip.at, bytes })
    }

    /// Removes handled deliveries; their ids stay known.
    pub async fn done(&self, numbers: &[u64]) -> Result<(), KvError> {
        let most = self.0.kv.limits().ops.max(1);
        for some in numbers.chunks(most) {
            let then = some.iter().map(|n| Put::Del(keys::delivery(*n))).collect();
            self.0.kv.commit(Vec::new(), then).await?.ok();
        }
        Ok(())
    }

    /// Forgets the ids of deliveries that came before `before`, and says how many.
    pub async fn forget_seen(&self, before: Time) -> Result<usize, KvError> {
        let old = |value: &[u8]| std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).is_none_or(|at: i64| at < before.0);
        let (mut after, mut forgotten) = (None, 0);
        // A busy forge leaves hundreds of thousands: a page of them at a time.
        loop {
            let rows = self.below(&keys::all_seen(), after.as_ref(), FETCH).await?;
            let Some(last) = rows.last().map(|row| row.key.clone()) else { return Ok(forgotten) };
            let old: Vec<_> = rows.into_iter().filter(|row| old(&row.value)).map(|row| row.key).collect();
            for some in old.chunks(self.0.kv.limits().ops.max(1)) {
                self.0.kv.commit(Vec::new(), some.iter().cloned().map(Put::Del).collect()).await?.ok();
            }
            forgotten += old.len();
            after = Some(last);
        }
    }

    /// The next number; counted on from the last delivery that waits.
    async fn numbers(&self) -> Result<&AtomicU64, KvError> {
        let first = async || {
            let rows = self.below(&keys::inbox(), None, usize::MAX).await?;
            Ok(AtomicU64::new(rows.last().and_then(|row| number(&row.key)).map_or(1, |n| n + 1)))
        };
        self.0.next_delivery.get_or_try_init(first).await
    }
}

/// The number at the end of a delivery's key.
fn number(key: &[u8]) -> Option<u64> {
    std::str::from_utf8(key).ok()?.trim_end_matches('/').rsplit('/').next()?.parse().ok()
}
