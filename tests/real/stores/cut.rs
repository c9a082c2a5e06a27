//! Cutting a journal: nothing is lost whatever instant the process dies at, and what was cut is gone.

use serde::{Deserialize, Serialize};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use trueup::{
    core::{model::Span, run::StreamId},
    ports::{Compare, Fut, Key, Kv, KvError, KvErrorKind, KvLimits, MemoryKv, Miss, Put, Rev, Row, SessionId},
    stores::{Folded, Store},
};

/// A key space that dies after some commits, as a process does: nothing that came before is lost, nothing after is done.
struct Mortal {
    kv: MemoryKv,
    left: AtomicUsize,
}

impl Kv for Mortal {
    fn commit<'a>(&'a self, when: Vec<Compare>, then: Vec<Put>) -> Fut<'a, Result<Result<Rev, Miss>, KvError>> {
        let alive = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if alive { self.kv.commit(when, then) } else { Box::pin(async { Err(KvError { what: "dead".into(), kind: KvErrorKind::Io }) }) }
    }

    fn range<'a>(&'a self, from: Key, to: Key, limit: usize) -> Fut<'a, Result<Vec<Row>, KvError>> {
        self.kv.range(from, to, limit)
    }

    fn session<'a>(&'a self, ttl: Span) -> Fut<'a, Result<SessionId, KvError>> {
        self.kv.session(ttl)
    }

    fn limits(&self) -> KvLimits {
        self.kv.limits()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note(u32, String);

/// Every seventh is too large for a row and becomes a blob.
fn note(n: u32) -> Note {
    let mut seed = u64::from(n) + 1;
    let mut letter = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + (seed >> 33) as u8 % 90)
    };
    Note(n, (0..if n.is_multiple_of(7) { 4000 } else { 5 }).map(|_| letter()).collect())
}

/// Appends until `upto` notes are there, cutting at every tenth; whatever fails ends it. How many appends were acknowledged.
async fn live(kv: Arc<dyn Kv>, upto: u32) -> u32 {
    let Ok(store) = Store::open(kv, "tests").await else { return 0 };
    let Ok(found) = store.read_cut::<Vec<Note>, Note>(&StreamId::Board).await else { return 0 };
    let mut all = whole(&found);
    while (all.len() as u32) < upto {
        let next = note(all.len() as u32);
        if store.append_records(&StreamId::Board, all.len() as u64, None, std::slice::from_ref(&next)).await.is_err() {
            break;
        }
        all.push(next);
        if all.len().is_multiple_of(10) && store.cut(&StreamId::Board, all.len() as u64, None, &all).await.is_err() {
            break;
        }
    }
    all.len() as u32
}

fn whole(found: &Folded<Vec<Note>, Note>) -> Vec<Note> {
    found.image.iter().flatten().chain(&found.since).cloned().collect()
}

fn small() -> MemoryKv {
    MemoryKv::with_limits(KvLimits { ops: 3, bytes: 2048 })
}

fn count(kv: &MemoryKv, part: &str) -> usize {
    kv.keys().iter().filter(|key| String::from_utf8_lossy(key).contains(part)).count()
}

#[tokio::test]
async fn recovery_is_exact_wherever_a_cut_was_interrupted() {
    let quiet = small();
    assert_eq!(live(Arc::new(quiet.clone()), 25).await, 25);
    let commits = quiet.commits() as usize;
    assert!(commits > 60, "a life has many commits: {commits}");
    for dies_after in 0..commits {
        let kv = small();
        let acknowledged = live(Arc::new(Mortal { kv: kv.clone(), left: AtomicUsize::new(dies_after) }), 25).await;
        kv.restart();
        let store = Store::open(Arc::new(kv.clone()), "the next").await.expect("opens");
        let found = store.read_cut::<Vec<Note>, Note>(&StreamId::Board).await.expect("reads");
        assert_eq!(whole(&found), (0..acknowledged).map(note).collect::<Vec<_>>(), "dead after {dies_after} commits");
        assert_eq!(found.upto(), u64::from(acknowledged));
        // Life goes on, and the next cut takes what the crash left behind.
        assert_eq!(live(Arc::new(kv.clone()), 30).await, 30);
        assert_eq!(count(&kv, "journal/"), 0, "dead after {dies_after} commits");
    }
}

#[tokio::test]
async fn what_was_cut_is_gone_with_its_blobs() {
    let kv = small();
    live(Arc::new(kv.clone()), 70).await;
    assert_eq!(count(&kv, "journal/"), 0);
    // The image of 70 notes alone; those of earlier cuts are dropped.
    let heads = kv.keys().iter().filter(|key| key.starts_with(b"blob/") && key.ends_with(b"/head/")).count();
    assert_eq!(heads, 1, "{:?}", kv.keys().iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_damaged_image_is_said_and_nothing_is_made_up() {
    let kv = MemoryKv::new();
    live(Arc::new(kv.clone()), 13).await;
    let key = kv.keys().into_iter().find(|key| key.starts_with(b"image/")).expect("there is an image");
    let mut bytes = kv.value(&key).expect("the row is there");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    kv.tamper(&key, bytes);
    let store = Store::open(Arc::new(kv.clone()), "the next").await.expect("opens");
    let error = store.read_cut::<Vec<Note>, Note>(&StreamId::Board).await.expect_err("damaged").to_string();
    assert!(error.contains("the claims board is broken at record 10") && error.contains("image"), "{error}");
}
