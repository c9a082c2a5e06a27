//! The claims board: fair, whole, the same on every replica.

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use trueup::core::{
    model::{MrId, RepoId, ResourceId, Time},
    plan::Claim,
    review::{Board, BoardEvent, BoardImage},
    run::ClaimAnswer,
};

fn mr(n: u64) -> MrId {
    MrId { repo: RepoId::new("infra"), number: n }
}

fn id(name: &str) -> ResourceId {
    ResourceId::new("dns", "rrset", name)
}

fn write(name: &str) -> Claim {
    Claim::Write(id(name))
}

fn read(name: &str) -> Claim {
    Claim::Read(id(name))
}

fn share(name: &str, n: u32) -> Claim {
    Claim::Share { of: id(name), n, most: None }
}

fn ask(n: u64, claims: impl IntoIterator<Item = Claim>) -> BoardEvent {
    BoardEvent::Requested { mr: mr(n), claims: claims.into_iter().collect(), incident: false, at: Time(n as i64) }
}

fn incident(n: u64, claims: impl IntoIterator<Item = Claim>) -> BoardEvent {
    BoardEvent::Requested { mr: mr(n), claims: claims.into_iter().collect(), incident: true, at: Time(n as i64) }
}

fn release(n: u64) -> BoardEvent {
    BoardEvent::Released { mr: mr(n) }
}

fn ahead(board: &Board, n: u64) -> Vec<u64> {
    match board.answer(&mr(n)) {
        Some(ClaimAnswer::Queued { ahead }) => ahead.into_iter().map(|(mr, _)| mr.number).collect(),
        other => panic!("{n} is not queued: {other:?}"),
    }
}

#[test]
fn disjoint_changes_hold_side_by_side() {
    let mut board = Board::default();
    assert_eq!(board.apply(&ask(1, [write("a")])), [mr(1)]);
    assert_eq!(board.apply(&ask(2, [write("b")])), [mr(2)]);
    assert_eq!(board.answer(&mr(2)), Some(ClaimAnswer::Granted));
}

#[test]
fn a_request_is_granted_whole_or_waits_whole() {
    let mut board = Board::default();
    board.apply(&ask(1, [write("a")]));
    assert!(board.apply(&ask(2, [write("a"), write("b")])).is_empty());
    assert_eq!(board.held(&mr(2)), None);
    assert_eq!(board.apply(&release(1)), [mr(2)]);
    assert_eq!(board.held(&mr(2)).unwrap().0.len(), 2);
}

#[test]
fn a_later_request_passes_only_where_it_shares_nothing_with_those_ahead() {
    let mut board = Board::default();
    board.apply(&ask(1, [write("a")]));
    board.apply(&ask(2, [write("a"), write("b")]));
    assert!(board.apply(&ask(3, [write("b")])).is_empty(), "b is free, but 2 asked first");
    assert_eq!(board.apply(&ask(4, [write("c")])), [mr(4)]);
    assert_eq!(ahead(&board, 3), [2]);
    assert_eq!(board.apply(&release(2)), [mr(3)], "2 gave up waiting");
}

#[test]
fn readers_share_and_a_waiting_writer_is_not_starved_by_new_readers() {
    let mut board = Board::default();
    board.apply(&ask(1, [read("a")]));
    assert_eq!(board.apply(&ask(2, [read("a")])), [mr(2)]);
    assert!(board.apply(&ask(3, [write("a")])).is_empty());
    assert!(board.apply(&ask(4, [read("a")])).is_empty());
    assert!(board.apply(&release(1)).is_empty());
    assert_eq!(board.apply(&release(2)), [mr(3)]);
    assert_eq!(board.apply(&release(3)), [mr(4)]);
}

#[test]
fn an_incident_goes_first_and_does_not_take_what_is_held() {
    let mut board = Board::default();
    board.apply(&ask(1, [write("a")]));
    board.apply(&ask(2, [write("a")]));
    assert!(board.apply(&incident(3, [write("a")])).is_empty());
    assert_eq!(ahead(&board, 3), [1]);
    assert_eq!(ahead(&board, 2), [1, 3]);
    assert_eq!(board.apply(&release(1)), [mr(3)]);
}

#[test]
fn a_change_labelled_later_moves_before_those_that_wait() {
    let mut board = Board::default();
    board.apply(&ask(1, [write("a")]));
    board.apply(&ask(2, [write("a")]));
    board.apply(&ask(3, [write("a")]));
    board.apply(&incident(3, [write("a")]));
    assert_eq!(board.queue().into_iter().map(|(mr, _)| mr.number).collect::<Vec<_>>(), [3, 2]);
}

#[test]
fn shares_are_counted_against_what_was_observed() {
    let mut board = Board::default();
    board.apply(&BoardEvent::Capacity { of: id("pool"), n: 2 });
    assert_eq!(board.apply(&ask(1, [share("pool", 1)])), [mr(1)]);
    assert_eq!(board.apply(&ask(2, [share("pool", 1)])), [mr(2)]);
    assert!(board.apply(&ask(3, [share("pool", 1)])).is_empty());
    assert_eq!(board.apply(&BoardEvent::Capacity { of: id("pool"), n: 3 }), [mr(3)]);
}

#[test]
fn capacity_nobody_observed_is_not_divided() {
    let mut board = Board::default();
    assert_eq!(board.apply(&ask(1, [share("pool", 1)])), [mr(1)]);
    assert!(board.apply(&ask(2, [share("pool", 1)])).is_empty());
}

#[test]
fn more_than_the_pool_has_waits_with_nobody_ahead() {
    let mut board = Board::default();
    board.apply(&BoardEvent::Capacity { of: id("pool"), n: 2 });
    assert!(board.apply(&ask(1, [share("pool", 3)])).is_empty());
    assert_eq!(ahead(&board, 1), Vec::<u64>::new());
}

#[test]
fn a_holder_that_asks_for_more_goes_before_those_that_wait_for_it() {
    let mut board = Board::default();
    board.apply(&ask(1, [write("a")]));
    board.apply(&ask(2, [write("a"), write("b")]));
    assert_eq!(board.apply(&ask(1, [write("a"), write("b")])), [mr(1)], "else 1 and 2 would wait for each other forever");
    assert_eq!(board.apply(&release(1)), [mr(2)]);
}

#[test]
fn what_a_change_holds_it_asks_for_again_whoever_waits_for_it() {
    let mut board = Board::default();
    board.apply(&ask(1, [write("a")]));
    board.apply(&ask(2, [write("b")]));
    assert!(board.apply(&ask(2, [write("a"), write("b")])).is_empty());
    assert_eq!(board.apply(&ask(1, [write("a"), write("c")])), [mr(1)], "2 waits for it, so it waits for nobody");
    assert!(board.apply(&ask(1, [write("a"), write("b")])).is_empty(), "each has what the other waits for");
    assert_eq!((ahead(&board, 1), ahead(&board, 2)), (vec![2], vec![1]));
    assert_eq!(board.apply(&ask(2, [write("b")])), [mr(2)], "the way back needs no more than is held");
    assert_eq!(board.apply(&release(2)), [mr(1)]);
}

#[test]
fn asking_again_keeps_the_place() {
    let mut board = Board::default();
    board.apply(&ask(1, [write("a")]));
    board.apply(&ask(2, [write("a")]));
    board.apply(&ask(3, [write("a")]));
    board.apply(&ask(2, [write("a"), write("b")]));
    assert_eq!(board.apply(&release(1)), [mr(2)]);
}

#[test]
fn a_request_for_nothing_is_granted() {
    let mut board = Board::default();
    assert_eq!(board.apply(&ask(1, [])), [mr(1)]);
}

#[test]
fn the_queue_says_who_is_ahead_and_with_what() {
    let mut board = Board::default();
    board.apply(&ask(1, [write("a"), write("b"), write("c")]));
    board.apply(&ask(2, [write("c")]));
    board.apply(&ask(3, [write("a"), write("b"), write("c")]));
    let Some(ClaimAnswer::Queued { ahead }) = board.answer(&mr(3)) else { panic!() };
    let said: Vec<_> = ahead.iter().map(|(mr, what)| format!("{mr} {what}")).collect();
    assert_eq!(said, ["infra!1 holds `dns/rrset/a` and 2 more, which it asked for at `1970-01-01T00:00:00Z`", "infra!2 asked first for `dns/rrset/c`, at `1970-01-01T00:00:00Z`"]);
}

#[test]
fn a_release_looks_only_at_those_who_wait_there() {
    // 10,000 open changes, each on its own resource but a few: this is quick only when nothing scans them all.
    let mut board = Board::default();
    for n in 0..10_000 {
        board.apply(&ask(n, [write(&format!("r{n}"))]));
    }
    for n in 10_000..20_000 {
        board.apply(&ask(n, [write("r0"), write(&format!("r{n}"))]));
    }
    for n in 10_000..10_100 {
        let before = if n == 10_000 { 0 } else { n - 1 };
        assert_eq!(board.apply(&release(before)), [mr(n)]);
    }
}

/// The rule itself, slowly: a request is granted when it is disjoint from all that is held and all that is ahead.
#[derive(Default)]
struct Model {
    seq: u64,
    held: BTreeMap<MrId, BTreeSet<Claim>>,
    waiting: Vec<((u8, u64), MrId, BTreeSet<Claim>)>,
    capacity: BTreeMap<ResourceId, u32>,
}

impl Model {
    fn apply(&mut self, event: &BoardEvent) -> Vec<MrId> {
        self.seq += 1;
        match event {
            BoardEvent::Requested { mr, claims, incident, .. } => {
                let old = self.waiting.iter().position(|(_, who, _)| who == mr).map(|at| self.waiting.remove(at));
                let class = if self.held.contains_key(mr) { 0 } else { 2 - u8::from(*incident) };
                let seq = old.map_or(self.seq, |((_, seq), _, _)| seq);
                self.waiting.push(((class, seq), mr.clone(), claims.clone()));
                self.waiting.sort();
            }
            BoardEvent::Released { mr } => {
                self.held.remove(mr);
                self.waiting.retain(|(_, who, _)| who != mr);
            }
            BoardEvent::Capacity { of, n } => {
                self.capacity.insert(of.clone(), *n);
            }
        }
        let mut granted = Vec::new();
        let mut ahead: BTreeMap<MrId, BTreeSet<Claim>> = self.held.clone();
        for (turn, mr, claims) in std::mem::take(&mut self.waiting) {
            let mut others = ahead.clone();
            others.remove(&mr);
            if claims.iter().all(|claim| self.has(&mr, claim) || self.fits(claim, &others)) {
                self.held.entry(mr.clone()).or_default().extend(claims.clone());
                granted.push(mr.clone());
            } else {
                self.waiting.push((turn, mr.clone(), claims.clone()));
            }
            ahead.entry(mr).or_default().extend(claims);
        }
        granted
    }

    fn has(&self, mr: &MrId, claim: &Claim) -> bool {
        self.held.get(mr).into_iter().flatten().any(|held| match (held, claim) {
            (Claim::Write(held), Claim::Write(id) | Claim::Read(id)) | (Claim::Read(held), Claim::Read(id)) => held == id,
            (Claim::Share { of: held, n: most, .. }, Claim::Share { of, n, .. }) => held == of && most >= n,
            _ => false,
        })
    }

    fn fits(&self, claim: &Claim, others: &BTreeMap<MrId, BTreeSet<Claim>>) -> bool {
        let all = || others.values().flatten();
        match claim {
            Claim::Write(id) => !all().any(|other| matches!(other, Claim::Write(o) | Claim::Read(o) if o == id)),
            Claim::Read(id) => !all().any(|other| matches!(other, Claim::Write(o) if o == id)),
            Claim::Share { of, n, .. } => {
                let most = |claims: &BTreeSet<Claim>| {
                    claims
                        .iter()
                        .filter_map(|c| {
                            if let Claim::Share { of: o, n, .. } = c
                                && o == of
                            {
                                Some(*n)
                            } else {
                                None
                            }
                        })
                        .max()
                };
                let taken: Vec<u32> = others.values().filter_map(most).collect();
                self.capacity.get(of).map_or(taken.is_empty(), |capacity| taken.iter().sum::<u32>() + n <= *capacity)
            }
        }
    }
}

fn claims() -> impl Strategy<Value = BTreeSet<Claim>> {
    let name = prop::sample::select(vec!["a", "b", "c", "d"]);
    let claim = (name, 0..4u32).prop_map(|(name, n)| match n {
        0 | 3 => write(name),
        1 => read(name),
        _ => share(name, 1 + (name.as_bytes()[0] as u32 % 2)),
    });
    prop::collection::btree_set(claim, 0..4)
}

fn events() -> impl Strategy<Value = Vec<BoardEvent>> {
    let event = prop_oneof![
        5 => (1..9u64, claims(), prop::bool::weighted(0.1)).prop_map(|(n, claims, urgent)| BoardEvent::Requested { mr: mr(n), claims, incident: urgent, at: Time(0) }),
        3 => (1..9u64).prop_map(release),
        1 => (prop::sample::select(vec!["a", "b", "c", "d"]), 0..5u32).prop_map(|(name, n)| BoardEvent::Capacity { of: id(name), n }),
    ];
    prop::collection::vec(event, 1..60)
}

proptest! {
    #[test]
    fn the_board_grants_exactly_what_the_rule_grants(events in events()) {
        let (mut board, mut model) = (Board::default(), Model::default());
        for event in &events {
            prop_assert_eq!(board.apply(event), model.apply(event), "after {:?}", event);
            let queue: Vec<MrId> = board.queue().into_iter().map(|(mr, _)| mr.clone()).collect();
            prop_assert_eq!(queue, model.waiting.iter().map(|(_, mr, _)| mr.clone()).collect::<Vec<_>>());
            for (_, mr, _) in &model.waiting {
                let queued = matches!(board.answer(mr), Some(ClaimAnswer::Queued { .. }));
                prop_assert!(queued);
            }
        }
    }

    #[test]
    fn a_board_kept_as_an_image_goes_on_as_the_one_that_folded_everything(events in events(), cut in 0usize..64) {
        let mut whole = Board::default();
        let (before, after) = events.split_at(cut.min(events.len()));
        before.iter().for_each(|event| drop(whole.apply(event)));
        let text = serde_json::to_string(&BoardImage::from(&whole)).expect("an image is JSON");
        let mut kept = Board::from(serde_json::from_str::<BoardImage>(&text).expect("and reads back"));
        prop_assert_eq!(&kept, &whole);
        for event in after {
            prop_assert_eq!(kept.apply(event), whole.apply(event), "after {:?}", event);
        }
        prop_assert_eq!(kept, whole);
    }
}

#[test]
fn deletes_in_a_zone_are_counted_over_all_open_changes() {
    let mut board = Board::default();
    let deletes = |n, most| Claim::Share { of: id("deletes"), n, most: Some(most) };
    assert_eq!(board.apply(&ask(1, [write("a"), deletes(3, 5)])), [mr(1)]);
    assert_eq!(board.apply(&ask(2, [write("b"), deletes(2, 5)])), [mr(2)], "there is room for both");
    assert!(board.apply(&ask(3, [write("c"), deletes(1, 5)])).is_empty(), "the budget is used up");
    assert_eq!(ahead(&board, 3), [1, 2]);
    assert_eq!(board.apply(&ask(4, [write("d")])), [mr(4)], "whoever deletes nothing goes on");
    assert_eq!(board.apply(&release(1)), [mr(3)], "its deletes are merged, and no more ahead of base");
    assert!(board.apply(&ask(5, [write("e"), deletes(3, 5)])).is_empty());
    // The zone grew meanwhile.
    assert_eq!(board.apply(&ask(6, [write("f"), deletes(1, 9)])).len(), 2, "whoever waited goes first, and both have room");
}
