//! Moving everything from one store to another and back: the same bytes, whatever lies between.

use super::conformance::etcd_kv;
use crate::harness::EtcdServer;
use std::{path::Path, sync::Arc};
use trueup::{
    core::{
        model::{MrId, RepoId, Span, Time},
        run::StreamId,
    },
    ports::{Kv, KvErrorKind, Row},
    stores::{Batch, MigrateError, RedbKv, RowKey, SledKv, Store, migrate},
};

fn stream(number: u64) -> StreamId {
    StreamId::Change(MrId { repo: RepoId::new("team/zones"), number })
}

/// Bytes that no packing makes small.
fn noise(len: usize, seed: u32) -> String {
    let mut state = u64::from(seed) + 1;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'!' + (state >> 33) as u8 % 90)
        })
        .collect()
}

/// Journals of small and large records, one of them cut, deliveries, blobs and rows. Some fit a row of redb and none of etcd, some fit neither.
async fn fill(store: &Store) {
    for number in 1..=40 {
        let mut at = 0;
        for n in 0..6 {
            at = store.append_records(&stream(number), at, None, &[format!("{number} {n}")]).await.expect("appends").upto;
        }
    }
    for (n, len) in [2 << 20, 6 << 20, 10].into_iter().enumerate() {
        store.append_records(&stream(1), 6 + n as u64, None, &[noise(len, n as u32)]).await.expect("appends");
    }
    let mut at = 0;
    for n in 0..10 {
        at = store.append_records(&StreamId::Board, at, None, &[n]).await.expect("appends").upto;
    }
    store.cut(&StreamId::Board, at, None, &noise(2 << 20, 77)).await.expect("cuts");
    store.append_records(&StreamId::Board, at, None, &[10]).await.expect("appends");
    store.enqueue("hook", "small", Time(1), b"small").await.expect("kept");
    store.enqueue("hook", "large", Time(2), noise(3 << 20, 5).as_bytes()).await.expect("kept");
    store.put_blob(noise(3 << 20, 9).as_bytes()).await.expect("kept");
    for n in 0..300 {
        store.write(Batch::new().create(&RowKey::new("thing").num(n), &format!("thing {n}"))).await.expect("kept").expect("it is new");
    }
}

async fn dump(kv: &dyn Kv) -> Vec<(Vec<u8>, Vec<u8>)> {
    let rows: Vec<Row> = kv.range(Vec::new(), vec![0xff], usize::MAX).await.expect("answers");
    rows.into_iter().map(|row| (row.key, row.value)).collect()
}

async fn open(kv: Arc<dyn Kv>) -> Store {
    Store::open_for(kv, "tests", Span::secs(5)).await.expect("opens")
}

fn redb(folder: &Path) -> Arc<dyn Kv> {
    Arc::new(RedbKv::open(folder).expect("opens"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_redb_to_etcd_to_sled_and_back_to_redb_every_byte_is_the_same() {
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().expect("a temporary folder")).collect();
    let etcd = EtcdServer::open(&[]);
    let first = redb(folders[0].path());
    let store = open(first.clone()).await;
    fill(&store).await;
    let before = dump(&*first).await;
    let shared: Arc<dyn Kv> = Arc::new(etcd_kv(vec![format!("http://{}", etcd.addr)], "moved"));
    let sled: Arc<dyn Kv> = Arc::new(SledKv::open(folders[1].path()).expect("opens"));
    let last = redb(folders[2].path());
    let (second, third, fourth) = (open(shared.clone()).await, open(sled.clone()).await, open(last.clone()).await);
    for (from, to, names) in [(&store, &second, ("redb", "etcd")), (&second, &third, ("etcd", "sled")), (&third, &fourth, ("sled", "another redb"))] {
        let migrated = migrate(from, to, names).await.unwrap_or_else(|error| panic!("{names:?}: {error}"));
        assert_eq!((migrated.from.rows, migrated.from.streams, migrated.from.records), (migrated.to.rows, 41, 40 * 6 + 3 + 11), "{names:?}: {migrated:?}");
        assert_eq!(migrated.from.records, migrated.to.records);
    }
    let after = dump(&*last).await;
    assert_eq!(before.len(), after.len());
    assert!(before == after, "every row has the bytes it had");
    assert_eq!(fourth.read_records::<String>(&stream(1)).await.expect("the chain holds").len(), 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_migration_goes_on_and_no_server_takes_what_is_half_full() {
    let folders: Vec<_> = (0..2).map(|_| tempfile::tempdir().expect("a temporary folder")).collect();
    let (one, two) = (redb(folders[0].path()), redb(folders[1].path()));
    let (from, to) = (open(one.clone()).await, open(two.clone()).await);
    fill(&from).await;
    // As a run that was killed leaves it: begun, and some of it there, something of it wrong.

    let rows = dump(&*one).await;
    let some = rows.iter().filter(|(key, _)| key.starts_with(b"head/")).take(20).map(|(key, value)| trueup::ports::Put::Set(key.clone(), value.clone(), None));
    let mark = trueup::ports::Put::Set(b"filling/".to_vec(), br#"{"from":"redb"}"#.to_vec(), None);
    let wrong = trueup::ports::Put::Set(b"row/thing/extra/".to_vec(), b"1".to_vec(), None);
    two.commit(vec![], some.chain([mark, wrong]).collect()).await.expect("answers").expect("nothing is compared");
    let busy = to.serves().await.expect_err("it is half full");
    assert!(busy.kind == KvErrorKind::Locked && busy.what.contains("store migrate"), "{busy}");
    let Err(MigrateError::Refused(other)) = migrate(&from, &to, ("somewhere else", "redb too")).await else { panic!("it is another's") };
    assert!(other.contains("unfinished migration from redb"), "{other}");
    let migrated = migrate(&from, &to, ("redb", "redb too")).await.expect("it goes on");
    assert!(migrated.written < migrated.to.rows, "what was there is not written again: {migrated:?}");
    let mut old = dump(&*one).await;
    old.retain(|(key, _)| key != b"moved/");
    assert!(dump(&*two).await == old, "what was too much is gone");
    to.serves().await.expect("it is whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_holds_something_or_is_in_use_is_refused() {
    let folders: Vec<_> = (0..2).map(|_| tempfile::tempdir().expect("a temporary folder")).collect();
    let etcd = EtcdServer::open(&[]);
    let (one, two) = (redb(folders[0].path()), redb(folders[1].path()));
    let (from, to) = (open(one).await, open(two).await);
    fill(&from).await;
    to.write(Batch::new().set(&RowKey::new("thing"), &1)).await.expect("kept").expect("nothing is compared");
    let Err(MigrateError::Refused(why)) = migrate(&from, &to, ("one", "two")).await else { panic!("it holds something") };
    assert!(why.contains("is not empty") && why.contains("row/thing"), "{why}");
    // A replica that runs is on the list; a server that starts while it is moved finds the door closed.
    let shared = || -> Arc<dyn Kv> { Arc::new(etcd_kv(vec![format!("http://{}", etcd.addr)], "used")) };
    let (used, replica) = (open(shared()).await, open(shared()).await);
    let Err(MigrateError::Refused(why)) = migrate(&from, &used, ("one", "etcd")).await else { panic!("a replica runs") };
    assert!(why.contains("stop every replica first") && why.contains(&replica.me()), "{why}");
    assert_eq!(replica.serves().await.expect_err("it is to be filled").kind, KvErrorKind::Locked);
    replica.leave().await.expect("answers");
    migrate(&from, &used, ("one", "etcd")).await.expect("nobody uses it");
    replica.attend().await.expect("answers");
    replica.serves().await.expect("it is whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_was_moved_is_served_no_more_until_somebody_says_so() {
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().expect("a temporary folder")).collect();
    let (one, two, three) = (redb(folders[0].path()), redb(folders[1].path()), redb(folders[2].path()));
    let (from, to, other) = (open(one).await, open(two.clone()).await, open(three).await);
    from.append_records(&stream(1), 0, None, &["1"]).await.expect("appends");
    migrate(&from, &to, ("one", "two")).await.expect("it moves");
    let refused = from.serves().await.expect_err("it is of the past");
    assert!(refused.kind == KvErrorKind::Locked && refused.what.contains("was moved to two; start the server with that configuration"), "{refused}");
    to.serves().await.expect("it is served from now on");
    // A run that was interrupted at its very end is ended by another.
    let mark = trueup::ports::Put::Set(b"filling/".to_vec(), br#"{"from":"one"}"#.to_vec(), None);
    two.commit(vec![], vec![mark]).await.expect("answers").expect("nothing is compared");
    to.serves().await.expect_err("as if it had been killed before the last row");
    migrate(&from, &to, ("one", "two")).await.expect("it goes on");
    to.serves().await.expect("it is whole");
    // The past is not moved on to anywhere else.
    let Err(MigrateError::Refused(why)) = migrate(&from, &other, ("one", "three")).await else { panic!("it was moved to two") };
    assert!(why.contains("was moved to two"), "{why}");
    assert_eq!(from.reopen().await.expect("answers").as_deref(), Some("two"));
    from.serves().await.expect("somebody said so");
    assert_eq!(from.reopen().await.expect("answers"), None, "there is nothing to take back");
    migrate(&from, &other, ("one", "three")).await.expect("it moves");
}
