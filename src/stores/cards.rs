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

    /// The card of every change with how many records its journal holds.
    pub async fn cards_upto(&self) -> Result<Vec<(Card, u64)>, KvError> {
        let mut cards = Vec::new();
        for row in self.below(&keys::heads(), None, usize::MAX).await? {
            let head = parse_head(&row.key, &row.value)?;
            cards.extend(head.card.map(|card| (card, head.records)));
        }
        Ok(cards)
    }

    /// The card of one change with how many records its journal holds.
    pub async fn card_upto(&self, mr: &MrId) -> Result<Option<(Card, u64)>, KvError> {
        let row = self.at(&keys::head(&StreamId::Change(mr.clone()))).await?;
        let head = row.map(|row| parse_head(&row.key, &row.value)).transpose()?;
        Ok(head.and_then(|head| head.card.map(|card| (card, head.records))))
    }

    /// The card of one change.
    pub async fn card(&self, mr: &MrId) -> Result<Option<Card>, KvError> {
        let row = self.at(&keys::head(&StreamId::Change(mr.clone()))).await?;
        Ok(row.map(|row| parse_head(&row.key, &row.value)).transpose()?.and_then(|head| head.card))
    }
}
