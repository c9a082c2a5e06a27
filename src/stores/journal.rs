//! The journal: hash-chained records of a stream, each append one commit with the stream's head and card.

use super::{
    codec, keys,
    rows::Batch,
    store::{FETCH, Store, corrupt},
};
use crate::{
    core::{
        model::{BlobId, Fingerprint},
        run::{Card, Event, Receipt, StreamId, Turn},
    },
    ports::{Compare, Fence, Key, KvError, KvErrorKind, Put, Rev},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{fmt, sync::PoisonError};

/// The end of a stream: how many records it holds, the hash of its last row, and the card beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    pub records: u64,
    /// The hash of the last row: what the next row is chained to.
    pub hash: Fingerprint,
    pub card: Option<Card>,
}

impl Head {
    /// The head of a stream that holds nothing.
    fn empty() -> Self {
        Self { records: 0, hash: Fingerprint([0; 32]), card: None }
    }
}

/// The end of a stream as this process last saw it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    head: Head,
    row: HeadRow,
}

/// The row that says where a stream ends, as it was read; in the order in which one process may come to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum HeadRow {
    /// Records were read beyond it.
    Passed,
    /// There was none.
    Absent,
    /// It was written at this revision.
    At(Rev),
}

/// One stored row: the records of one append, chained to the row before.
#[derive(Serialize, Deserialize)]
pub(super) struct Link {
    /// The hash of the row before; of the first row, zeros.
    pub prev: Fingerprint,
    pub records: u64,
    #[serde(flatten)]
    pub body: Body,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Body {
    /// The records' JSON follows the link's line.
    Here,
    /// The records' JSON is a blob, written before this row.
    Blob(BlobId),
}

/// Why an append was not made. Whatever the reason, the change in memory ran ahead of the disk: drop it and fold the journal again.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The stream does not end where the caller believes.
    #[error("{stream} has been appended to by somebody else: it does not end at record {at}; fold it again")]
    Stale { stream: Named, at: u64 },
    /// The fence is gone: another process owns the change now.
    #[error("the lease on {stream} is lost; another process owns it now")]
    Lost { stream: Named },
    /// No space: nothing was written.
    #[error("{what}")]
    Full { what: String },
    /// The store did not answer; the records may or may not be there.
    #[error("cannot append to {stream}: {source}")]
    Store { stream: Named, source: KvError },
}

/// Why a stream could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The chain does not hold at this record: the store was damaged or edited.
    #[error("the journal of {stream} is broken at record {record}: {what}; restore the store from a backup, nothing of this stream is run")]
    Broken { stream: Named, record: u64, what: String },
    #[error("cannot read the journal of {stream}: {source}")]
    Store { stream: Named, source: KvError },
}

/// A stream's name for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named(pub StreamId);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            StreamId::Change(mr) => write!(f, "{mr}"),
            StreamId::Board => f.write_str("the claims board"),
            StreamId::Overrides => f.write_str("the overrides"),
        }
    }
}

impl Store {
    /// Appends a turn's events, and its card, when the stream holds exactly `at` records and the fence still stands.
    ///
    /// On return they are durable, together or not at all.
    pub async fn append(&self, stream: &StreamId, at: u64, fence: Option<&Fence>, turn: &Turn) -> Result<Receipt, AppendError> {
        self.append_taking(stream, at, fence, turn, &[], Batch::new()).await
    }

    /// The same, and in the same commit the deliveries that the turn heard leave the inbox, so that each is heard exactly once, and what is to be
    /// done beside the journal is written down, so that no crash loses it.
    pub async fn append_taking(&self, stream: &StreamId, at: u64, fence: Option<&Fence>, turn: &Turn, taken: &[u64], beside: Batch) -> Result<Receipt, AppendError> {
        let (mut when, mut then) = beside.parts();
        when.extend(fence.map(|fence| Compare::At(fence.key.clone(), Rev(fence.rev))));
        then.extend(taken.iter().map(|n| Put::Del(keys::delivery(*n))));
        self.append_with(stream, at, fence, (&turn.events, Some(turn.card.clone())), (when, then)).await
    }

    /// Appends records of another type than a change's events, the board's for instance, under the same promises.
    pub async fn append_records<E: Serialize + Sync>(&self, stream: &StreamId, at: u64, fence: Option<&Fence>, records: &[E]) -> Result<Receipt, AppendError> {
        let when = fence.map(|fence| Compare::At(fence.key.clone(), Rev(fence.rev))).into_iter().collect();
        self.append_with(stream, at, fence, (records, None), (when, Vec::new())).await
    }

    async fn append_with<E: Serialize + Sync>(
        &self,
        stream: &StreamId,
        at: u64,
        fence: Option<&Fence>,
        (records, card): (&[E], Option<Card>),
        (beside, mut then): (Vec<Compare>, Vec<Put>),
    ) -> Result<Receipt, AppendError> {
        let (head, unmoved) = self.head(stream, at).await.map_err(|error| failed(stream, error))?;
        if head.records != at {
            return Err(AppendError::Stale { stream: Named(stream.clone()), at });
        }
        let record = keys::record(stream, at);
        let mut after = Head { records: at + records.len() as u64, hash: head.hash, card: card.or_else(|| head.card.clone()) };
        let mut when = vec![Compare::Absent(record.clone()), unmoved];
        when.extend(beside);
        if !records.is_empty() {
            let (hash, value) = self.link(stream, at, &head.hash, records).await.map_err(|error| failed(stream, error))?;
            after.hash = hash;
            then.push(Put::Set(record, value, None));
        }
        if then.is_empty() && after == head {
            // Nothing to keep; whoever acts on the receipt carries the fence.
            return Ok(Receipt { stream: stream.clone(), upto: at });
        }
        let head_row = serde_json::to_vec(&after).map_err(|error| failed(stream, corrupt(&keys::head(stream), &format!("cannot be written as JSON ({error})"))))?;
        then.push(Put::Set(keys::head(stream), head_row, None));
        match self.0.kv.commit(when, then).await {
            Ok(Ok(rev)) => {
                let receipt = Receipt { stream: stream.clone(), upto: after.records };
                self.remember(stream, Some(Known { head: after, row: HeadRow::At(rev) }));
                Ok(receipt)
            }
            Ok(Err(miss)) => {
                self.remember(stream, None);
                let stream = Named(stream.clone());
                let lost = fence.is_some_and(|fence| fence.key == miss.key);
                Err(if lost { AppendError::Lost { stream } } else { AppendError::Stale { stream, at } })
            }
            Err(error) => {
                self.remember(stream, None);
                Err(failed(stream, error))
            }
        }
    }

    /// Every event of a change, oldest first, with the chain verified. Its length is the `at` of the next append.
    pub async fn read(&self, stream: &StreamId) -> Result<Vec<Event>, ReadError> {
        self.read_records(stream).await
    }

    /// Every record of a stream of another type, with the chain verified.
    pub async fn read_records<E: DeserializeOwned>(&self, stream: &StreamId) -> Result<Vec<E>, ReadError> {
        self.read_after(stream, 0, Head::empty().hash).await
    }

    /// How many records a stream holds.
    pub async fn reaches(&self, stream: &StreamId) -> Result<u64, KvError> {
        Ok(self.stored_head(stream).await?.head.records)
    }

    /// The records after the first `at`, which this process has read or written; none when it has not, or when they were cut.
    pub async fn read_on<E: DeserializeOwned>(&self, stream: &StreamId, at: u64) -> Result<Option<Vec<E>>, ReadError> {
        let known = self.0.heads.lock().unwrap_or_else(PoisonError::into_inner).get(stream).filter(|known| known.head.records == at).map(|known| known.head.hash);
        let Some(hash) = known else { return Ok(None) };
        match self.read_after(stream, at, hash).await {
            Ok(more) => Ok(Some(more)),
            // Cut, or damaged: reading it whole tells.
            Err(ReadError::Broken { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The records of a stream from record `start` on, the first of which is chained to `hash`.
    pub(super) async fn read_after<E: DeserializeOwned>(&self, stream: &StreamId, start: u64, mut hash: Fingerprint) -> Result<Vec<E>, ReadError> {
        let unread = |source| ReadError::Store { stream: Named(stream.clone()), source };
        let broken = |record, what: String| ReadError::Broken { stream: Named(stream.clone()), record, what };
        // The head is read first: records that are appended meanwhile only lengthen what is found.
        let Known { head, row } = self.stored_head(stream).await.map_err(unread)?;
        let prefix = keys::journal(stream);
        let mut all = Vec::new();
        // Rows before the start, which an interrupted cut left behind, are not read.
        let mut after = start.checked_sub(1).map(|last| keys::record(stream, last));
        let mut reached = head.records == start && hash == head.hash;
        loop {
            let rows = self.below(&prefix, after.as_ref(), FETCH).await.map_err(unread)?;
            let Some(last) = rows.last() else { break };
            after = Some(last.key.clone());
            for row in rows {
                let first = start + all.len() as u64;
                if row.key != keys::record(stream, first) {
                    return Err(broken(first, format!("it is missing; the next that is there is `{}`", String::from_utf8_lossy(&row.key))));
                }
                let (link, body) = self.open_link(&row.value).await.map_err(|error| match error {
                    LinkError::Bad(what) => broken(first, what),
                    LinkError::Store(error) if error.kind == KvErrorKind::Corrupt => broken(first, error.what),
                    LinkError::Store(error) => unread(error),
                })?;
                if link.prev != hash {
                    return Err(broken(first, "it does not follow the record before it".into()));
                }
                let events: Vec<E> = serde_json::from_slice(&body).map_err(|error| broken(first, format!("it cannot be understood ({error})")))?;
                if events.len() as u64 != link.records || events.is_empty() {
                    return Err(broken(first, format!("it says it holds {} records and holds {}", link.records, events.len())));
                }
                hash = chain(stream, first, &link.prev, &body);
                all.extend(events);
                if start + all.len() as u64 == head.records {
                    reached = true;
                    if hash != head.hash {
                        return Err(broken(first, "its content is not what was written".into()));
                    }
                }
            }
        }
        if !reached {
            return Err(broken(start + all.len() as u64, format!("it is missing; the stream's head counts {} records", head.records)));
        }
        let records = start + all.len() as u64;
        let row = if records == head.records { row } else { HeadRow::Passed };
        self.remember(stream, Some(Known { head: Head { records, hash, card: head.card }, row }));
        Ok(all)
    }

    /// Builds the row of one append; what is too large for a row goes into a blob first.
    async fn link<E: Serialize + Sync>(&self, stream: &StreamId, first: u64, prev: &Fingerprint, records: &[E]) -> Result<(Fingerprint, Vec<u8>), KvError> {
        let unwritable = |error: serde_json::Error| corrupt(&keys::record(stream, first), &format!("cannot be written as JSON ({error})"));
        let body = serde_json::to_vec(records).map_err(unwritable)?;
        let hash = chain(stream, first, prev, &body);
        let packed = codec::pack(&body);
        let count = records.len() as u64;
        // Half of a commit is left to the card, the keys and the compares.
        let (link, tail) = if packed.len() > self.0.kv.limits().bytes / 2 {
            let blob = self.put_blob(&body).await?;
            (Link { prev: *prev, records: count, body: Body::Blob(blob) }, Vec::new())
        } else {
            (Link { prev: *prev, records: count, body: Body::Here }, packed)
        };
        let mut row = serde_json::to_vec(&link).map_err(unwritable)?;
        row.push(b'\n');
        row.extend(tail);
        Ok((hash, row))
    }

    async fn open_link(&self, row: &[u8]) -> Result<(Link, Vec<u8>), LinkError> {
        let bad = |what: &str| LinkError::Bad(what.to_owned());
        let line = row.iter().position(|byte| *byte == b'\n').ok_or_else(|| bad("it has no link to the record before"))?;
        let link: Link = serde_json::from_slice(&row[..line]).map_err(|error| LinkError::Bad(format!("its link cannot be understood ({error})")))?;
        let body = match &link.body {
            Body::Here => codec::unpack(&row[line + 1..]).map_err(|what| LinkError::Bad(format!("it {what}")))?,
            Body::Blob(id) => {
                let blob = self.blob(id).await.map_err(LinkError::Store)?;
                blob.ok_or_else(|| LinkError::Bad(format!("its content, the blob {id}, is missing")))?
            }
        };
        Ok((link, body))
    }

    /// The head to append to at `at`, and what holds as long as it is the head: the remembered one when it fits, else the stored one.
    pub(super) async fn head(&self, stream: &StreamId, at: u64) -> Result<(Head, Compare), KvError> {
        let fits = |known: &&Known| known.head.records == at && known.row != HeadRow::Passed;
        let known = self.0.heads.lock().unwrap_or_else(PoisonError::into_inner).get(stream).filter(fits).cloned();
        let known = match known {
            Some(known) => known,
            None => self.stored_head(stream).await?,
        };
        let key = keys::head(stream);
        // That the next record is absent says less: it is absent again once another replica has appended it and cut the stream behind it.
        let unmoved = match known.row {
            HeadRow::At(rev) => Compare::At(key, rev),
            HeadRow::Absent | HeadRow::Passed => Compare::Absent(key),
        };
        Ok((known.head, unmoved))
    }

    async fn stored_head(&self, stream: &StreamId) -> Result<Known, KvError> {
        match self.at(&keys::head(stream)).await? {
            Some(row) => Ok(Known { head: parse_head(&row.key, &row.value)?, row: HeadRow::At(row.rev) }),
            None => Ok(Known { head: Head::empty(), row: HeadRow::Absent }),
        }
    }

    /// Forgets where a stream ends, for one that nobody appends to any more; the next append reads it again.
    pub fn forget(&self, stream: &StreamId) {
        self.remember(stream, None);
    }

    fn remember(&self, stream: &StreamId, known: Option<Known>) {
        // The map is only a hint, whole after any panic.
        let mut heads = self.0.heads.lock().unwrap_or_else(PoisonError::into_inner);
        match known {
            // A reader that began before our last append, one of a card alone even, knows less than we do.
            Some(known) if heads.get(stream).is_some_and(|newer| (newer.head.records, newer.row) > (known.head.records, known.row)) => {}
            Some(known) => drop(heads.insert(stream.clone(), known)),
            None => drop(heads.remove(stream)),
        }
    }
}

pub(super) fn parse_head(key: &Key, value: &[u8]) -> Result<Head, KvError> {
    serde_json::from_slice(value).map_err(|error| corrupt(key, &format!("cannot be understood ({error})")))
}

/// Where the records of a stored row are; none when it is damaged.
pub(super) fn body_of(row: &[u8]) -> Option<Body> {
    let line = row.iter().position(|byte| *byte == b'\n')?;
    serde_json::from_slice::<Link>(&row[..line]).ok().map(|link| link.body)
}

enum LinkError {
    Bad(String),
    Store(KvError),
}

/// The hash of a row: over its place, the row before, and its content.
fn chain(stream: &StreamId, first: u64, prev: &Fingerprint, body: &[u8]) -> Fingerprint {
    Fingerprint::of("trueup journal 1", &[&keys::journal(stream), &first.to_be_bytes(), &prev.0, body])
}

pub(super) fn failed(stream: &StreamId, error: KvError) -> AppendError {
    match error.kind {
        KvErrorKind::Full => AppendError::Full { what: error.what },
        KvErrorKind::Locked | KvErrorKind::Session | KvErrorKind::Corrupt | KvErrorKind::Io => AppendError::Store { stream: Named(stream.clone()), source: error },
    }
}
