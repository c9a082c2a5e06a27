//! The replicas over one store: who they are, and the post between them.

use super::{keys, store::Store};
use crate::ports::{KvError, KvErrorKind, Put, SessionId, Stands};
use std::sync::atomic::Ordering;

impl Store {
    /// Our name among the replicas; another one after our session was lost.
    pub fn me(&self) -> String {
        self.seat().member
    }

    /// Makes sure that we are one of the replicas: opens another session where ours has ended. Whether it had.
    pub async fn attend(&self) -> Result<bool, KvError> {
        let seat = self.seat();
        if self.0.kv.stands(seat.session) != Stands::Gone {
            return Ok(false);
        }
        self.sit_again(seat.session).await?;
        Ok(true)
    }

    /// Ends our session: what we hold is free at once.
    pub async fn leave(&self) -> Result<(), KvError> {
        self.0.kv.end(self.seat().session).await
    }

    /// Puts us on the list of replicas.
    pub(super) async fn enlist(&self) -> Result<(), KvError> {
        if !self.shared() {
            return Ok(());
        }
        let seat = self.seat();
        let put = Put::Set(keys::member(&seat.member), seat.session.0.to_string().into_bytes(), Some(seat.session));
        self.0.kv.commit(Vec::new(), vec![put]).await?.ok();
        Ok(())
    }

    /// The replicas whose sessions stand, by name.
    pub async fn members(&self) -> Result<Vec<String>, KvError> {
        let rows = self.below(&keys::members(), None, usize::MAX).await?;
        Ok(rows.iter().filter_map(|row| keys::last_segment(&row.key)).collect())
    }

    /// Leaves a letter for a replica; false: there is no such replica any more. A letter that is not read goes with its reader.
    pub async fn post(&self, to: &str, letter: &[u8]) -> Result<bool, KvError> {
        let Some(row) = self.at(&keys::member(to)).await? else { return Ok(false) };
        let Some(session) = std::str::from_utf8(&row.value).ok().and_then(|text| text.parse().ok()) else { return Ok(false) };
        let n = self.0.posted.fetch_add(1, Ordering::Relaxed);
        let put = Put::Set(keys::letter(to, &self.me(), n), letter.to_vec(), Some(SessionId(session)));
        match self.0.kv.commit(Vec::new(), vec![put]).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == KvErrorKind::Session => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes the letters that came for us.
    pub async fn letters(&self) -> Result<Vec<Vec<u8>>, KvError> {
        let rows = self.below(&keys::letters(&self.me()), None, LETTERS.min(self.0.kv.limits().ops)).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let (keys, letters): (Vec<_>, Vec<_>) = rows.into_iter().map(|row| (Put::Del(row.key), row.value)).unzip();
        self.0.kv.commit(Vec::new(), keys).await?.ok();
        Ok(letters)
    }
}

/// Letters taken at a time.
const LETTERS: usize = 100;
