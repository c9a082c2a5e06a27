//! Blobs: bytes under their content's name, compressed, cut into pages that fit a commit.

use super::{
    codec, keys,
    store::{Store, corrupt},
};
use crate::{
    core::model::BlobId,
    ports::{Compare, KvError, Put},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Pages larger than this would block other commits for long; etcd takes 1.5 MiB a request.
const PAGE_MAX: usize = 1 << 20;

/// Written last, so that a blob with a head is whole.
#[derive(Serialize, Deserialize)]
struct BlobHead {
    /// Bytes before packing.
    len: u64,
    pages: u64,
}

impl Store {
    /// Keeps bytes and returns their name; bytes that are already there are not written again.
    pub async fn put_blob(&self, bytes: &[u8]) -> Result<BlobId, KvError> {
        let id = name(bytes);
        let head = keys::blob(&id);
        if self.at(&head).await?.is_some() {
            return Ok(id);
        }
        let packed = codec::pack(bytes);
        let size = (self.0.kv.limits().bytes / 2).clamp(1, PAGE_MAX);
        let mut pages = 0;
        for chunk in packed.chunks(size) {
            // No compare: the name says the content, so whoever writes the page writes the same.
            self.0.kv.commit(Vec::new(), vec![Put::Set(keys::page(&id, pages), chunk.to_vec(), None)]).await?.ok();
            pages += 1;
        }
        let row = serde_json::to_vec(&BlobHead { len: bytes.len() as u64, pages }).map_err(|error| corrupt(&head, &error.to_string()))?;
        // A miss means that somebody else finished the same blob.
        self.0.kv.commit(vec![Compare::Absent(head.clone())], vec![Put::Set(head, row, None)]).await?.ok();
        Ok(id)
    }

    /// The bytes of that name, verified; `None` when the store has no such blob.
    pub async fn blob(&self, id: &BlobId) -> Result<Option<Vec<u8>>, KvError> {
        let key = keys::blob(id);
        let Some(row) = self.at(&key).await? else { return Ok(None) };
        let head: BlobHead = serde_json::from_slice(&row.value).map_err(|error| corrupt(&key, &format!("cannot be understood ({error})")))?;
        let mut packed = Vec::new();
        for n in 0..head.pages {
            let page = keys::page(id, n);
            packed.extend(self.at(&page).await?.ok_or_else(|| corrupt(&page, "is missing"))?.value);
        }
        let bytes = codec::unpack(&packed).map_err(|what| corrupt(&key, &what))?;
        if bytes.len() as u64 != head.len || name(&bytes) != *id {
            return Err(corrupt(&key, "does not hold the content it is named for"));
        }
        Ok(Some(bytes))
    }

    /// Removes a blob, head first, so that what is left of an interrupted removal is never read.
    pub async fn drop_blob(&self, id: &BlobId) -> Result<(), KvError> {
        let key = keys::blob(id);
        let Some(row) = self.at(&key).await? else { return Ok(()) };
        let head: BlobHead = serde_json::from_slice(&row.value).map_err(|error| corrupt(&key, &format!("cannot be understood ({error})")))?;
        self.0.kv.commit(Vec::new(), vec![Put::Del(key)]).await?.ok();
        for n in 0..head.pages {
            self.0.kv.commit(Vec::new(), vec![Put::Del(keys::page(id, n))]).await?.ok();
        }
        Ok(())
    }
}

/// The content name: hex SHA-256.
fn name(bytes: &[u8]) -> BlobId {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    BlobId::new(hex)
}
