//! The journal: what an append promises, and how damage shows.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use trueup::{
    core::{
        model::{MrId, RepoId, Time},
        review::Phase,
        run::{Card, Event, StreamId, Turn},
    },
    ports::{Fault, KvLimits, MemoryKv},
    stores::{AppendError, Batch, LeaseError, ReadError, Store},
};

/// A record of the tests' own: the store keeps any.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    n: u32,
    text: String,
}

fn note(n: u32) -> Note {
    Note { n, text: format!("note {n}") }
}

pub fn mr(number: u64) -> MrId {
    MrId { repo: RepoId::new("team/zones"), number }
}

fn stream() -> StreamId {
    StreamId::Change(mr(7))
}

pub fn card(number: u64, title: &str) -> Card {
    Card {
        mr: mr(number),
        phase: Phase::Planning,
        title: title.into(),
        draft: false,
        waits_for: "the plan".into(),
        head: None,
        base: None,
        next_wake: None,
        outstanding: false,
        ahead: false,
        overdue: false,
        updated: Time(0),
    }
}

async fn store(kv: &MemoryKv) -> Store {
    Store::open(Arc::new(kv.clone()), "tests").await.expect("opens")
}

async fn filled(kv: &MemoryKv) -> Store {
    let store = store(kv).await;
    let mut at = 0;
    for some in [vec![note(0), note(1)], vec![note(2)], vec![note(3), note(4), note(5)]] {
        at = store.append_records(&stream(), at, None, &some).await.expect("appends").upto;
    }
    store
}

fn record_keys(kv: &MemoryKv) -> Vec<Vec<u8>> {
    kv.keys().into_iter().filter(|key| key.starts_with(b"journal/")).collect()
}

async fn read_error(kv: &MemoryKv) -> String {
    let store = store(kv).await;
    store.read_records::<Note>(&stream()).await.expect_err("the chain is broken").to_string()
}

#[tokio::test]
async fn records_come_back_in_the_order_they_were_appended() {
    let kv = MemoryKv::new();
    let first = filled(&kv).await;
    assert_eq!(first.read_records::<Note>(&stream()).await.expect("reads"), (0..6).map(note).collect::<Vec<_>>());
    // Another process that opens it finds the same and goes on where it ends.
    let second = store(&kv).await;
    assert_eq!(second.read_records::<Note>(&stream()).await.expect("reads").len(), 6);
    assert_eq!(second.append_records(&stream(), 6, None, &[note(6)]).await.expect("appends").upto, 7);
    assert_eq!(second.read_records::<Note>(&StreamId::Board).await.expect("reads"), []);
}

#[tokio::test]
async fn a_turn_is_one_commit_of_its_events_and_its_card() {
    let kv = MemoryKv::new();
    let store = store(&kv).await;
    let before = kv.commits();
    let turn = Turn::new(vec![Event::LookAsked, Event::LookAsked], card(7, "first"), vec![]);
    let receipt = store.append(&stream(), 0, None, &turn).await.expect("appends");
    assert_eq!((receipt.upto, kv.commits() - before), (2, 1));
    assert_eq!(turn.release(&receipt), []);
    assert_eq!(store.read(&stream()).await.expect("reads").len(), 2);
    let other = Turn::new(vec![Event::LookAsked], card(12, "second"), vec![]);
    store.append(&StreamId::Change(mr(12)), 0, None, &other).await.expect("appends");
    let again = Turn::new(vec![], card(7, "renamed"), vec![]);
    assert_eq!(store.append(&stream(), 2, None, &again).await.expect("keeps the card").upto, 2);
    assert_eq!(store.cards().await.expect("reads"), [card(7, "renamed"), card(12, "second")]);
}

#[tokio::test]
async fn a_delivery_leaves_the_inbox_with_the_append_that_heard_it_or_stays() {
    let kv = MemoryKv::new();
    let first = store(&kv).await;
    let (n, other) = (first.keep("command", Time(1), b"pause").await.expect("kept"), first.keep("command", Time(2), b"pause").await.expect("the same words twice are two"));
    let turn = Turn::new(vec![Event::LookAsked], card(7, "first"), vec![]);
    for fault in [Fault::Full, Fault::IoBefore] {
        kv.fail(fault);
        first.append_taking(&stream(), 0, None, &turn, &[n], Batch::new()).await.expect_err("not written");
        assert_eq!(first.take(9).await.expect("reads").len(), 2, "the command still waits");
    }
    let commits = kv.commits();
    first.append_taking(&stream(), 0, None, &turn, &[n], Batch::new()).await.expect("appends");
    assert_eq!(kv.commits() - commits, 1, "one commit: no crash comes between them");
    // A command that changes nothing is heard once all the same.
    first.append_taking(&stream(), 1, None, &Turn::new(vec![], card(7, "first"), vec![]), &[other], Batch::new()).await.expect("appends");
    kv.restart();
    let second = store(&kv).await;
    assert_eq!((second.take(9).await.expect("reads"), second.delivery(n).await.expect("reads")), (vec![], None));
}

#[tokio::test]
async fn an_append_at_another_place_than_the_end_is_stale() {
    let kv = MemoryKv::new();
    let (ours, theirs) = (filled(&kv).await, store(&kv).await);
    for at in [0, 1, 5, 7, 100] {
        let error = ours.append_records(&stream(), at, None, &[note(9)]).await.expect_err("not the end");
        assert!(matches!(error, AppendError::Stale { at: said, .. } if said == at), "{error}");
    }
    // Somebody else was faster, which our memory of the stream's end does not know.
    theirs.append_records(&stream(), 6, None, &[note(6)]).await.expect("appends");
    let error = ours.append_records(&stream(), 6, None, &[note(9)]).await.expect_err("no longer the end");
    insta::assert_snapshot!(error, @"team/zones!7 has been appended to by somebody else: it does not end at record 6; fold it again");
    ours.append_records(&stream(), 7, None, &[note(7)]).await.expect("appends at the true end");
    assert_eq!(ours.read_records::<Note>(&stream()).await.expect("reads"), (0..8).map(note).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_card_alone_of_somebody_who_came_second_is_stale() {
    let kv = MemoryKv::new();
    let (ours, theirs) = (store(&kv).await, store(&kv).await);
    let turn = |title| Turn::new(vec![], card(7, title), vec![]);
    ours.append(&stream(), 0, None, &Turn::new(vec![Event::LookAsked], card(7, "first"), vec![])).await.expect("appends");
    theirs.append(&stream(), 1, None, &turn("theirs")).await.expect("appends");
    let error = ours.append(&stream(), 1, None, &turn("ours")).await.expect_err("another card is there since");
    assert!(matches!(error, AppendError::Stale { .. }), "{error}");
    assert_eq!(ours.cards().await.expect("reads"), [card(7, "theirs")]);
    ours.append(&stream(), 1, None, &turn("ours")).await.expect("what is there is read again");
}

#[tokio::test]
async fn an_append_without_its_fence_is_lost_and_writes_nothing() {
    let kv = MemoryKv::new();
    let (ours, theirs) = (store(&kv).await, Store::open(Arc::new(kv.clone()), "the other server").await.expect("opens"));
    let fence = ours.own(&stream()).await.expect("free");
    assert_eq!(ours.own(&stream()).await.expect("still ours"), fence);
    let held = theirs.own(&stream()).await.expect_err("taken");
    assert!(matches!(held, LeaseError::Held { .. }));
    insta::assert_snapshot!(held, @"team/zones!7 is owned by tests");
    ours.append_records(&stream(), 0, Some(&fence), &[note(0)]).await.expect("appends");
    // Our session ran out while we slept, and somebody else took over.
    kv.restart();
    let new_fence = theirs.own(&stream()).await.expect("free again");
    let error = ours.append_records(&stream(), 1, Some(&fence), &[note(9)]).await.expect_err("the fence is gone");
    assert!(matches!(error, AppendError::Lost { .. }), "{error}");
    insta::assert_snapshot!(error, @"the lease on team/zones!7 is lost; another process owns it now");
    theirs.append_records(&stream(), 1, Some(&new_fence), &[note(1)]).await.expect("the new owner appends");
    // Giving back what is lost takes nothing from the new owner.
    ours.disown(&fence).await.expect("answers");
    assert_eq!(theirs.own(&stream()).await.expect("still theirs"), new_fence);
    theirs.disown(&new_fence).await.expect("answers");
    ours.own(&stream()).await.expect("free once more");
}

#[tokio::test]
async fn a_changed_record_is_found_and_named() {
    let kv = MemoryKv::new();
    filled(&kv).await;
    let key = &record_keys(&kv)[1];
    let row = kv.keys().len();
    assert_eq!(row, 4, "three rows of records and the head");
    let forged = br#"{"prev":"0000000000000000000000000000000000000000000000000000000000000000","records":1,"here":null}"#;
    kv.tamper(key, [forged.as_slice(), b"\np[{\"n\":2,\"text\":\"forged\"}]"].concat());
    insta::assert_snapshot!(read_error(&kv).await, @"the journal of team/zones!7 is broken at record 2: it does not follow the record before it; restore the store from a backup, nothing of this stream is run");
}

/// Replaces text inside one stored row.
fn forge(kv: &MemoryKv, n: usize, from: &str, to: &str) {
    let key = record_keys(kv)[n].clone();
    let value = kv.value(&key).expect("the row is there");
    let text = String::from_utf8(value).expect("small rows are plain JSON");
    assert!(text.contains(from), "{text}");
    kv.tamper(&key, text.replace(from, to).into_bytes());
}

#[tokio::test]
async fn a_record_edited_in_place_breaks_the_chain_at_its_follower() {
    let kv = MemoryKv::new();
    filled(&kv).await;
    forge(&kv, 1, "note 2", "note x");
    insta::assert_snapshot!(read_error(&kv).await, @"the journal of team/zones!7 is broken at record 3: it does not follow the record before it; restore the store from a backup, nothing of this stream is run");
}

#[tokio::test]
async fn an_edited_last_record_is_found_by_the_head() {
    let kv = MemoryKv::new();
    filled(&kv).await;
    forge(&kv, 2, "note 5", "note x");
    insta::assert_snapshot!(read_error(&kv).await, @"the journal of team/zones!7 is broken at record 3: its content is not what was written; restore the store from a backup, nothing of this stream is run");
}

#[tokio::test]
async fn a_lost_record_is_found_wherever_it_was() {
    for (lost, expected) in [(0, "record 0: it is missing"), (1, "record 2: it is missing"), (2, "record 3: it is missing; the stream's head counts 6 records")] {
        let kv = MemoryKv::new();
        filled(&kv).await;
        kv.lose(&record_keys(&kv)[lost]);
        let error = read_error(&kv).await;
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_record_are_an_error_and_no_panic() {
    for bytes in [&b""[..], b"\n", b"{}\n", b"\xff\xff\n", b"no line at all"] {
        let kv = MemoryKv::new();
        filled(&kv).await;
        kv.tamper(&record_keys(&kv)[2], bytes.to_vec());
        let error = read_error(&kv).await;
        assert!(error.contains("is broken at record 3"), "{error}");
    }
}

#[tokio::test]
async fn records_larger_than_a_commit_are_paged_and_come_back() {
    let kv = MemoryKv::with_limits(KvLimits { ops: 8, bytes: 4096 });
    let store = store(&kv).await;
    // Text that does not compress: a linear congruence, not repetition.
    let mut seed = 1u64;
    let mut letter = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + (seed >> 33) as u8 % 90)
    };
    let large = Note { n: 1, text: (0..40_000).map(|_| letter()).collect() };
    store.append_records(&stream(), 0, None, std::slice::from_ref(&large)).await.expect("appends");
    store.append_records(&stream(), 1, None, &[note(2)]).await.expect("appends");
    assert_eq!(store.read_records::<Note>(&stream()).await.expect("reads"), [large, note(2)]);
    let pages: Vec<_> = kv.keys().into_iter().filter(|key| String::from_utf8_lossy(key).contains("/page/")).collect();
    assert!(pages.len() >= 10, "{} pages", pages.len());
    kv.tamper(&pages[3], vec![0; 100]);
    assert!(read_error(&kv).await.contains("is broken at record 0"));
    kv.lose(&pages[3]);
    assert!(read_error(&kv).await.contains("is missing"));
}

#[tokio::test]
async fn a_full_store_keeps_nothing_of_an_append_and_goes_on_when_there_is_space() {
    let kv = MemoryKv::new();
    let store = filled(&kv).await;
    let keys = kv.keys();
    kv.set_quota(Some(10));
    let error = store.append_records(&stream(), 6, None, &[note(6)]).await.expect_err("full");
    assert!(matches!(error, AppendError::Full { .. }), "{error}");
    assert_eq!(kv.keys(), keys);
    kv.set_quota(None);
    store.append_records(&stream(), 6, None, &[note(6)]).await.expect("appends");
}

#[tokio::test]
async fn after_a_lost_answer_folding_again_tells_whether_the_append_is_there() {
    for (fault, kept) in [(Fault::IoBefore, 6), (Fault::IoAfterCommit, 7)] {
        let kv = MemoryKv::new();
        let store = filled(&kv).await;
        kv.fail(fault);
        let error = store.append_records(&stream(), 6, None, &[note(6)]).await.expect_err("no answer");
        assert!(matches!(error, AppendError::Store { .. }), "{error}");
        let found = store.read_records::<Note>(&stream()).await.expect("reads");
        assert_eq!(found.len(), kept);
        store.append_records(&stream(), kept as u64, None, &[note(7)]).await.expect("appends at what was found");
    }
}

#[tokio::test]
async fn an_unreadable_store_is_not_called_a_broken_journal() {
    let kv = MemoryKv::new();
    let store = filled(&kv).await;
    kv.fail_reads(true);
    let error = store.read_records::<Note>(&stream()).await.expect_err("no answer");
    assert!(matches!(error, ReadError::Store { .. }), "{error}");
}
