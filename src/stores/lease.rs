//! Leases: who may append to a change and act for it.

use super::{journal::Named, keys, store::Store};
use crate::{
    core::{
        model::{MrId, RepoId},
        run::StreamId,
    },
    ports::{Compare, Fence, Key, KvError, KvErrorKind, Put, Rev, Stands},
};
use std::collections::BTreeMap;

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
        self.take_lease(keys::lease(stream)).await?.map_err(|by| LeaseError::Held { stream: Named(stream.clone()), by })
    }

    /// Takes the lease of that name, which is about no stream, for as long as this store's session lives; inside: who has it.
    pub async fn hold(&self, name: &str) -> Result<Result<Fence, String>, KvError> {
        self.take_lease(keys::named_lease(name)).await
    }

    async fn take_lease(&self, key: Key) -> Result<Result<Fence, String>, KvError> {
        loop {
            let seat = self.seat();
            if self.0.kv.stands(seat.session) == Stands::Gone {
                self.sit_again(seat.session).await?;
                continue;
            }
            let put = Put::Set(key.clone(), seat.member.clone().into_bytes(), Some(seat.session));
            match self.0.kv.commit(vec![Compare::Absent(key.clone())], vec![put]).await {
                Ok(Ok(rev)) => return Ok(Ok(Fence { key, rev: rev.0, session: seat.session })),
                Ok(Err(_)) => {}
                Err(error) if error.kind == KvErrorKind::Session => {
                    self.sit_again(seat.session).await?;
                    continue;
                }
                Err(error) => return Err(error),
            }
            // Held; or let go between the two calls, and then it is asked for again.
            if let Some(row) = self.at(&key).await? {
                return Ok(if row.value == seat.member.as_bytes() {
                    Ok(Fence { key, rev: row.rev.0, session: seat.session })
                } else {
                    Err(String::from_utf8_lossy(&row.value).into_owned())
                });
            }
        }
    }

    /// Gives a lease back; one that is already lost stays with its new owner.
    pub async fn disown(&self, fence: &Fence) -> Result<(), KvError> {
        let when = vec![Compare::At(fence.key.clone(), Rev(fence.rev))];
        self.0.kv.commit(when, vec![Put::Del(fence.key.clone())]).await?.ok();
        Ok(())
    }

    /// How long a lease certainly stands, without asking: what is sent later may meet another owner.
    pub fn stands(&self, fence: &Fence) -> Stands {
        self.0.kv.stands(fence.session)
    }

    /// Whether the session that a lease belonged to is over for us: we have another one, and own nothing by the old.
    pub fn is_lost(&self, fence: &Fence) -> bool {
        self.seat().session != fence.session
    }

    /// Who owns a stream at present.
    pub async fn owner(&self, stream: &StreamId) -> Result<Option<String>, KvError> {
        let row = self.at(&keys::lease(stream)).await?;
        Ok(row.map(|row| String::from_utf8_lossy(&row.value).into_owned()))
    }

    /// The owner of every owned change, of one repository or of all.
    pub async fn owners(&self, repo: Option<&RepoId>) -> Result<BTreeMap<MrId, String>, KvError> {
        let rows = self.below(&keys::leases(repo), None, usize::MAX).await?;
        Ok(rows.into_iter().filter_map(|row| Some((keys::change_of(&row.key)?, String::from_utf8_lossy(&row.value).into_owned()))).collect())
    }
}
