//! Leases: who may append to a change and act for it.

use super::{journal::Named, keys, store::Store};
use crate::{
    core::run::StreamId,
    ports::{Compare, Fence, KvError, Put, Rev},
};

/// Why a lease was not given.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another process owns it.
    #[error("{stream} is owned by {by}")]
    Held { stream: Named, by: String },
    #[error("{0}")]
    Store(#[from] KvError),
}

impl Store {
    /// Takes the lease on a stream, for as long as this store's session lives. Taking it twice gives the same fence.
    pub async fn own(&self, stream: &StreamId) -> Result<Fence, LeaseError> {
        let key = keys::lease(stream);
        let value = self.0.holder.clone().into_bytes();
        loop {
            let put = Put::Set(key.clone(), value.clone(), Some(self.0.session));
            if let Ok(rev) = self.0.kv.commit(vec![Compare::Absent(key.clone())], vec![put]).await? {
                return Ok(Fence { key, rev: rev.0 });
            }
            // Held; or let go between the two calls, and then it is asked for again.
            if let Some(row) = self.at(&key).await? {
                return if row.value == value {
                    Ok(Fence { key, rev: row.rev.0 })
                } else {
                    Err(LeaseError::Held { stream: Named(stream.clone()), by: String::from_utf8_lossy(&row.value).into_owned() })
                };
            }
        }
    }

    /// Gives a lease back; one that is already lost stays with its new owner.
    pub async fn disown(&self, fence: &Fence) -> Result<(), KvError> {
        let when = vec![Compare::At(fence.key.clone(), Rev(fence.rev))];
        self.0.kv.commit(when, vec![Put::Del(fence.key.clone())]).await?.ok();
        Ok(())
    }
}
