//! Typed rows: small JSON values with a revision, for what is neither journal nor blob (the local forge's merge requests).

use super::{
    keys::RowKey,
    store::{Store, corrupt},
};
use crate::ports::{Compare, KvError, Put, Rev, Row};
use serde::{Serialize, de::DeserializeOwned};

/// A row as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    pub key: RowKey,
    pub value: T,
    /// What `Batch::update` and `Batch::delete` compare with.
    pub rev: Rev,
}

/// Several writes that happen together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    when: Vec<Compare>,
    then: Vec<Put>,
}

impl Batch {
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a row that must not be there yet.
    #[must_use]
    pub fn create<T: Serialize>(mut self, key: &RowKey, value: &T) -> Self {
        self.when.push(Compare::Absent(key.bytes()));
        self.set(key, value)
    }

    /// Writes a row that must still be at this revision.
    #[must_use]
    pub fn update<T: Serialize>(mut self, key: &RowKey, rev: Rev, value: &T) -> Self {
        self.when.push(Compare::At(key.bytes(), rev));
        self.set(key, value)
    }

    /// Writes a row whatever is there.
    #[must_use]
    pub fn set<T: Serialize>(mut self, key: &RowKey, value: &T) -> Self {
        // A map with keys that are not text is the only value serde_json refuses; `null` then fails its reader loudly.
        let bytes = serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec());
        self.then.push(Put::Set(key.bytes(), bytes, None));
        self
    }

    /// Removes a row that must still be at this revision.
    #[must_use]
    pub fn delete(mut self, key: &RowKey, rev: Rev) -> Self {
        self.when.push(Compare::At(key.bytes(), rev));
        self.then.push(Put::Del(key.bytes()));
        self
    }
}

impl Batch {
    /// What it compares, and what it writes.
    pub(super) fn parts(self) -> (Vec<Compare>, Vec<Put>) {
        (self.when, self.then)
    }
}

impl Store {
    /// The row at a key.
    pub async fn row<T: DeserializeOwned>(&self, key: &RowKey) -> Result<Option<Stored<T>>, KvError> {
        self.at(&key.bytes()).await?.map(stored).transpose()
    }

    /// The rows below a key, in key order, after one of them when it is given, at most `limit`. The row at `prefix` itself comes first when there is one.
    pub async fn rows<T: DeserializeOwned>(&self, prefix: &RowKey, after: Option<&RowKey>, limit: usize) -> Result<Vec<Stored<T>>, KvError> {
        let rows = self.below(&prefix.bytes(), after.map(RowKey::bytes).as_ref(), limit).await?;
        rows.into_iter().map(stored).collect()
    }

    /// Writes a batch, durable on return. `Ok(Err(key))` names the first row that was not as the batch expected; nothing was written then.
    pub async fn write(&self, batch: Batch) -> Result<Result<Rev, RowKey>, KvError> {
        let answer = self.0.kv.commit(batch.when, batch.then).await?;
        Ok(answer.map_err(|miss| RowKey::from_bytes(miss.key)))
    }
}

fn stored<T: DeserializeOwned>(row: Row) -> Result<Stored<T>, KvError> {
    let value = serde_json::from_slice(&row.value).map_err(|error| corrupt(&row.key, &format!("cannot be understood ({error})")))?;
    Ok(Stored { key: RowKey::from_bytes(row.key), value, rev: row.rev })
}
