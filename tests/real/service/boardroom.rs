//! The board room itself: what is asked of it, what its journal keeps, and who may write after it.

use super::looks::{Late, world};
use std::sync::Arc;
use trueup::{
    app::{Desk, World},
    core::{
        model::{MrId, RepoId, ResourceId},
        plan::Claim,
        review::{Board, BoardEvent},
        run::{ClaimAnswer, StreamId},
    },
    ports::MemoryKv,
};

fn mr(number: u64) -> MrId {
    MrId { repo: RepoId::new("dns"), number }
}

fn id(name: &str) -> ResourceId {
    ResourceId::new("inside", "rrset", name)
}

struct Room {
    world: Arc<World>,
    desk: Desk,
    asked: u64,
}

impl Room {
    async fn start() -> Self {
        let world = world(&Arc::new(Late::default()), Arc::new(MemoryKv::new())).await;
        Self { desk: Desk::new(world.clone()), world, asked: 0 }
    }

    /// Asks for everything that a plan needs, as the change's owner; what it is told.
    async fn claim(&mut self, number: u64, names: &[&str]) -> ClaimAnswer {
        self.asked += 1;
        let fence = self.world.store.own(&StreamId::Change(mr(number))).await.expect("it is nobody else's");
        let claims = names.iter().map(|name| Claim::Write(id(name))).collect();
        self.world.board.claim(&self.desk, mr(number), &fence, self.asked, claims, false).await.expect("the board is written");
        self.answer(number).await.expect("it asked")
    }

    /// What the board's journal says to it, which is what a restart would know.
    async fn answer(&self, number: u64) -> Option<ClaimAnswer> {
        let mut board = Board::default();
        for event in self.world.store.read_records::<BoardEvent>(&StreamId::Board).await.expect("the chain holds") {
            board.apply(&event);
        }
        board.answer(&mr(number))
    }

    async fn writer(&self, name: &str) -> Option<MrId> {
        self.world.board.writer(&self.desk, &id(name)).await.expect("it is read")
    }
}

#[tokio::test]
async fn whoever_waits_for_more_and_wants_no_more_than_it_holds_goes_on_at_once_and_leaves_the_queue() {
    let mut room = Room::start().await;
    assert_eq!(room.claim(1, &["a"]).await, ClaimAnswer::Granted);
    assert_eq!(room.claim(2, &["b"]).await, ClaimAnswer::Granted);
    // A push adds what the second holds, and another one comes after it.
    assert!(matches!(room.claim(1, &["a", "b"]).await, ClaimAnswer::Queued { .. }));
    assert!(matches!(room.claim(3, &["b"]).await, ClaimAnswer::Queued { .. }));
    // The way back is of what it wrote alone.
    assert_eq!(room.claim(1, &["a"]).await, ClaimAnswer::Granted);
    assert_eq!((room.writer("a").await, room.writer("b").await), (Some(mr(1)), Some(mr(2))));
    // It stands before nobody any more.
    let fence = room.world.store.own(&StreamId::Change(mr(2))).await.expect("it is nobody else's");
    room.world.board.release(&room.desk, mr(2), &fence).await.expect("the board is written");
    assert_eq!(room.answer(3).await, Some(ClaimAnswer::Granted));
    assert_eq!((room.writer("a").await, room.writer("b").await), (Some(mr(1)), Some(mr(3))));
}

#[tokio::test]
async fn two_that_hold_what_the_other_wants_both_go_back_when_they_are_told_to() {
    let mut room = Room::start().await;
    assert_eq!(room.claim(1, &["a"]).await, ClaimAnswer::Granted);
    assert_eq!(room.claim(2, &["b"]).await, ClaimAnswer::Granted);
    for number in [2, 1] {
        assert!(matches!(room.claim(number, &["a", "b"]).await, ClaimAnswer::Queued { .. }));
    }
    assert_eq!(room.claim(1, &["a"]).await, ClaimAnswer::Granted);
    assert_eq!(room.claim(2, &["b"]).await, ClaimAnswer::Granted);
}
