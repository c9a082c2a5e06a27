//! Moving everything from one store to another, whatever each is made of: every row as the other would have written it itself, and every chain read again in both.

use super::{
    codec,
    cut::Cut,
    inbox::Slip,
    journal::{Body, Link},
    keys,
    store::Store,
};
use crate::{
    core::{model::BlobId, run::StreamId},
    ports::{Compare, Key, KvError, KvErrorKind, Put, Row, SessionId},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};

/// Rows compared at a time; each may hold some mebibytes.
const PAGE: usize = 64;

/// What a migration came to: the same of both stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Rows, those of blobs and of sessions left out.
    pub rows: u64,
    pub blobs: u64,
    /// Journals, the board's among them.
    pub streams: u64,
    /// Records in them, those before a cut included.
    pub records: u64,
}

/// What was found in both stores when everything was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Migrated {
    pub from: Counted,
    pub to: Counted,
    /// Rows that this run wrote; fewer than there are where an earlier run was interrupted.
    pub written: u64,
}

/// Why a migration stopped. Nothing is lost: one of the two stores is whole.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("{0}")]
    Store(#[from] KvError),
    #[error("{0}")]
    Refused(String),
}

/// What stands in a store while it is filled, and keeps servers away from it.
#[derive(Serialize, Deserialize)]
struct Filling {
    /// The store it is filled from.
    from: String,
}

impl Store {
    /// An error while this store is moved elsewhere, or filled from elsewhere: a server that wrote to it now would be lost, or lose something.
    pub async fn serves(&self) -> Result<(), KvError> {
        let busy = |what: String| KvError { what, kind: KvErrorKind::Locked };
        if let Some(row) = self.at(&keys::filling()).await? {
            let from = serde_json::from_slice::<Filling>(&row.value).map_or_else(|_| "another store".to_owned(), |filling| filling.from);
            return Err(busy(format!("this store is being filled from {from} and is not whole; run `trueup store migrate` again, it goes on where it was")));
        }
        if let Some(to) = self.moved_to().await? {
            let next = "start the server with that configuration (if it says that its store is not whole, run `trueup store migrate` again); what this store holds is of the past, and `trueup serve --reopen` serves from it all the same";
            return Err(busy(format!("this store was moved to {to}; {next}")));
        }
        match self.at(&keys::closed()).await? {
            Some(row) => Err(busy(format!("this store is being moved to {}; wait for `trueup store migrate` to end", String::from_utf8_lossy(&row.value)))),
            None => Ok(()),
        }
    }

    /// The store that this one was moved to.
    async fn moved_to(&self) -> Result<Option<String>, KvError> {
        Ok(self.at(&keys::moved()).await?.map(|row| String::from_utf8_lossy(&row.value).into_owned()))
    }

    /// Lets servers use this store although it was moved elsewhere: what happened there since is not in it. Inside: where it was moved to.
    pub async fn reopen(&self) -> Result<Option<String>, KvError> {
        let to = self.moved_to().await?;
        if to.is_some() {
            self.0.kv.commit(Vec::new(), vec![Put::Del(keys::moved())]).await?.ok();
        }
        Ok(to)
    }
}

/// Moves everything. `names`: what people call the two. Both are kept from servers meanwhile, and the old one from then on; an interrupted run is gone on with by the same call.
pub async fn migrate(from: &Store, to: &Store, names: (&str, &str)) -> Result<Migrated, MigrateError> {
    // One that was interrupted at its very end is gone on with; what was moved elsewhere is of the past.
    if let Some(other) = from.moved_to().await?.filter(|to| to != names.1) {
        return Err(MigrateError::Refused(format!("this store was moved to {other}; move that one on, or start a server on this one with `trueup serve --reopen` first")));
    }
    close(from, names.1).await?;
    open_for_filling(to, names.0).await?;
    let mut moving = Moving { from, to, written: 0, rows: 0, referred: BTreeSet::new(), blobs: BTreeSet::new() };
    moving.rows().await?;
    moving.blobs().await?;
    let migrated = moving.verify().await?;
    // In this order, so that at no instant both are served.
    from.0.kv.commit(Vec::new(), vec![Put::Set(keys::moved(), names.1.as_bytes().to_vec(), None), Put::Del(keys::closed())]).await?.ok();
    to.0.kv.commit(Vec::new(), vec![Put::Del(keys::filling())]).await?.ok();
    Ok(migrated)
}

/// Keeps servers away from the old store for as long as this process lives.
async fn close(from: &Store, to: &str) -> Result<(), MigrateError> {
    let session: SessionId = from.seat().session;
    from.0.kv.commit(Vec::new(), vec![Put::Set(keys::closed(), to.as_bytes().to_vec(), Some(session))]).await?.ok();
    alone(from).await
}

/// A server that started before the door was closed is on the list; one that starts later finds the door closed.
async fn alone(store: &Store) -> Result<(), MigrateError> {
    let me = store.me();
    match store.members().await?.into_iter().find(|member| *member != me) {
        Some(other) => Err(MigrateError::Refused(format!("a server uses this store: {other}; stop every replica first"))),
        None => Ok(()),
    }
}

async fn open_for_filling(to: &Store, from: &str) -> Result<(), MigrateError> {
    let key = keys::filling();
    let mine = Filling { from: from.to_owned() };
    match to.at(&key).await? {
        Some(row) if serde_json::from_slice::<Filling>(&row.value).is_ok_and(|filling| filling.from == mine.from) => {}
        Some(row) => {
            let other = serde_json::from_slice::<Filling>(&row.value).map_or_else(|_| "another store".to_owned(), |filling| filling.from);
            return Err(MigrateError::Refused(format!("the new store holds an unfinished migration from {other}; go on with that, or name an empty store")));
        }
        None => {
            let mut found = to.below_all(&Key::new(), PAGE).await?;
            found.retain(|row| !keys::is_of_a_session(&row.key));
            if let Some(row) = found.first() {
                let what = String::from_utf8_lossy(&row.key).into_owned();
                return Err(MigrateError::Refused(format!("the new store is not empty: it holds `{what}`; name an empty one (another `data:` folder, another `store.prefix`)")));
            }
            let value = serde_json::to_vec(&mine).map_err(|error| MigrateError::Refused(error.to_string()))?;
            if to.0.kv.commit(vec![Compare::Absent(key.clone())], vec![Put::Set(key, value, None)]).await?.is_err() {
                return Err(MigrateError::Refused("another migration into the new store has just begun".into()));
            }
        }
    }
    alone(to).await
}

struct Moving<'a> {
    from: &'a Store,
    to: &'a Store,
    written: u64,
    rows: u64,
    /// Blobs that rows of the old store name: they go with those rows.
    referred: BTreeSet<BlobId>,
    /// Blobs that the new store must have.
    blobs: BTreeSet<BlobId>,
}

impl Moving<'_> {
    /// Every row but blobs, written where it differs; what the new store has more goes.
    async fn rows(&mut self) -> Result<(), MigrateError> {
        let mut at = Key::new();
        loop {
            let rows = self.from.below_all(&at, PAGE).await?;
            let last = rows.len() < PAGE;
            let end = if last { keys::all_end() } else { rows.last().map_or_else(keys::all_end, |row| super::store::next(&row.key)) };
            let there: BTreeMap<Key, Vec<u8>> = self.to.0.kv.range(at.clone(), end.clone(), usize::MAX).await?.into_iter().map(|row| (row.key, row.value)).collect();
            let mut there: BTreeMap<Key, Vec<u8>> = there.into_iter().filter(|(key, _)| moves(key)).collect();
            let mut puts = Vec::new();
            for row in rows.into_iter().filter(|row| moves(&row.key)) {
                let key = row.key.clone();
                let value = self.at_home(row).await?;
                self.rows += 1;
                if there.remove(&key).as_ref() != Some(&value) {
                    puts.push(Put::Set(key, value, None));
                }
            }
            puts.extend(there.into_keys().map(Put::Del));
            self.put(puts).await?;
            if last {
                return Ok(());
            }
            at = end;
        }
    }

    /// Writes in as few commits as the new store takes.
    async fn put(&mut self, puts: Vec<Put>) -> Result<(), MigrateError> {
        let limits = self.to.0.kv.limits();
        let (mut open, mut size) = (Vec::new(), 0);
        for put in puts {
            let weight = match &put {
                Put::Set(key, value, _) => key.len() + value.len(),
                Put::Del(key) => key.len(),
            };
            if weight > limits.bytes {
                let (Put::Set(key, _, _) | Put::Del(key)) = &put;
                return Err(MigrateError::Refused(format!("`{}` holds {weight} bytes, and the new store takes {} at a time", String::from_utf8_lossy(key), limits.bytes)));
            }
            if !open.is_empty() && (open.len() >= limits.ops || size + weight > limits.bytes) {
                self.to.0.kv.commit(Vec::new(), std::mem::take(&mut open)).await?.ok();
                size = 0;
            }
            size += weight;
            open.push(put);
            self.written += 1;
        }
        if !open.is_empty() {
            self.to.0.kv.commit(Vec::new(), open).await?.ok();
        }
        Ok(())
    }

    /// A row as the new store would have written it: what is too large for it is a blob there, and what fits is not.
    async fn at_home(&mut self, row: Row) -> Result<Vec<u8>, MigrateError> {
        let Row { key, value, .. } = row;
        if key.starts_with(&keys::journals()) {
            let (link, tail): (Link, _) = parted(&key, &value)?;
            let (body, tail) = self.body(&key, link.body, tail).await?;
            return joined(&key, &Link { body, ..link }, &tail);
        }
        if key.starts_with(&keys::images()) {
            let (cut, tail): (Cut, _) = parted(&key, &value)?;
            let (body, tail) = self.body(&key, cut.body, tail).await?;
            return joined(&key, &Cut { body, ..cut }, &tail);
        }
        if key.starts_with(&keys::inbox()) {
            let (slip, tail): (Slip, _) = parted(&key, &value)?;
            let (body, tail) = self.body(&key, slip.blob.map_or(Body::Here, Body::Blob), tail).await?;
            let blob = match body {
                Body::Here => None,
                Body::Blob(id) => Some(id),
            };
            return joined(&key, &Slip { blob, ..slip }, &tail);
        }
        Ok(value)
    }

    async fn body(&mut self, key: &Key, body: Body, tail: &[u8]) -> Result<(Body, Vec<u8>), MigrateError> {
        let (packed, bytes) = match body {
            Body::Here if tail.len() <= self.to.0.kv.limits().bytes / 2 => return Ok((Body::Here, tail.to_vec())),
            Body::Here => (tail.to_vec(), codec::unpack(tail).map_err(|what| super::store::corrupt(key, &what))?),
            Body::Blob(id) => {
                let bytes = self.from.blob(&id).await?.ok_or_else(|| super::store::corrupt(key, &format!("has lost its blob {id}")))?;
                self.referred.insert(id);
                (codec::pack(&bytes), bytes)
            }
        };
        if packed.len() <= self.to.0.kv.limits().bytes / 2 {
            return Ok((Body::Here, packed));
        }
        let id = self.to.put_blob(&bytes).await?;
        self.blobs.insert(id.clone());
        Ok((Body::Blob(id), Vec::new()))
    }

    /// Blobs that no row names as its own, plans for instance; and none that the new store should not have.
    async fn blobs(&mut self) -> Result<(), MigrateError> {
        for id in blobs_of(self.from).await? {
            if self.referred.contains(&id) {
                continue;
            }
            let bytes = self.from.blob(&id).await?.ok_or_else(|| MigrateError::Refused(format!("the blob {id} is gone from the old store")))?;
            self.to.put_blob(&bytes).await?;
            self.blobs.insert(id);
        }
        for id in blobs_of(self.to).await? {
            if !self.blobs.contains(&id) {
                self.to.drop_blob(&id).await?;
            }
        }
        Ok(())
    }

    /// Reads every chain in both stores and compares what they add up to.
    async fn verify(&self) -> Result<Migrated, MigrateError> {
        let (from, to) = (self.count(self.from).await?, self.count(self.to).await?);
        let streams = streams_of(self.from).await?;
        for stream in &streams {
            let (old, new) = (told(self.from, stream).await?, told(self.to, stream).await?);
            if old != new {
                return Err(MigrateError::Refused(format!("the journal of {} is another one in the new store; run it again", super::journal::Named(stream.clone()))));
            }
        }
        // How a blob is kept differs between stores; everything else may not.
        if (from.rows, from.streams, from.records) != (to.rows, to.streams, to.records) {
            return Err(MigrateError::Refused(format!("the old store holds {from:?} and the new one {to:?}; run it again")));
        }
        Ok(Migrated { from, to, written: self.written })
    }

    async fn count(&self, store: &Store) -> Result<Counted, MigrateError> {
        let mut counted = Counted { blobs: blobs_of(store).await?.len() as u64, ..Counted::default() };
        let mut at = Key::new();
        loop {
            let rows = store.below_all(&at, PAGE).await?;
            counted.rows += rows.iter().filter(|row| moves(&row.key)).count() as u64;
            match rows.last().filter(|_| rows.len() == PAGE) {
                Some(last) => at = super::store::next(&last.key),
                None => break,
            }
        }
        for stream in streams_of(store).await? {
            counted.streams += 1;
            counted.records += store.reaches(&stream).await?;
        }
        Ok(counted)
    }
}

/// A journal whole, its image included, with its chain verified.
async fn told(store: &Store, stream: &StreamId) -> Result<super::Folded<serde_json::Value, serde_json::Value>, MigrateError> {
    store.read_cut(stream).await.map_err(|error| MigrateError::Refused(error.to_string()))
}

async fn streams_of(store: &Store) -> Result<Vec<StreamId>, KvError> {
    let mut streams: Vec<StreamId> = Vec::new();
    for row in store.below(&keys::heads(), None, usize::MAX).await? {
        streams.extend(keys::change_of(&row.key).map(StreamId::Change));
    }
    if store.reaches(&StreamId::Board).await? > 0 {
        streams.push(StreamId::Board);
    }
    Ok(streams)
}

async fn blobs_of(store: &Store) -> Result<BTreeSet<BlobId>, KvError> {
    let (mut found, mut after) = (BTreeSet::new(), None);
    loop {
        let rows = store.below(&keys::blobs(), after.as_ref(), PAGE).await?;
        let Some(last) = rows.last() else { return Ok(found) };
        after = Some(last.key.clone());
        found.extend(rows.iter().filter_map(|row| keys::blob_of(&row.key)));
    }
}

/// Whether a row is moved as a row: blobs are moved whole, and what belongs to a session stays with it.
fn moves(key: &Key) -> bool {
    !(keys::is_of_a_session(key) || key.starts_with(&keys::blobs()) || [keys::filling(), keys::moved()].contains(key))
}

/// The first line of a row, and what follows it.
fn parted<'a, T: DeserializeOwned>(key: &Key, value: &'a [u8]) -> Result<(T, &'a [u8]), KvError> {
    let line = value.iter().position(|byte| *byte == b'\n').ok_or_else(|| super::store::corrupt(key, "has no first line"))?;
    let head = serde_json::from_slice(&value[..line]).map_err(|error| super::store::corrupt(key, &format!("cannot be understood ({error})")))?;
    Ok((head, &value[line + 1..]))
}

fn joined<T: Serialize>(key: &Key, head: &T, tail: &[u8]) -> Result<Vec<u8>, MigrateError> {
    let mut row = serde_json::to_vec(head).map_err(|error| super::store::corrupt(key, &error.to_string()))?;
    row.push(b'\n');
    row.extend(tail);
    Ok(row)
}
