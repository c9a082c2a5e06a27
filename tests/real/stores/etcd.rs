//! What the etcd adapter promises beyond the suite: lost answers, sessions that end, a quota that is used up, limits that are smaller than said.

use super::conformance::etcd_kv;
use crate::harness::{EtcdServer, HttpProxy, Loss};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use trueup::{
    core::{model::Span, run::StreamId},
    ports::{Compare, Kv as _, KvErrorKind, Put, Stands},
    stores::{EtcdKv, LeaseError, Store},
};

fn url(addr: std::net::SocketAddr) -> Vec<String> {
    vec![format!("http://{addr}")]
}

fn set(key: &str, value: &str) -> Put {
    Put::Set(key.into(), value.into(), None)
}

async fn value(kv: &EtcdKv, key: &str) -> Option<String> {
    let row = kv.range(key.into(), format!("{key}\0").into(), 1).await.expect("it answers").pop()?;
    Some(String::from_utf8(row.value).expect("it is text"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_or_question_was_lost_happens_exactly_once() {
    let etcd = EtcdServer::open(&[]);
    let proxy = HttpProxy::start(etcd.addr);
    let kv = etcd_kv(url(proxy.addr), "lost");
    let mut at = kv.commit(vec![Compare::Absent(b"n".to_vec())], vec![set("n", "0")]).await.expect("answers").expect("nothing is there");
    for (n, loss) in [(1, Loss::Reply), (2, Loss::Request), (3, Loss::Reply), (4, Loss::Reply), (5, Loss::Request)] {
        proxy.lose(loss);
        // It compares what it replaces: a second time it would miss, and a miss would be said.
        let next = kv.commit(vec![Compare::At(b"n".to_vec(), at)], vec![set("n", &n.to_string())]).await;
        at = next.expect("what came of it was found out").unwrap_or_else(|miss| panic!("{n} {loss:?}: {miss:?}"));
        let row = kv.range(b"n".to_vec(), b"o".to_vec(), 1).await.expect("answers").pop().expect("it is there");
        assert_eq!((row.value, row.rev), (n.to_string().into_bytes(), at), "{loss:?}: the revision told is the row's own");
    }
    // One without a comparison is not written again over what somebody else wrote since.
    proxy.lose(Loss::Reply);
    kv.commit(vec![], vec![set("blind", "1")]).await.expect("answers").expect("nothing is compared");
    assert_eq!(value(&kv, "blind").await.as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_was_given_up_never_happens_even_after_its_mark_went_with_a_session() {
    let etcd = EtcdServer::open(&[]);
    let proxy = HttpProxy::start(etcd.addr);
    let kv = etcd_kv(url(proxy.addr), "given-up");
    // The first commit of its mark: it compares that there is no mark yet, and belongs to no session.
    proxy.keep();
    kv.commit(vec![], vec![set("late", "1")]).await.expect("answers").expect("it is sent again");
    // Whatever mark comes next goes with this session, so that there is none again.
    let session = kv.session(Span::secs(30)).await.expect("opens");
    for n in 0..3 {
        kv.commit(vec![], vec![set("other", &n.to_string())]).await.expect("answers").expect("nothing is compared");
    }
    kv.commit(vec![], vec![Put::Del(b"late".to_vec())]).await.expect("answers").expect("nothing is compared");
    kv.end(session).await.expect("answers");
    let answer = proxy.deliver();
    assert!(answer.contains("200 OK") && !answer.contains("\"succeeded\":true"), "{answer}");
    assert_eq!(value(&kv, "late").await, None, "what arrives so late is not done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_stops_waiting_for_a_commit_leaves_a_mark_that_the_next_one_can_use() {
    let etcd = EtcdServer::open(&[]);
    let proxy = HttpProxy::start(etcd.addr);
    let kv = etcd_kv(url(proxy.addr), "dropped");
    for n in 0..200u32 {
        let commit = kv.commit(vec![], vec![set("n", &n.to_string())]);
        // Dropped at some moment between its sending and its answer.
        drop(tokio::time::timeout(Duration::from_micros(u64::from(n) * 20), commit).await);
    }
    for n in 0..70u32 {
        kv.commit(vec![], vec![set("n", &n.to_string())]).await.expect("answers").expect("nothing is compared");
        assert_eq!(value(&kv, "n").await, Some(n.to_string()), "nothing that was given up comes later");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ended_takes_its_leases_and_its_holder_may_write_under_them_no_more() {
    let etcd = EtcdServer::open(&[]);
    let (one, two) = (etcd_kv(url(etcd.addr), "two"), etcd_kv(url(etcd.addr), "two"));
    let first = Store::open_for(Arc::new(one.clone()), "first", Span::secs(2)).await.expect("opens");
    let second = Store::open_for(Arc::new(two), "second", Span::secs(2)).await.expect("opens");
    let fence = first.own(&StreamId::Board).await.expect("nobody has it");
    assert!(matches!(first.stands(&fence), Stands::Until(end) if end <= Instant::now() + Duration::from_secs(2)));
    assert_eq!(first.own(&StreamId::Board).await.expect("it is ours"), fence, "taking it twice gives the same fence");
    let Err(LeaseError::Held { by, .. }) = second.own(&StreamId::Board).await else { panic!("it is held") };
    assert_eq!(by, first.me());
    assert_eq!(first.members().await.expect("answers").len(), 2);
    // It outlives its time many times over while it is kept alive.
    let (end, mut beat) = (Instant::now() + Duration::from_secs(5), tokio::time::interval(Duration::from_millis(200)));
    while Instant::now() < end {
        beat.tick().await;
        assert_ne!(first.stands(&fence), Stands::Gone, "it is renewed");
    }
    first.append_records(&StreamId::Board, 0, Some(&fence), &["first"]).await.expect("its owner may");
    first.leave().await.expect("answers");
    assert_eq!(first.stands(&fence), Stands::Gone);
    let lost = first.append_records(&StreamId::Board, 1, Some(&fence), &["late"]).await.expect_err("it is nobody's");
    assert!(lost.to_string().contains("is lost"), "{lost}");
    let taken = second.own(&StreamId::Board).await.expect("it is free");
    second.append_records(&StreamId::Board, 1, Some(&taken), &["second"]).await.expect("its owner may");
    // The first comes back under another name, and owns nothing by the old fence.
    assert!(first.attend().await.expect("answers"), "it opens another session");
    assert!(first.is_lost(&fence));
    assert!(matches!(first.own(&StreamId::Board).await, Err(LeaseError::Held { .. })));
    assert_eq!(second.read_records::<String>(&StreamId::Board).await.expect("the chain holds"), ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_that_is_used_up_is_a_full_store_and_says_what_to_do() {
    let etcd = EtcdServer::open(&["--quota-backend-bytes", "16777216"]);
    let kv = etcd_kv(url(etcd.addr), "full");
    kv.commit(vec![], vec![set("a", "1")]).await.expect("answers").expect("nothing is compared");
    etcd.fill("/junk/");
    let error = kv.commit(vec![], vec![set("a", "2")]).await.expect_err("there is no space");
    assert!(error.kind == KvErrorKind::Full && error.what.contains("etcdctl alarm disarm"), "{error:?}");
    assert_eq!(value(&kv, "a").await.as_deref(), Some("1"), "reading goes on");
    etcd.make_room("/junk/");
    kv.commit(vec![], vec![set("a", "3")]).await.expect("there is room again").expect("nothing is compared");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_more_operations_than_the_server_takes_is_refused_and_the_limit_learned() {
    let etcd = EtcdServer::open(&["--max-txn-ops", "32"]);
    let kv = etcd_kv(url(etcd.addr), "limits");
    let many: Vec<Put> = (0..100).map(|n| set(&format!("k{n:03}"), "x")).collect();
    let error = kv.commit(vec![], many.clone()).await.expect_err("that is too many");
    assert!(error.what.contains("--max-txn-ops"), "{error:?}");
    assert!(kv.limits().ops < 100, "{:?}", kv.limits());
    assert_eq!(kv.range(b"k".to_vec(), b"l".to_vec(), 1000).await.expect("answers"), [], "nothing of it was written");
    kv.commit(vec![], many[..8].to_vec()).await.expect("few enough").expect("nothing is compared");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_too_large_for_one_answer_are_read_in_several() {
    let etcd = EtcdServer::open(&[]);
    let kv = etcd_kv(url(etcd.addr), "large");
    let large = "x".repeat(1 << 20);
    for n in 0..12 {
        kv.commit(vec![], vec![set(&format!("r{n:02}"), &large)]).await.expect("answers").expect("nothing is compared");
    }
    let rows = kv.range(b"r".to_vec(), b"s".to_vec(), 1000).await.expect("answers");
    assert_eq!(rows.len(), 12);
    assert!(rows.iter().all(|row| row.value.len() == large.len()));
}
