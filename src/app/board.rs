//! The board room: keeps the claims board in its own journal and tells changes when their turn comes.

use super::{desk::Desk, worker::Mail};
use crate::{
    core::{
        model::{MrId, ResourceId},
        plan::Claim,
        review::{Board, BoardEvent, BoardImage},
        run::{ClaimAnswer, Input, StreamId},
    },
    ports::{Clock, Fence},
    stores::{self, AppendError, Store},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::Mutex;

/// The board with its journal; every answer is given after the append, and one request is handled at a time. Each replica has one, folded from the one journal.
pub struct BoardRoom {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    board: Board,
    upto: u64,
    /// How many of the journal's records its image stands for.
    cut: u64,
    /// The number of each change's last request, which its answers carry.
    asked: BTreeMap<MrId, u64>,
    /// Those of them that were told to wait; another replica's event may let them go on.
    waiting: BTreeSet<MrId>,
}

impl BoardRoom {
    /// Folds the board's journal.
    pub async fn open(store: Arc<Store>, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let Folded { board, upto, cut } = fold(&store).await?;
        let state = State { board, upto, cut, asked: BTreeMap::new(), waiting: BTreeSet::new() };
        Ok(Self { store, clock, state: Mutex::new(state) })
    }

    /// Asks for everything a plan needs; the change hears `Input::Claimed` now, and again when there is news. Only the change's owner can: `fence`.
    pub async fn claim(&self, desk: &Desk, mr: MrId, fence: &Fence, n: u64, claims: BTreeSet<Claim>, incident: bool) -> Result<(), String> {
        let mut state = self.state.lock().await;
        state.asked.insert(mr.clone(), n);
        loop {
            self.catch_up(&mut state, desk).await?;
            // Whoever waits for more and now wants no more than it holds must leave the queue, so that is said.
            let waits = matches!(state.board.answer(&mr), Some(ClaimAnswer::Queued { .. }));
            let held = !waits && state.board.held(&mr).is_some_and(|(held, _)| claims.is_subset(held));
            let asked = BoardEvent::Requested { mr: mr.clone(), claims: claims.clone(), incident, at: self.clock.now() };
            let granted = match held {
                true => Some(Vec::new()),
                false => self.apply(&mut state, fence, asked).await?,
            };
            if let Some(granted) = granted {
                state.tell(desk, &mr);
                granted.iter().filter(|other| **other != mr).for_each(|other| state.tell(desk, other));
                if incident {
                    // Those it went before see who is ahead of them now.
                    let waiting: Vec<MrId> = state.board.queue().into_iter().map(|(other, _)| other.clone()).filter(|other| *other != mr).collect();
                    waiting.iter().for_each(|other| state.tell(desk, other));
                }
                return Ok(());
            }
        }
    }

    /// Gives back everything a change holds; those whose turn it is now, and those who moved up, hear of it.
    pub async fn release(&self, desk: &Desk, mr: MrId, fence: &Fence) -> Result<(), String> {
        let mut state = self.state.lock().await;
        state.asked.remove(&mr);
        state.waiting.remove(&mr);
        loop {
            self.catch_up(&mut state, desk).await?;
            if state.board.answer(&mr).is_none() {
                return Ok(());
            }
            if let Some(granted) = self.apply(&mut state, fence, BoardEvent::Released { mr: mr.clone() }).await? {
                granted.iter().for_each(|other| state.tell(desk, other));
                let waiting: Vec<MrId> = state.board.queue().into_iter().map(|(other, _)| other.clone()).collect();
                waiting.iter().for_each(|other| state.tell(desk, other));
                return Ok(());
            }
        }
    }

    /// Reads what other replicas have appended, and tells the changes of ours that wait what it means for them.
    pub async fn hear(&self, desk: &Desk) -> Result<(), String> {
        let mut state = self.state.lock().await;
        self.catch_up(&mut state, desk).await
    }

    /// Forgets a change that another replica works on now.
    pub async fn forget(&self, mr: &MrId) {
        let mut state = self.state.lock().await;
        state.asked.remove(mr);
        state.waiting.remove(mr);
    }

    async fn catch_up(&self, state: &mut State, desk: &Desk) -> Result<(), String> {
        if !self.store.shared() {
            return Ok(());
        }
        let reaches = self.store.reaches(&StreamId::Board).await.map_err(|error| error.to_string())?;
        if reaches == state.upto {
            return Ok(());
        }
        match self.store.read_on::<BoardEvent>(&StreamId::Board, state.upto).await.map_err(|error| error.to_string())? {
            Some(more) => {
                state.upto += more.len() as u64;
                more.iter().for_each(|event| drop(state.board.apply(event)));
            }
            None => Folded { board: state.board, upto: state.upto, cut: state.cut } = fold(&self.store).await?,
        }
        let waiting: Vec<MrId> = state.waiting.iter().cloned().collect();
        waiting.iter().for_each(|mr| state.tell(desk, mr));
        Ok(())
    }

    /// The change that may write a resource now, whichever replica granted it.
    pub async fn writer(&self, desk: &Desk, id: &ResourceId) -> Result<Option<MrId>, String> {
        let mut state = self.state.lock().await;
        self.catch_up(&mut state, desk).await?;
        Ok(state.board.writer(id).cloned())
    }

    /// Appends an event and folds it; none when another replica's came first, which has been read then.
    async fn apply(&self, state: &mut State, fence: &Fence, event: BoardEvent) -> Result<Option<Vec<MrId>>, String> {
        let receipt = self.store.append_records(&StreamId::Board, state.upto, Some(fence), std::slice::from_ref(&event)).await;
        match receipt {
            Ok(receipt) => state.upto = receipt.upto,
            Err(error) => {
                // It may be there or not: only the journal knows.
                Folded { board: state.board, upto: state.upto, cut: state.cut } = fold(&self.store).await?;
                return if matches!(error, AppendError::Stale { .. }) { Ok(None) } else { Err(error.to_string()) };
            }
        }
        let granted = state.board.apply(&event);
        if state.upto - state.cut >= CUT_EVERY {
            self.cut(state, fence).await;
        }
        Ok(Some(granted))
    }

    /// Keeps the board as it stands instead of the events that led to it. One that cannot be kept is tried again with the next event.
    async fn cut(&self, state: &mut State, fence: &Fence) {
        match self.store.cut(&StreamId::Board, state.upto, Some(fence), &BoardImage::from(&state.board)).await {
            Ok(()) => state.cut = state.upto,
            Err(error) => tracing::warn!("the board's journal cannot be cut: {error}"),
        }
    }
}

/// After how many records the board is kept as an image: a start folds at most these, and an image costs as much as what is open.
const CUT_EVERY: u64 = 512;

/// The board as its journal has it.
struct Folded {
    board: Board,
    /// How many records there ever were.
    upto: u64,
    cut: u64,
}

async fn fold(store: &Store) -> Result<Folded, String> {
    let found: stores::Folded<BoardImage, BoardEvent> = store.read_cut(&StreamId::Board).await.map_err(|error| error.to_string())?;
    let (upto, cut) = (found.upto(), found.cut);
    let mut board = found.image.map(Board::from).unwrap_or_default();
    for event in &found.since {
        board.apply(event);
    }
    Ok(Folded { board, upto, cut })
}

impl State {
    fn tell(&mut self, desk: &Desk, mr: &MrId) {
        let (Some(n), Some(answer)) = (self.asked.get(mr), self.board.answer(mr)) else { return };
        match &answer {
            ClaimAnswer::Granted => self.waiting.remove(mr),
            ClaimAnswer::Queued { .. } => self.waiting.insert(mr.clone()),
        };
        desk.send(mr, Mail::Input(Box::new(Input::Claimed { n: *n, answer })));
    }
}
