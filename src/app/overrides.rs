//! The book of overrides: keeps them in a journal of their own, which any server over the store may write by comparing where it ends.

use super::memory::Proven;
use crate::{
    core::{
        drift::{LeftUndone, Override, OverrideAsk, OverrideEvent, Overrides, WrittenOver},
        gate::{Except, LeftOut},
        model::{MrId, ResourceId, Time, Value},
        review::Phase,
        run::{Change, Event, MergeAnswer, StreamId},
    },
    ports::Clock,
    stores::{AppendError, Batch, RowKey, Store},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Arc, PoisonError, RwLock},
};

/// How often a write starts over because another server wrote first; people write here, and not many at once.
const TRIES: usize = 16;

/// What a turn of a change means for overrides.
pub struct Meant {
    /// Those that are over with it.
    over: Vec<Override>,
    /// What it merged without.
    undone: Option<LeftUndone>,
}

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

    /// What a turn means for overrides: what it proved of its writes, or merged, was the next change of their resources; what it left out was not changed.
    pub async fn meant_by(&self, change: &Change, proven: &Proven, events: &[Event]) -> Meant {
        let merged = events.iter().find_map(|event| match event {
            Event::MergeAnswered { answer: MergeAnswer::Merged { commit, .. }, at } => Some((commit, *at)),
            _ => None,
        });
        let exempted = change.exemption().filter(|_| merged.is_some() && change.phase() == Phase::Merged).map(|exemption| exemption.except);
        let out: BTreeSet<ResourceId> = exempted.iter().flat_map(|except| &except.items).filter_map(|item| item.id.clone()).collect();
        let mut over: BTreeMap<&ResourceId, Option<&Value>> = BTreeMap::new();
        for (step, items) in proven {
            let writes = change.ledger().plan().steps.get(step).into_iter().flat_map(|step| (0..).zip(step.writes()));
            over.extend(writes.filter(|(item, _)| items.contains(item)).map(|(_, write)| (&write.id, write.from.as_ref())));
        }
        if merged.is_some() {
            let deltas = change.plan().into_iter().flat_map(|plan| &plan.deltas).filter(|delta| !out.contains(&delta.id));
            over.extend(deltas.map(|delta| (&delta.id, delta.from.as_ref())));
        }
        let undone = exempted.zip(merged);
        let undone = undone.map(|(except, (commit, at))| LeftUndone { by: change.mr().clone(), merged: commit.clone(), asks: asks(except, at) });
        Meant { over: self.covering(over).await, undone }
    }

    async fn covering(&self, over: BTreeMap<&ResourceId, Option<&Value>>) -> Vec<Override> {
        if over.is_empty() {
            return Vec::new();
        }
        // Another server may have claimed one since this one looked.
        let known = if self.store.shared() { self.now().await } else { self.known() };
        known.covering(over)
    }

    /// What a change's append writes down of what it means for overrides, in one commit with what does so; `drift::settle` makes it so.
    pub fn beside(by: &MrId, upto: u64, meant: Meant) -> Batch {
        let Meant { over: overrides, undone } = meant;
        let at = |row: RowKey| row.text(by.repo.as_str()).num(by.number).num(upto);
        let mut batch = Batch::new();
        if !overrides.is_empty() {
            batch = batch.set(&at(written_over()), &WrittenOver { by: by.clone(), overrides });
        }
        undone.iter().fold(batch, |batch, undone| batch.set(&at(left_undone()), undone))
    }

    /// Ends what changes have written over. Whoever comes first does it, after a crash any server, and twice is once.
    pub async fn settle(&self) -> Result<(), String> {
        let failed = |error: crate::ports::KvError| error.to_string();
        for row in self.store.rows::<WrittenOver>(&written_over(), None, usize::MAX).await.map_err(failed)? {
            let ended = self.write(|now, at| Ok::<_, Infallible>(now.written_over(&row.value, at))).await;
            ended.map_err(|why| match why {
                Ok(never) => match never {},
                Err(why) => why,
            })?;
            // Another server may have done it too, and have taken the row away.
            self.store.write(Batch::new().delete(&row.key, row.rev)).await.map_err(failed)?.ok();
        }
        Ok(())
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

impl Meant {
    pub fn is_nothing(&self) -> bool {
        self.over.is_empty() && self.undone.is_none()
    }
}

/// What a merge left out, as whoever skipped it would claim it: a resource once, however many of its writes were skipped.
fn asks(except: Except, at: Time) -> Vec<OverrideAsk> {
    let one = |item: LeftOut| Some((item.id?, (item.by, item.reason, item.until)));
    let all: BTreeMap<ResourceId, _> = except.items.into_iter().filter_map(one).collect();
    all.into_iter().map(|(id, (by, reason, until))| OverrideAsk { by, resource: id.to_string(), until: until.to_string(), reason, at }).collect()
}

/// Where it is written down what merges have left out and nobody answers for yet.
pub(super) fn left_undone() -> RowKey {
    RowKey::new("left-undone")
}

/// Where it is written down what changes have written over.
fn written_over() -> RowKey {
    RowKey::new("written-over")
}
