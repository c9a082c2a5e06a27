//! The board room: one actor that keeps the claims board in its own journal and tells changes when their turn comes.

use super::{desk::Desk, worker::Mail};
use crate::{
    core::{
        model::MrId,
        plan::Claim,
        review::{Board, BoardEvent},
        run::{Input, StreamId},
    },
    ports::{Clock, Fence},
    stores::Store,
};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::Mutex;

/// The board with its journal. Every answer is given after the append.
pub struct BoardRoom {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    board: Board,
    upto: u64,
    fence: Fence,
}
