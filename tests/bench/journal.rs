//! Records a second through our store on redb and sled, beside raw batches of the same bytes with one fdatasync each, on the same disk.
//!
//! `cargo bench --bench journal`. So many streams append at the same time, each waiting for its receipt before it appends again, as changes
//! do; raw, so many threads hand their bytes to one writer that takes all that wait, writes them and syncs once.

#[expect(dead_code, unused_imports, reason = "a bench uses a part of what the benches share")]
mod kit;

use kit::{Series, asked, grouped_writes, rounds};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use trueup::{
    core::{
        model::{CommitId, MrId, RepoId, Span, StepId, Time},
        review::Phase,
        run::{Card, Event, Item, Outcome, StreamId, Turn},
    },
    ports::{Compare, Fut, Key, Kv, KvError, KvLimits, Miss, Put, Rev, Row, SessionId},
    stores::{RedbKv, SledKv, Store},
};

/// Streams that append at the same time: one change, a busy server, a very busy one, and as many as one commit takes.
const STREAMS: [usize; 4] = [1, 8, 64, 256];

/// How long each side of a round runs.
const RUN: Duration = Duration::from_secs(2);

fn main() {
    if !asked() {
        return;
    }
    let rounds = rounds(5);
    let dir = tempfile::tempdir_in(std::env::current_exe().expect("the program knows its own file").parent().expect("it is in a folder")).expect("a temporary folder");
    println!("appends of two records, {} s a side, median of {rounds} interleaved rounds; the disk below {}", RUN.as_secs(), dir.path().display());
    println!("{:>8} {:>12} {:>12} {:>12} {:>12} {:>10} {:>10}", "streams", "bytes", "raw /s", "redb /s", "sled /s", "redb/raw", "sled/raw");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be made");
    let bytes = runtime.block_on(size(dir.path()));
    for streams in STREAMS {
        let (mut raw, mut redb, mut sled) = (Series::default(), Series::default(), Series::default());
        for round in 0..rounds {
            let folder = |name: &str| dir.path().join(format!("{name}-{streams}-{round}"));
            raw.push(grouped_writes(&folder("raw"), streams, bytes, RUN));
            redb.push(runtime.block_on(through(Arc::new(RedbKv::open(&folder("redb")).expect("redb opens")), streams)));
            sled.push(runtime.block_on(through(Arc::new(SledKv::open(&folder("sled")).expect("sled opens")), streams)));
            for name in ["raw", "redb", "sled"] {
                // Best effort: the folder above goes at the end anyway.
                let _ = std::fs::remove_dir_all(folder(name));
            }
        }
        let rate = |each: &Series| 1.0 / each.median().as_secs_f64();
        let of_raw = |each: &Series| rate(each) / rate(&raw);
        let per = |each: &Series| format!("{:.0}", rate(each));
        println!("{streams:>8} {bytes:>12} {:>12} {:>12} {:>12} {:>10.2} {:>10.2}", per(&raw), per(&redb), per(&sled), of_raw(&redb), of_raw(&sled));
        println!("         time an append in ms, least to most: raw {raw}, redb {redb}, sled {sled}");
    }
}

fn stream(n: usize) -> MrId {
    MrId { repo: RepoId::new("infra"), number: n as u64 }
}

/// A turn as a run makes them all the time: one step proven, the next one's intent.
fn turn(mr: &MrId, n: u64) -> Turn {
    let step = StepId(n as u32);
    let at = Time(1_700_000_000_000 + n as i64);
    let events = vec![
        Event::Acted { step, attempt: 1, outcome: Outcome { items: vec![Item::Done], report: Some("1 change in 1 UPDATE message".into()) }, at },
        Event::ActIntended { step: StepId(step.0 + 1), attempt: 1, skip: Default::default(), at },
    ];
    let card = Card {
        mr: mr.clone(),
        phase: Phase::Rolling,
        title: "move www to the new balancer".into(),
        draft: false,
        waits_for: format!("Rolling out: {n} of 100000 done."),
        head: Some(CommitId::new("0123456789012345678901234567890123456789")),
        base: None,
        next_wake: None,
        outstanding: true,
        ahead: true,
        overdue: false,
        updated: at,
    };
    Turn::new(events, card, Vec::new())
}

/// Time an append, all streams together.
async fn through(kv: Arc<dyn Kv>, streams: usize) -> Duration {
    let store = Store::open(kv, "bench").await.expect("the store opens");
    let began = Instant::now();
    let appends = (0..streams).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let mr = stream(n);
            let id = StreamId::Change(mr.clone());
            let fence = store.own(&id).await.expect("nobody else has it");
            let (mut at, mut done) = (0, 0u64);
            while began.elapsed() < RUN {
                at = store.append(&id, at, Some(&fence), &turn(&mr, done)).await.expect("it is appended").upto;
                done += 1;
            }
            done
        })
    });
    let mut all = 0;
    for one in appends.collect::<Vec<_>>() {
        all += one.await.expect("no stream panics");
    }
    began.elapsed().div_f64(all as f64)
}

/// The bytes of keys and values that one append hands to its key space.
async fn size(dir: &Path) -> u64 {
    let counting = Arc::new(Counting { kv: RedbKv::open(&dir.join("size")).expect("redb opens"), bytes: AtomicU64::new(0) });
    let store = Store::open(counting.clone(), "bench").await.expect("the store opens");
    let mr = stream(0);
    let id = StreamId::Change(mr.clone());
    let fence = store.own(&id).await.expect("nobody else has it");
    counting.bytes.store(0, Ordering::SeqCst);
    store.append(&id, 0, Some(&fence), &turn(&mr, 1)).await.expect("it is appended");
    counting.bytes.load(Ordering::SeqCst)
}

/// A key space that counts what is written.
struct Counting {
    kv: RedbKv,
    bytes: AtomicU64,
}

impl Kv for Counting {
    fn commit<'a>(&'a self, when: Vec<Compare>, then: Vec<Put>) -> Fut<'a, Result<Result<Rev, Miss>, KvError>> {
        let one = |put: &Put| match put {
            Put::Set(key, value, _) => key.len() + value.len(),
            Put::Del(key) => key.len(),
        };
        self.bytes.fetch_add(then.iter().map(one).sum::<usize>() as u64, Ordering::SeqCst);
        self.kv.commit(when, then)
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
