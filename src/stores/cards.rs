//! Cards: every change at a glance, without reading a journal.

use super::{journal::parse_head, keys, store::Store};
use crate::{
    core::{
        model::MrId,
        run::{Card, StreamId},
    },
    ports::KvError,
};

impl Store {
    /// The card of every change, by repository and number.
    pub async fn cards(&self) -> Result<Vec<Card>, KvError> {
        let mut cards = Vec::new();
        for row in self.below(&keys::heads(), None, usize::MAX).await? {
            cards.extend(parse_head(&row.key, &row.value)?.card);
        }
        Ok(cards)
    }

    /// The card of one change.
    pub async fn card(&self, mr: &MrId) -> Result<Option<Card>, KvError> {
        let row = self.at(&keys::head(&StreamId::Change(mr.clone()))).await?;
        Ok(row.map(|row| parse_head(&row.key, &row.value)).transpose()?.and_then(|head| head.card))
    }
}
