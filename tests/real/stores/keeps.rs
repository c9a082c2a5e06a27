//! Inbox, blobs and typed rows.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use trueup::{
    core::model::{BlobId, Time},
    ports::{KvErrorKind, KvLimits, MemoryKv},
    stores::{Batch, Delivery, Enqueued, RowKey, Store},
};

async fn store(kv: &MemoryKv) -> Store {
    Store::open(Arc::new(kv.clone()), "tests").await.expect("opens")
}

fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.id.as_str()).collect()
}

#[tokio::test]
async fn a_delivery_waits_until_it_is_done_and_comes_once() {
    let kv = MemoryKv::new();
    let first = store(&kv).await;
    for id in ["a", "b", "c"] {
        assert!(matches!(first.enqueue("hook", id, Time(5), id.as_bytes()).await.expect("kept"), Enqueued::New(_)));
    }
    assert_eq!(first.enqueue("hook", "b", Time(6), b"again").await.expect("answers"), Enqueued::Known);
    assert!(matches!(first.enqueue("other", "b", Time(6), b"of another source").await.expect("kept"), Enqueued::New(_)));
    let taken = first.take(2).await.expect("reads");
    assert_eq!(ids(&taken), ["a", "b"]);
    assert_eq!((taken[0].source.as_str(), taken[0].at, taken[0].bytes.as_slice()), ("hook", Time(5), b"a".as_slice()));
    // Taken and not done: the process died, and the next finds them again.
    kv.restart();
    let second = store(&kv).await;
    assert_eq!(ids(&second.take(10).await.expect("reads")), ["a", "b", "c", "b"]);
    second.done(&[taken[0].n, taken[1].n]).await.expect("kept");
    assert_eq!(ids(&second.take(10).await.expect("reads")), ["c", "b"]);
    assert_eq!(second.enqueue("hook", "a", Time(9), b"late").await.expect("answers"), Enqueued::Known);
    second.enqueue("hook", "d", Time(9), b"d").await.expect("kept");
    assert_eq!(ids(&second.take(10).await.expect("reads")), ["c", "b", "d"]);
}

#[tokio::test]
async fn old_delivery_ids_are_forgotten_when_asked() {
    let kv = MemoryKv::new();
    let store = store(&kv).await;
    for (id, at) in [("old", 10), ("new", 20)] {
        store.enqueue("hook", id, Time(at), b"x").await.expect("kept");
    }
    assert_eq!(store.forget_seen(Time(20)).await.expect("kept"), 1);
    assert!(matches!(store.enqueue("hook", "old", Time(30), b"x").await.expect("kept"), Enqueued::New(_)));
    assert_eq!(store.enqueue("hook", "new", Time(30), b"x").await.expect("answers"), Enqueued::Known);
}

#[tokio::test]
async fn two_processes_on_one_store_never_take_the_same_number() {
    let kv = MemoryKv::new();
    let (one, two) = (store(&kv).await, store(&kv).await);
    for n in 0..10 {
        one.enqueue("one", &n.to_string(), Time(n), b"x").await.expect("kept");
        two.enqueue("two", &n.to_string(), Time(n), b"x").await.expect("kept");
    }
    assert_eq!(one.take(100).await.expect("reads").len(), 20);
}

#[tokio::test]
async fn a_delivery_larger_than_a_commit_is_kept_whole() {
    let kv = MemoryKv::with_limits(KvLimits { ops: 8, bytes: 2048 });
    let store = store(&kv).await;
    let bytes: Vec<u8> = (0..20_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    store.enqueue("hook", "large", Time(1), &bytes).await.expect("kept");
    assert_eq!(store.take(1).await.expect("reads")[0].bytes, bytes);
}

#[tokio::test]
async fn a_blob_is_named_by_its_content_and_written_once() {
    let kv = MemoryKv::new();
    let store = store(&kv).await;
    let id = store.put_blob(b"abc").await.expect("kept");
    assert_eq!(id.as_str(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let commits = kv.commits();
    assert_eq!(store.put_blob(b"abc").await.expect("known"), id);
    assert_eq!(kv.commits(), commits);
    for bytes in [vec![], vec![7; 3 << 20]] {
        let id = store.put_blob(&bytes).await.expect("kept");
        assert_eq!(store.blob(&id).await.expect("reads"), Some(bytes));
    }
    assert_eq!(store.blob(&BlobId::new("00")).await.expect("reads"), None);
    store.drop_blob(&id).await.expect("kept");
    assert_eq!(store.blob(&id).await.expect("reads"), None);
}

#[tokio::test]
async fn a_damaged_blob_is_an_error_that_names_it() {
    let kv = MemoryKv::new();
    let store = store(&kv).await;
    let id = store.put_blob(b"abc").await.expect("kept");
    let page = kv.keys().into_iter().find(|key| String::from_utf8_lossy(key).contains("/page/")).expect("a page");
    kv.tamper(&page, b"pabd".to_vec());
    let error = store.blob(&id).await.expect_err("damaged");
    assert_eq!(error.kind, KvErrorKind::Corrupt);
    assert!(error.what.contains(id.as_str()), "{error}");
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    title: String,
}

fn row(title: &str) -> Row {
    Row { title: title.into() }
}

#[tokio::test]
async fn rows_are_written_together_or_not_at_all() {
    let store = store(&MemoryKv::new()).await;
    let counter = RowKey::new("counter").text("zones");
    let mr = |n| RowKey::new("mr").text("team/zones").num(n);
    let first = Batch::new().create(&counter, &1u64).create(&mr(1), &row("one"));
    store.write(first.clone()).await.expect("answers").expect("nothing was there");
    assert_eq!(store.write(first).await.expect("answers"), Err(counter.clone()));
    let seen = store.row::<u64>(&counter).await.expect("reads").expect("is there");
    let second = Batch::new().update(&counter, seen.rev, &2u64).create(&mr(2), &row("two"));
    store.write(second.clone()).await.expect("answers").expect("unchanged");
    let stale = Batch::new().update(&counter, seen.rev, &3u64).create(&mr(3), &row("three"));
    assert_eq!(store.write(stale).await.expect("answers"), Err(counter));
    assert_eq!(store.row::<Row>(&mr(3)).await.expect("reads"), None);
}

#[tokio::test]
async fn rows_below_a_key_come_in_order_and_by_pages() {
    let store = store(&MemoryKv::new()).await;
    let all = RowKey::new("mr").text("team/zones");
    for n in [10, 9, 2, 100] {
        store.write(Batch::new().set(&all.clone().num(n), &row(&n.to_string()))).await.expect("answers").expect("no compare");
    }
    let other = RowKey::new("mr").text("team").text("zones").num(1);
    store.write(Batch::new().set(&other, &row("another repository"))).await.expect("answers").expect("no compare");
    let found = store.rows::<Row>(&all, None, 2).await.expect("reads");
    let titles = |rows: &[trueup::stores::Stored<Row>]| rows.iter().map(|row| row.value.title.clone()).collect::<Vec<_>>();
    assert_eq!(titles(&found), ["2", "9"]);
    assert_eq!(titles(&store.rows::<Row>(&all, Some(&found[1].key), 100).await.expect("reads")), ["10", "100"]);
    assert_eq!(found[0].key.segments(), ["team/zones", "00000000000000000002"]);
    let gone = Batch::new().delete(&found[0].key, found[0].rev);
    store.write(gone).await.expect("answers").expect("unchanged");
    assert_eq!(titles(&store.rows::<Row>(&all, None, 100).await.expect("reads")), ["9", "10", "100"]);
}
