//! The book of overrides: keeps them in a journal of their own, which any server over the store may write by comparing where it ends.

use crate::{
    core::{
        drift::{OverrideEvent, Overrides},
        model::Time,
        run::StreamId,
    },
    ports::Clock,
    stores::{AppendError, Store},
};
use std::sync::{Arc, PoisonError, RwLock};

/// How often a write starts over because another server wrote first; people write here, and not many at once.
const TRIES: usize = 16;

/// The overrides with their journal; what is decided on them is durable before it is told.
pub struct OverrideBook {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    /// As the journal had them when it was last read or written.
    known: RwLock<(u64, Arc<Overrides>)>,
    /// One write at a time, so that this server is never in its own way.
    writing: tokio::sync::Mutex<()>,
    news: tokio::sync::Notify,
}

impl OverrideBook {
    /// Folds the journal.
    pub async fn open(store: Arc<Store>, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let book = Self { store, clock, known: RwLock::default(), writing: tokio::sync::Mutex::default(), news: tokio::sync::Notify::new() };
        book.read().await?;
        Ok(book)
    }

    /// The overrides as they stand. Where the store cannot be read now, as they last stood.
    pub async fn now(&self) -> Arc<Overrides> {
        match self.read().await {
            Ok(now) => now,
            Err(why) => {
                tracing::warn!("the overrides cannot be read, those known count: {why}");
                self.known()
            }
        }
    }

    /// The overrides as this server last knew them: without a wait, for questions asked with every turn.
    pub fn known(&self) -> Arc<Overrides> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Waits until this server wrote again.
    pub async fn written(&self) {
        self.news.notified().await;
    }

    /// Decides on the overrides as they stand now and keeps what comes of it; starts over when another server wrote in between.
    ///
    /// `Err(Ok(fault))`: the decision itself says no. `Err(Err(what))`: the store does.
    pub async fn write<E>(&self, decide: impl Fn(&Overrides, Time) -> Result<Vec<OverrideEvent>, E>) -> Result<(), Result<E, String>> {
        let _alone = self.writing.lock().await;
        for _ in 0..TRIES {
            let now = self.read().await.map_err(Err)?;
            let events = decide(&now, self.clock.now()).map_err(Ok)?;
            if events.is_empty() {
                return Ok(());
            }
            let at = self.known.read().unwrap_or_else(PoisonError::into_inner).0;
            match self.store.append_records(&StreamId::Overrides, at, None, &events).await {
                Ok(receipt) => {
                    let mut after = (*now).clone();
                    events.iter().for_each(|event| after.apply(event));
                    self.keep(receipt.upto, after);
                    self.news.notify_one();
                    return Ok(());
                }
                Err(AppendError::Stale { .. }) => {}
                Err(error) => return Err(Err(error.to_string())),
            }
        }
        Err(Err("too many write overrides at once; try again".to_owned()))
    }

    /// Follows the journal, which costs one row while nobody else wrote.
    async fn read(&self) -> Result<Arc<Overrides>, String> {
        let upto = self.store.reaches(&StreamId::Overrides).await.map_err(|error| error.to_string())?;
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if known.0 == upto {
                return Ok(known.1.clone());
            }
        }
        let events: Vec<OverrideEvent> = self.store.read_records(&StreamId::Overrides).await.map_err(|error| error.to_string())?;
        let mut now = Overrides::default();
        events.iter().for_each(|event| now.apply(event));
        Ok(self.keep(events.len() as u64, now))
    }

    fn keep(&self, upto: u64, now: Overrides) -> Arc<Overrides> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Another read may have come further meanwhile.
        if upto >= known.0 {
            *known = (upto, Arc::new(now));
        }
        known.1.clone()
    }
}
