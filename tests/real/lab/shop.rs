//! Balancers that follow a key, clients that follow a record, and counts that hide nothing.

use crate::harness::{Client as Hand, KEY_NAME, KEY_SECRET, wait_for};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use trueup::lab::{
    dns::{self, Key},
    sample,
    shop::{Balancer, Client, Release, Shop, Tally, Wanted},
};

/// Far above what anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

const ZONE: &str = "shop.test.";
const SERVICE: &str = "_shop._tcp.shop.test.";

/// One balancer before one instance of each release, all with names.
struct Small {
    dir: TempDir,
    old: Release,
    new: Release,
    front: Balancer,
    names: dns::Running,
}

impl Small {
    async fn start(ttl: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (Release::start("old").await.unwrap(), Release::start("new").await.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let host = |name: &str| format!("{name}:\n  type: A\n  ttl: {ttl}\n  value: 127.0.0.1\n");
        let zone =
            format!("_shop._tcp:\n  type: SRV\n  ttl: {ttl}\n  value: {{priority: 0, weight: 1, port: {port}, target: front.shop.test.}}\n{}{}", host("front"), host("host"));
        let names = dns::start(&[(ZONE, &zone)], &Key { name: KEY_NAME.into(), secret: KEY_SECRET.into() }).await.unwrap();
        put(&dir.path().join("pool"), &format!("host.shop.test:{}\n", old.addr().port()));
        let front = Balancer::start(listener, dir.path().join("pool"), names.addr).unwrap();
        front.ready().await;
        Self { dir, old, new, front, names }
    }

    fn pool(&self) -> PathBuf {
        self.dir.path().join("pool")
    }

    fn client(&self) -> Client {
        client(self.names.addr)
    }
}

fn client(dns: SocketAddr) -> Client {
    Client::start(Wanted { dns, service: SERVICE.into(), good: vec!["old".into(), "new".into()], every: Duration::from_millis(2) })
}

/// Writes a key as a config directory does: whole or not at all.
fn put(key: &Path, text: &str) {
    let half = key.with_extension("half");
    std::fs::write(&half, text).unwrap();
    std::fs::rename(half, key).unwrap();
}

fn until(client: &Client, what: &str, holds: impl Fn(&Tally) -> bool) {
    assert!(wait_for(LONG, || holds(&client.tally())), "{what}: {:?}", client.tally());
}

fn said(tally: &Tally, what: &str) -> u64 {
    tally.answers.get(what).copied().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_changes_under_requests_drops_none() {
    let small = Small::start(1).await;
    let client = small.client();
    until(&client, "the old release answers", |tally| said(tally, "old") > 50);
    put(&small.pool(), &format!("host.shop.test:{}\n", small.new.addr().port()));
    until(&client, "the new release answers", |tally| said(tally, "new") > 50);
    small.old.stop().await;
    let so_far = said(&client.tally(), "new");
    until(&client, "it goes on without the old", |tally| said(tally, "new") > so_far + 50);
    let tally = client.stop().await;
    assert_eq!(tally.failed, 0, "{:?}", tally.told);
    assert_eq!(tally.all(), said(&tally, "old") + said(&tally, "new"));
    drop(small.front);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_planted_failure_is_counted() {
    let small = Small::start(0).await;
    let client = small.client();
    until(&client, "it answers", |tally| tally.good() > 5);
    assert_eq!(client.tally().failed, 0);
    // A pool that names a host before anybody knows it.
    put(&small.pool(), "nobody.shop.test:1\n");
    until(&client, "502 is a failure", |tally| tally.failed > 5);
    assert!(client.tally().told[0].contains("502 nobody.shop.test has no address"), "{:?}", client.tally().told);
    // An instance that answers something else.
    let stranger = Release::start("who?").await.unwrap();
    put(&small.pool(), &format!("host.shop.test:{}\n", stranger.addr().port()));
    let failed = client.tally().failed;
    let good = client.tally().good();
    until(&client, "an answer of no release is a failure", |tally| tally.failed > failed + 50);
    assert!(client.tally().good() <= good + 1, "only what was on the way was still answered well");
    // Nobody behind the balancer, then no balancer at all.
    stranger.stop().await;
    let failed = client.tally().failed;
    until(&client, "no instance is a failure", |tally| tally.failed > failed + 5);
    small.front.stop().await;
    let failed = client.tally().failed;
    until(&client, "no balancer is a failure", |tally| tally.failed > failed + 5);
    let tally = client.stop().await;
    assert_eq!(tally.good(), said(&tally, "old") + said(&tally, "new"));
    assert!(tally.told.len() <= 5 && tally.failed > 5, "few are told, all are counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_gone_is_a_failure() {
    let small = Small::start(0).await;
    let client = small.client();
    until(&client, "it answers", |tally| tally.good() > 5);
    Hand(small.names.addr).by_hand(ZONE, &format!("update delete {SERVICE} SRV"));
    until(&client, "no record is a failure", |tally| tally.failed > 5);
    let tally = client.stop().await;
    assert!(tally.told[0].contains("there is no SRV record"), "{:?}", tally.told);
    drop(small.front);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_keeps_an_answer_for_its_ttl_and_no_longer() {
    for (ttl, follows) in [(0, true), (3600, false)] {
        let small = Small::start(ttl).await;
        let client = small.client();
        until(&client, "the first front end answers", |tally| said(tally, "old") > 5);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let pool = small.dir.path().join("second");
        put(&pool, &format!("host.shop.test:{}\n", small.new.addr().port()));
        let second = Balancer::start(listener, pool, small.names.addr).unwrap();
        second.ready().await;
        Hand(small.names.addr).by_hand(ZONE, &format!("update delete {SERVICE} SRV\nupdate add {SERVICE} {ttl} SRV 0 1 {port} front.shop.test."));
        let so_far = client.tally().all();
        until(&client, "it goes on", |tally| if follows { said(tally, "new") > 5 } else { tally.all() > so_far + 100 });
        let tally = client.stop().await;
        assert_eq!((said(&tally, "new") > 0, tally.failed), (follows, 0), "TTL {ttl}: {tally:?}");
        drop(small.front);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sample_shop_serves_release_1_and_notices_a_wrong_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::start(dir.path()).await.unwrap();
    assert!(wait_for(LONG, || said(&shop.tally(), sample::RELEASE_1) > 10), "{:?}", shop.tally());
    assert_eq!(shop.tally().failed, 0);
    // The merge request's pool before its records: nobody knows the hosts.
    let proposal = sample::release_2(&shop.ports);
    let (_, pool) = proposal.files.iter().find(|(path, _)| *path == sample::key_file(sample::POOL)).unwrap();
    put(&dir.path().join(sample::POOL), pool);
    assert!(wait_for(LONG, || shop.tally().failed > 0), "{:?}", shop.tally());
    shop.switch_old_off().await;
    let tally = shop.stop().await;
    assert!(tally.told.iter().any(|told| told.contains("has no address")), "{:?}", tally.told);
}
