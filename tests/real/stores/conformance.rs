//! What every adapter of the storage port promises, run against each of them.

use crate::harness::EtcdServer;
use std::{
    path::Path,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};
use trueup::{
    core::model::Span,
    etcd::{Config, Limits},
    ports::{Compare, Kv, KvError, KvErrorKind, MemoryKv, Put, Rev, Row, SessionId},
    stores::{EtcdKv, EtcdPlace, RedbKv, SledKv},
};

/// One adapter under test: how it is opened on a folder, closed and opened again.
pub trait Subject {
    type Store: Kv + 'static;
    fn open(&self, folder: &Path) -> Result<Self::Store, KvError>;
    /// Whether what was written outlives the process, and a second opener is kept out.
    const ON_DISK: bool = true;
    /// Whether several processes have it open, so that a session ends by its time and not with the next opening.
    const SHARED: bool = false;
}

pub struct Redb;
impl Subject for Redb {
    type Store = RedbKv;
    fn open(&self, folder: &Path) -> Result<RedbKv, KvError> {
        RedbKv::open(folder)
    }
}

pub struct Sled;
impl Subject for Sled {
    type Store = SledKv;
    fn open(&self, folder: &Path) -> Result<SledKv, KvError> {
        SledKv::open(folder)
    }
}

pub struct Memory(MemoryKv);
impl Subject for Memory {
    type Store = MemoryKv;
    fn open(&self, _: &Path) -> Result<MemoryKv, KvError> {
        self.0.restart();
        Ok(self.0.clone())
    }
    const ON_DISK: bool = false;
}

/// One etcd for all; each test has a prefix of its own, named by its folder.
static ETCD: LazyLock<EtcdServer> = LazyLock::new(|| EtcdServer::open(&[]));

/// A key space of an etcd below a prefix.
pub fn etcd_kv(endpoints: Vec<String>, prefix: &str) -> EtcdKv {
    let cluster = Config { target: "the store".into(), endpoints, user: None, tls: None, limits: Limits::default(), answer: Duration::from_secs(4) };
    EtcdKv::new(EtcdPlace { cluster, prefix: prefix.into() }).expect("a configuration that can be used")
}

pub struct Etcd;
impl Subject for Etcd {
    type Store = EtcdKv;
    fn open(&self, folder: &Path) -> Result<EtcdKv, KvError> {
        Ok(etcd_kv(vec![format!("http://{}", ETCD.addr)], &folder.display().to_string()))
    }
    const SHARED: bool = true;
}

fn set(key: &str, value: &str) -> Put {
    Put::Set(key.into(), value.into(), None)
}

fn absent(key: &str) -> Compare {
    Compare::Absent(key.into())
}

async fn commit(kv: &impl Kv, when: Vec<Compare>, then: Vec<Put>) -> Result<Rev, String> {
    let answer = kv.commit(when, then).await.expect("the store answers");
    answer.map_err(|miss| String::from_utf8(miss.key).expect("a text key"))
}

async fn rows(kv: &impl Kv, from: &str, to: &str, limit: usize) -> Vec<Row> {
    kv.range(from.into(), to.into(), limit).await.expect("the store answers")
}

async fn dump(kv: &impl Kv) -> String {
    let text = |row: Row| format!("{}={}", String::from_utf8_lossy(&row.key), String::from_utf8_lossy(&row.value));
    rows(kv, "", "~", 1000).await.into_iter().map(text).collect::<Vec<_>>().join(" ")
}

async fn rows_come_in_key_order_from_the_first_key_to_before_the_last(subject: &impl Subject, folder: &Path) {
    let kv = subject.open(folder).expect("opens");
    assert_eq!(dump(&kv).await, "");
    for key in ["b", "a/2", "a", "a/10", "c"] {
        commit(&kv, vec![], vec![set(key, key)]).await.expect("no compare");
    }
    assert_eq!(dump(&kv).await, "a=a a/10=a/10 a/2=a/2 b=b c=c");
    let keys = |rows: Vec<Row>| rows.into_iter().map(|row| String::from_utf8_lossy(&row.key).into_owned()).collect::<Vec<_>>();
    assert_eq!(keys(rows(&kv, "a/", "b", 1000).await), ["a/10", "a/2"]);
    assert_eq!(keys(rows(&kv, "a", "c", 2).await), ["a", "a/10"]);
    assert_eq!(keys(rows(&kv, "c", "a", 1000).await), Vec::<String>::new());
    assert_eq!(keys(rows(&kv, "a", "a", 1000).await), Vec::<String>::new());
}

async fn keys_and_values_may_hold_any_bytes(subject: &impl Subject, folder: &Path) {
    let kv = subject.open(folder).expect("opens");
    let key = vec![0, 0xff, b'/', 0];
    let value: Vec<u8> = (0..=255).collect();
    kv.commit(vec![], vec![Put::Set(key.clone(), value.clone(), None), Put::Set(vec![0], vec![], None)]).await.expect("answers").expect("no compare");
    let found = kv.range(vec![0], vec![1], 10).await.expect("answers");
    assert_eq!(found.iter().map(|row| (&row.key, &row.value)).collect::<Vec<_>>(), [(&vec![0], &vec![]), (&key, &value)]);
}

async fn revisions_grow_and_a_row_tells_the_commit_that_wrote_it(subject: &impl Subject, folder: &Path) {
    let kv = subject.open(folder).expect("opens");
    let one = commit(&kv, vec![], vec![set("a", "1"), set("b", "1")]).await.expect("no compare");
    let two = commit(&kv, vec![], vec![set("a", "2")]).await.expect("no compare");
    assert!(one < two, "{one:?} {two:?}");
    let revs: Vec<Rev> = rows(&kv, "a", "c", 10).await.iter().map(|row| row.rev).collect();
    assert_eq!(revs, [two, one]);
}

async fn a_compare_that_does_not_hold_writes_nothing_and_names_its_key(subject: &impl Subject, folder: &Path) {
    let kv = subject.open(folder).expect("opens");
    let one = commit(&kv, vec![absent("a"), absent("b")], vec![set("a", "1"), set("b", "1")]).await.expect("nothing is there");
    assert_eq!(commit(&kv, vec![absent("c"), absent("a")], vec![set("c", "2")]).await, Err("a".into()));
    let two = commit(&kv, vec![Compare::At("a".into(), one)], vec![set("a", "2")]).await.expect("still at one");
    assert_eq!(commit(&kv, vec![Compare::At("b".into(), one), Compare::At("a".into(), one)], vec![set("b", "3"), Put::Del("a".into())]).await, Err("a".into()));
    assert_eq!(commit(&kv, vec![Compare::At("gone".into(), two)], vec![set("gone", "3")]).await, Err("gone".into()));
    assert_eq!(dump(&kv).await, "a=2 b=1");
    commit(&kv, vec![Compare::At("a".into(), two)], vec![Put::Del("a".into())]).await.expect("still at two");
    commit(&kv, vec![absent("a")], vec![set("a", "4")]).await.expect("deleted");
    // A key that was deleted and made again is not the one that was read.
    assert_eq!(commit(&kv, vec![Compare::At("a".into(), two)], vec![set("a", "5")]).await, Err("a".into()));
    assert_eq!(dump(&kv).await, "a=4 b=1");
}

async fn what_was_written_is_there_after_opening_again(subject: &impl Subject, folder: &Path) {
    let kv = subject.open(folder).expect("opens");
    let one = commit(&kv, vec![], vec![set("a", "1"), set("b", "1")]).await.expect("no compare");
    commit(&kv, vec![], vec![Put::Del("b".into())]).await.expect("no compare");
    drop(kv);
    let kv = subject.open(folder).expect("opens again");
    assert_eq!(dump(&kv).await, "a=1");
    let later = commit(&kv, vec![Compare::At("a".into(), one)], vec![set("a", "2")]).await.expect("the revision is kept too");
    assert!(later > one);
}

async fn session_keys_vanish_when_the_store_is_opened_again<S: Subject>(subject: &S, folder: &Path) {
    let kv = subject.open(folder).expect("opens");
    let session: SessionId = kv.session(Span::secs(2)).await.expect("opens a session");
    let mine = |key: &str| Put::Set(key.into(), b"mine".to_vec(), Some(session));
    commit(&kv, vec![], vec![mine("lease"), mine("kept"), mine("given up"), set("plain", "1")]).await.expect("no compare");
    // A key written again without a session belongs to none.
    commit(&kv, vec![], vec![set("kept", "1"), Put::Del("given up".into())]).await.expect("no compare");
    assert_eq!(dump(&kv).await, "kept=1 lease=mine plain=1");
    drop(kv);
    let kv = subject.open(folder).expect("opens again");
    let (end, mut beat) = (Instant::now() + Duration::from_secs(120), tokio::time::interval(Duration::from_millis(50)));
    while S::SHARED && dump(&kv).await != "kept=1 plain=1" && Instant::now() < end {
        beat.tick().await;
    }
    assert_eq!(dump(&kv).await, "kept=1 plain=1");
}

async fn of_many_commits_that_want_one_key_exactly_one_gets_it(subject: &impl Subject, folder: &Path) {
    let kv = Arc::new(subject.open(folder).expect("opens"));
    let tasks: Vec<_> = (0..64)
        .map(|n: u32| {
            let kv = Arc::clone(&kv);
            tokio::spawn(async move { commit(&*kv, vec![absent("one")], vec![set("one", "x"), set(&format!("by/{n}"), "x")]).await.is_ok() })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        winners += u32::from(task.await.expect("no panic"));
    }
    assert_eq!(winners, 1);
    assert_eq!(rows(&*kv, "by/", "by0", 100).await.len(), 1, "a commit that missed wrote nothing");
}

async fn an_append_that_arrives_after_another_replica_cut_the_stream_lands_nowhere(subject: &impl Subject, folder: &Path) {
    let kv = Arc::new(subject.open(folder).expect("opens"));
    super::late::an_append_arrives_late(kv, 3, 9).await;
}

async fn many_commits_at_once_are_all_kept(subject: &impl Subject, folder: &Path) {
    let kv = Arc::new(subject.open(folder).expect("opens"));
    let tasks: Vec<_> = (0..500)
        .map(|n: u32| {
            let kv = Arc::clone(&kv);
            tokio::spawn(async move { commit(&*kv, vec![absent(&format!("k/{n:04}"))], vec![set(&format!("k/{n:04}"), "x")]).await })
        })
        .collect();
    let mut revs = Vec::new();
    for task in tasks {
        revs.push(task.await.expect("no panic").expect("its own key"));
    }
    revs.sort();
    revs.dedup();
    assert_eq!(revs.len(), 500, "every commit has a revision of its own");
    drop(kv);
    let kv = subject.open(folder).expect("opens again");
    assert_eq!(rows(&kv, "k/", "k0", 1000).await.len(), 500);
}

async fn the_limits_leave_room_for_a_turn(subject: &impl Subject, folder: &Path) {
    let kv = subject.open(folder).expect("opens");
    let limits = kv.limits();
    assert!(limits.ops >= 8 && limits.bytes >= 64 << 10, "{limits:?}");
    let large = vec![b'x'; limits.bytes - 100];
    kv.commit(vec![], vec![Put::Set(b"large".to_vec(), large.clone(), None)]).await.expect("answers").expect("no compare");
    assert_eq!(rows(&kv, "large", "largf", 2).await[0].value, large);
}

async fn a_second_opener_is_told_that_the_folder_is_in_use<S: Subject>(subject: &S, folder: &Path) {
    if !S::ON_DISK {
        println!("skipped: held in memory, there is no folder to share");
        return;
    }
    if S::SHARED {
        println!("skipped: several processes share it");
        return;
    }
    let first = subject.open(folder).expect("opens");
    let error = subject.open(folder).err().expect("the folder is taken");
    assert_eq!(error.kind, KvErrorKind::Locked, "{error}");
    let advice = format!("another process uses the data folder {}; stop it, or give this one a folder of its own", folder.display());
    assert_eq!(error.what, advice);
    drop(first);
    subject.open(folder).expect("opens when the first is gone");
}

/// Runs every rule against one adapter, each on a fresh folder.
macro_rules! suite {
    ($name:ident, $subject:expr, $($rule:ident)*) => {
        mod $name {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                let folder = tempfile::tempdir().expect("a temporary folder");
                super::$rule(&$subject, folder.path()).await;
            })*
        }
    };
}

macro_rules! suites {
    ($($name:ident: $subject:expr;)*) => {$(
        suite! { $name, $subject,
            rows_come_in_key_order_from_the_first_key_to_before_the_last
            keys_and_values_may_hold_any_bytes
            revisions_grow_and_a_row_tells_the_commit_that_wrote_it
            a_compare_that_does_not_hold_writes_nothing_and_names_its_key
            what_was_written_is_there_after_opening_again
            session_keys_vanish_when_the_store_is_opened_again
            of_many_commits_that_want_one_key_exactly_one_gets_it
            an_append_that_arrives_after_another_replica_cut_the_stream_lands_nowhere
            many_commits_at_once_are_all_kept
            the_limits_leave_room_for_a_turn
            a_second_opener_is_told_that_the_folder_is_in_use
        }
    )*};
}

suites! {
    memory: Memory(MemoryKv::new());
    redb: Redb;
    sled: Sled;
    etcd: Etcd;
}
