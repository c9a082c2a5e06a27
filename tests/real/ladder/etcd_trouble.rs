//! What goes wrong with an etcd cluster: certificates, dead members, a change of leader, sign-ins that end, compaction, many keys.

use super::{
    climb::{Desired, NoSecrets, cx},
    etcd::{config, id},
};
use crate::harness::{Certificates, ETCD_PASSWORD, EtcdServer, free_port};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};
use trueup::{
    core::{
        model::{Reading, Unit, Value, Want},
        plan::{Act, Undo, Write},
        run::Item,
    },
    drivers::config::etcd::{Config, Etcd, Tls},
    ports::{Cancel, Cx, Driver, ObserveErrorKind, SecretText},
};

fn driver(config: Config) -> Etcd {
    Etcd::new(config).expect("the configuration is good")
}

fn keys(n: usize, value: &str) -> Desired {
    (0..n).map(|n| (id(&format!("/open/k{n:05}")), Some(Value::str(value)))).collect()
}

/// Patience for clusters that elect.
fn patient() -> Cx<'static> {
    Cx { fence: None, deadline: Instant::now() + Duration::from_secs(120), cancel: Cancel::default(), together: false, sensitive: &[], secrets: &NoSecrets }
}

async fn missing(driver: &Etcd, desired: &Desired) -> Vec<Write> {
    let wants: Vec<Want> = desired.iter().map(|(id, value)| Want { id: id.clone(), base: None, merged: value.clone(), ours: None }).collect();
    let seen = driver.observe(&patient(), &wants, &[]).await.expect("the cluster can be read");
    let write = |one: trueup::core::model::Observed| match one.reading {
        Reading::Seen { live, merged: Ok(to), .. } if live != to => Some(Write { id: one.id, undo: Undo::To(live.clone()), from: live, to }),
        Reading::Seen { .. } | Reading::Opaque { .. } | Reading::Later { .. } => None,
    };
    seen.into_iter().filter_map(write).collect()
}

async fn act(driver: &Etcd, writes: Vec<Write>) -> Vec<Item> {
    driver.act(&patient(), &Act::Write(writes), &BTreeSet::new(), &[]).await.items
}

#[tokio::test]
async fn a_cluster_that_asks_for_certificates_is_spoken_to_with_ours_and_with_no_other() {
    let (ours, theirs) = (Certificates::new(), Certificates::new());
    let (_process, addr, _dir) = EtcdServer::tls(&ours);
    let tls =
        |of: &Certificates, identity: Option<&Certificates>| Tls { ca: std::fs::read(&of.ca).expect("it was made"), identity: identity.map(|of| SecretText::new(of.identity())) };
    let with = |tls| driver(Config { endpoints: vec![format!("https://{addr}")], tls: Some(tls), ..config(addr, None) });
    let good = with(tls(&ours, Some(&ours)));
    assert!(act(&good, missing(&good, &keys(3, "1")).await).await.iter().all(|item| *item == Item::Done));
    assert_eq!(missing(&good, &keys(3, "1")).await, []);
    for (name, bad) in [("no certificate", tls(&ours, None)), ("a stranger's", tls(&ours, Some(&theirs))), ("another authority", tls(&theirs, Some(&ours)))] {
        let want = Want { id: id("/open/a"), base: None, merged: None, ours: None };
        let short = Cx { deadline: Instant::now() + Duration::from_secs(5), ..patient() };
        let error = with(bad).observe(&short, &[want], &[]).await.expect_err(name);
        assert!(error.kind == ObserveErrorKind::Unreachable && !error.what.contains("PRIVATE KEY"), "{name}: {error}");
    }
    let broken = Config { tls: Some(Tls { ca: b"no certificate".to_vec(), identity: None }), ..config(addr, None) };
    assert!(Etcd::new(broken).err().expect("it is refused").what.contains("`tls.ca` holds no certificate"));
    let broken = Config { tls: Some(Tls { identity: Some(SecretText::new("no key")), ..tls(&ours, None) }), ..config(addr, None) };
    let error = Etcd::new(broken).err().expect("it is refused");
    assert!(error.what.contains("`tls.identity`") && !error.what.contains("no key"), "{error}");
}

#[tokio::test]
async fn a_leader_that_dies_in_the_middle_costs_no_key_and_writes_none_twice() {
    let members = EtcdServer::three();
    let mut endpoints: Vec<String> = members.iter().map(|member| format!("http://{}", member.addr)).collect();
    // One that was never there, asked first.
    endpoints.insert(0, format!("http://127.0.0.1:{}", free_port()));
    let driver = driver(Config { endpoints, answer: Duration::from_secs(5), ..config(members[0].addr, None) });
    let desired = keys(600, "1");
    let mut writes = missing(&driver, &desired).await;
    assert_eq!(writes.len(), 600);
    let rest = writes.split_off(200);
    assert!(act(&driver, writes).await.iter().all(|item| *item == Item::Done));
    let leader = members.iter().find(|member| member.leads()).expect("one leads");
    leader.signal("KILL");
    let items = act(&driver, rest).await;
    let told = |item: &Item| matches!(item, Item::Done | Item::Unknown | Item::NotTried | Item::Failed { transient: true, .. });
    assert!(items.iter().all(told), "{items:?}");
    // What an engine does: look again, and act on what is missing.
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let writes = missing(&driver, &desired).await;
        if writes.is_empty() {
            break;
        }
        assert!(Instant::now() < end, "{} keys are still missing", writes.len());
        act(&driver, writes).await;
    }
    let left = members.iter().find(|member| member.addr != leader.addr).expect("two are left");
    assert_eq!(left.all().len(), 600);
    let answer = left.ask("/v3/kv/range", &json!({ "key": "AA==", "range_end": "AA==" }));
    assert!(answer["kvs"].as_array().expect("a list").iter().all(|kv| kv["version"] == "1"), "every key was written once");
}

#[tokio::test]
async fn a_member_that_hangs_is_given_up_and_another_is_asked() {
    let members = EtcdServer::three();
    let follower = members.iter().find(|member| !member.leads()).expect("two follow");
    let mut endpoints = vec![format!("http://{}", follower.addr)];
    endpoints.extend(members.iter().filter(|member| member.addr != follower.addr).map(|member| format!("http://{}", member.addr)));
    let driver = driver(Config { endpoints, answer: Duration::from_secs(2), ..config(follower.addr, None) });
    let desired = keys(3, "1");
    assert_eq!(missing(&driver, &desired).await.len(), 3);
    follower.signal("STOP");
    let writes = missing(&driver, &desired).await;
    let items = act(&driver, writes).await;
    follower.signal("CONT");
    assert!(items.iter().all(|item| *item == Item::Done), "{items:?}");
}

#[tokio::test]
async fn a_sign_in_that_no_longer_holds_is_renewed() {
    let server = EtcdServer::closed();
    let driver = driver(config(server.addr, Some(ETCD_PASSWORD)));
    let writes = missing(&driver, &keys(2, "1")).await;
    // Whoever changes a password ends all sign-ins of its user.
    server.ask("/v3/auth/user/changepw", &json!({ "name": crate::harness::ETCD_USER, "password": ETCD_PASSWORD }));
    assert!(act(&driver, writes).await.iter().all(|item| *item == Item::Done));
    let writes = missing(&driver, &keys(2, "2")).await;
    server.ask("/v3/auth/user/changepw", &json!({ "name": crate::harness::ETCD_USER, "password": "another" }));
    let items = act(&driver, writes).await;
    assert!(items.iter().all(|item| matches!(item, Item::Failed { transient: false, why } if why.contains("cannot sign in"))), "{items:?}");
}

/// Every thirtieth of six hundred keys may not be read; etcd says of a request that something in it may not, and not what.
#[tokio::test]
async fn of_many_keys_those_alone_fail_that_may_not_be_read() {
    let server = EtcdServer::closed();
    server.ask("/v3/auth/user/revoke", &json!({ "name": crate::harness::ETCD_USER, "role": "reader" }));
    let driver = driver(config(server.addr, Some(ETCD_PASSWORD)));
    let is_shut = |n: usize| n.is_multiple_of(30);
    let name = |n: usize| id(&if is_shut(n) { format!("/shut/k{n:05}") } else { format!("/open/k{n:05}") });
    let wants: Vec<Want> = (0..600).map(|n| Want { id: name(n), base: None, merged: Some(Value::str("1")), ours: None }).collect();
    let error = driver.observe(&patient(), &wants, &[]).await.expect_err("some may not be read");
    let shut: Vec<_> = (0..600).filter(|n| is_shut(*n)).map(name).collect();
    assert_eq!((error.kind, &error.about), (ObserveErrorKind::Denied, &shut));
    assert!(error.what.contains("may not read `/shut/k00000`, `/shut/k00030`, `/shut/k00060` and 17 more"), "{error}");
    // Who writes without having read first learns the same of each.
    let writes = wants.iter().map(|want| Write { id: want.id.clone(), from: None, to: want.merged.clone(), undo: Undo::To(None) }).collect();
    let items = act(&driver, writes).await;
    for (n, item) in items.iter().enumerate() {
        match item {
            Item::Failed { transient: false, why } if is_shut(n) => assert!(why.contains(&format!("may not read `/shut/k{n:05}`")), "{why}"),
            item => assert!(!is_shut(n) && *item == Item::Done, "{n}: {item:?}"),
        }
    }
    // Where nothing at all may be read, that is found out with a bounded number of questions.
    let wants: Vec<Want> = (0..5000).map(|n| Want { id: id(&format!("/shut/k{n:05}")), base: None, merged: None, ours: None }).collect();
    let error = driver.observe(&patient(), &wants, &[]).await.expect_err("none may be read");
    assert_eq!((error.kind, error.about.len()), (ObserveErrorKind::Denied, 5000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compaction_takes_nothing_from_a_listing_and_nothing_from_a_token() {
    let server = EtcdServer::open(&[]);
    let driver = driver(config(server.addr, None));
    let desired = keys(2500, "1");
    act(&driver, missing(&driver, &desired).await).await;
    let next = keys(1, "2");
    let want = Want { id: next[0].0.clone(), base: None, merged: next[0].1.clone(), ours: None };
    let token = driver.observe(&cx(), &[want], &[]).await.expect("it can be read")[0].token.clone();
    let writes = missing(&driver, &next).await;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                server.put("/other/key", b"x");
                server.ask("/v3/kv/compaction", &json!({ "revision": server.revision().to_string() }));
            }
        });
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for _ in 0..10 {
                    let listed = driver.census().expect("it lists").list_below(&cx(), &Unit::new("keys"), "/open/").await;
                    done.store(listed.is_err(), Ordering::SeqCst);
                    assert_eq!(listed.expect("it can be listed").len(), 2500);
                }
                done.store(true, Ordering::SeqCst);
            });
        });
    });
    let outcome = driver.act(&cx(), &Act::Write(writes), &BTreeSet::new(), &[token]).await;
    assert_eq!(outcome.items, [Item::Done]);
}

#[tokio::test]
async fn ten_thousand_keys_go_in_as_few_transactions_as_the_server_takes() {
    let server = EtcdServer::open(&[]);
    let driver = driver(config(server.addr, None));
    let desired = keys(10_000, "1");
    assert!(act(&driver, missing(&driver, &desired).await).await.iter().all(|item| *item == Item::Done));
    assert_eq!((driver.transactions(), missing(&driver, &desired).await.len()), (79, 0));
    assert_eq!(server.all().len(), 10_000);
}
