//! Cutting a journal: what its first records add up to is kept, and they are removed, so that a stream that never ends stays short.

use super::{
    codec,
    journal::{AppendError, Body, Named, ReadError, body_of, failed},
    keys,
    store::{Store, corrupt},
};
use crate::{
    core::{
        model::{BlobId, Fingerprint},
        run::StreamId,
    },
    ports::{Compare, Fence, Key, KvError, Put, Rev},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The first line of a stream's image; the image's packed JSON follows, or is a blob.
#[derive(Serialize, Deserialize)]
pub(super) struct Cut {
    /// How many records the image stands for.
    pub records: u64,
    /// The hash of the last row it stands for: what the first row after it is chained to.
    pub hash: Fingerprint,
    /// The image's own, so that damage shows.
    pub image: Fingerprint,
    pub body: Body,
}

/// A stream that may have been cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded<S, E> {
    /// What the records before the cut add up to; none where nothing was ever cut.
    pub image: Option<S>,
    /// How many records that are.
    pub cut: u64,
    /// The records since, oldest first.
    pub since: Vec<E>,
}

impl<S, E> Folded<S, E> {
    /// The `at` of the next append.
    pub fn upto(&self) -> u64 {
        self.cut + self.since.len() as u64
    }
}

impl Store {
    /// Keeps `image`, what all `at` records of a stream add up to, and removes them.
    ///
    /// The image is one commit. Only what it stands for is removed after it, and nothing before it, so a crash at any instant leaves
    /// either all records or the image, never less; records that a crash left behind are not read, and go with the next cut.
    pub async fn cut<S: Serialize + Sync>(&self, stream: &StreamId, at: u64, fence: Option<&Fence>, image: &S) -> Result<(), AppendError> {
        let unkept = |error| failed(stream, error);
        let key = keys::image(stream);
        let (head, _) = self.head(stream, at).await.map_err(unkept)?;
        if head.records != at {
            return Err(AppendError::Stale { stream: Named(stream.clone()), at });
        }
        let before = self.stored_cut(&key).await.map_err(unkept)?;
        let json = serde_json::to_vec(image).map_err(|error| unkept(corrupt(&key, &format!("cannot be written as JSON ({error})"))))?;
        let packed = codec::pack(&json);
        let large = packed.len() > self.0.kv.limits().bytes / 2;
        let body = if large { Body::Blob(self.put_blob(&json).await.map_err(unkept)?) } else { Body::Here };
        let blob = blob_of(&body);
        let cut = Cut { records: at, hash: head.hash, image: print(stream, &json), body };
        let mut row = serde_json::to_vec(&cut).map_err(|error| unkept(corrupt(&key, &format!("cannot be written as JSON ({error})"))))?;
        row.push(b'\n');
        if !large {
            row.extend(packed);
        }
        // Another replica may have cut it in between, further on even: what its image stands for is gone.
        let image_is = before.as_ref().map_or_else(|| Compare::Absent(key.clone()), |(_, _, rev)| Compare::At(key.clone(), *rev));
        let when = std::iter::once(image_is).chain(fence.map(|fence| Compare::At(fence.key.clone(), Rev(fence.rev)))).collect();
        if let Err(miss) = self.0.kv.commit(when, vec![Put::Set(key.clone(), row, None)]).await.map_err(unkept)? {
            let stream = Named(stream.clone());
            return Err(if miss.key == key { AppendError::Stale { stream, at } } else { AppendError::Lost { stream } });
        }
        self.remove_before(stream, at).await.map_err(unkept)?;
        if let Some(old) = before.and_then(|(cut, _, _)| blob_of(&cut.body)).filter(|old| Some(old) != blob.as_ref()) {
            self.drop_blob(&old).await.map_err(unkept)?;
        }
        Ok(())
    }

    /// The image of a stream and every record since, with the chain verified.
    pub async fn read_cut<S: DeserializeOwned, E: DeserializeOwned>(&self, stream: &StreamId) -> Result<Folded<S, E>, ReadError> {
        loop {
            let before = self.at(&keys::image(stream)).await.map_err(|source| ReadError::Store { stream: Named(stream.clone()), source })?.map(|row| row.rev);
            match self.read_image(stream).await {
                Err(ReadError::Broken { .. }) if self.at(&keys::image(stream)).await.is_ok_and(|row| row.map(|row| row.rev) != before) => {
                    // Another replica cut it while it was read: what is missing is in its image.
                }
                read => return read,
            }
        }
    }

    async fn read_image<S: DeserializeOwned, E: DeserializeOwned>(&self, stream: &StreamId) -> Result<Folded<S, E>, ReadError> {
        let unread = |source| ReadError::Store { stream: Named(stream.clone()), source };
        let key = keys::image(stream);
        let Some((cut, packed, _)) = self.stored_cut(&key).await.map_err(unread)? else {
            return Ok(Folded { image: None, cut: 0, since: self.read_records(stream).await? });
        };
        let broken = |what: String| ReadError::Broken { stream: Named(stream.clone()), record: cut.records, what };
        let json = match &cut.body {
            Body::Here => codec::unpack(&packed).map_err(|what| broken(format!("the image of what came before {what}")))?,
            Body::Blob(id) => self.blob(id).await.map_err(unread)?.ok_or_else(|| broken("the image of what came before it is missing".into()))?,
        };
        if print(stream, &json) != cut.image {
            return Err(broken("the image of what came before is not what was written".into()));
        }
        let image = serde_json::from_slice(&json).map_err(|error| broken(format!("the image of what came before it cannot be understood ({error})")))?;
        let since = self.read_after(stream, cut.records, cut.hash).await?;
        Ok(Folded { image: Some(image), cut: cut.records, since })
    }

    async fn stored_cut(&self, key: &Key) -> Result<Option<(Cut, Vec<u8>, Rev)>, KvError> {
        let Some(row) = self.at(key).await? else { return Ok(None) };
        let line = row.value.iter().position(|byte| *byte == b'\n').ok_or_else(|| corrupt(key, "has no first line"))?;
        let cut = serde_json::from_slice(&row.value[..line]).map_err(|error| corrupt(key, &format!("cannot be understood ({error})")))?;
        Ok(Some((cut, row.value[line + 1..].to_vec(), row.rev)))
    }

    /// Removes the rows of a stream before record `at`, rows first, so that none is left without its blob.
    async fn remove_before(&self, stream: &StreamId, at: u64) -> Result<(), KvError> {
        let end = keys::record(stream, at);
        let most = self.0.kv.limits().ops.clamp(1, super::store::FETCH);
        loop {
            let rows = self.0.kv.range(keys::journal(stream), end.clone(), most).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let blobs: Vec<BlobId> = rows.iter().filter_map(|row| blob_of(&body_of(&row.value)?)).collect();
            self.0.kv.commit(Vec::new(), rows.into_iter().map(|row| Put::Del(row.key)).collect()).await?.ok();
            for blob in blobs {
                self.drop_blob(&blob).await?;
            }
        }
    }
}

fn blob_of(body: &Body) -> Option<BlobId> {
    match body {
        Body::Here => None,
        Body::Blob(id) => Some(id.clone()),
    }
}

fn print(stream: &StreamId, json: &[u8]) -> Fingerprint {
    Fingerprint::of("trueup image 1", &[&keys::journal(stream), json])
}
