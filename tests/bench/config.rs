//! 50,000 keys into etcd and into Consul, beside a bare client that sends the same transactions at the same depth.
//!
//! `cargo bench --bench config`. Ours is what a run does: the driver's acts, four under way, each with the tokens of the observation before it.
//! The bare client posts the same transactions, made beforehand, and looks only at whether they were taken. Acts are made as they are sent, so that what
//! memory grows by is the driver's.

#[path = "../real/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "a bench uses a part of what the tests share")]
mod harness;
#[expect(dead_code, unused_imports, reason = "a bench uses a part of what the benches share")]
mod kit;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::StreamExt as _;
use harness::{ConsulServer, EtcdServer};
use kit::{Memory, NoSecrets, Series, asked, ratio, rounds};
use serde_json::{Value as Json, json};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    time::{Duration, Instant},
};
use trueup::{
    core::{
        model::{Reading, Token, Value, Want},
        plan::{Act, Undo, Write},
        run::Item,
    },
    drivers::config::{
        consul::{self, Consul},
        etcd::{self, Etcd},
    },
    kinds::config::key_id,
    ports::{Cancel, Cx, Driver},
};

const KEYS: usize = 50_000;

/// Steps under way at once on one target, as servers are configured by default.
const IN_FLIGHT: usize = 4;

/// Keys of one observation: what the proofs of steps that end together ask for.
const LOOK: usize = 1_000;

fn main() {
    if !asked() {
        return;
    }
    let rounds = rounds(3);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be made");
    println!("{KEYS} keys made, {IN_FLIGHT} transactions under way; milliseconds, median (least–most) of {rounds} interleaved rounds");
    println!("{:<8} {:>5} {:>18} {:>18} {:>6} {:>18} {:>12}", "target", "txns", "trueup, acting", "bare client", "ratio", "trueup, proving", "memory, KiB");
    let server = EtcdServer::open(&["--quota-backend-bytes", "8000000000"]);
    let limits = etcd::Limits::default();
    let config = etcd::Config { target: "t".into(), endpoints: vec![format!("http://{}", server.addr)], user: None, tls: None, limits, answer: Duration::from_secs(30) };
    let driver = Etcd::new(config).expect("the configuration is good");
    runtime.block_on(bench("etcd", &driver, 128, server.addr, rounds, etcd_body, &|| driver.transactions()));
    drop(server);
    let server = ConsulServer::open();
    let limits = consul::Limits::default();
    let endpoints = vec![format!("http://{}", server.addr)];
    let config = consul::Config { target: "t".into(), endpoints, token: None, datacenter: None, tls: None, limits, answer: Duration::from_secs(30) };
    let driver = Consul::new(config).expect("the configuration is good");
    runtime.block_on(bench("Consul", &driver, 64, server.addr, rounds, consul_body, &|| driver.transactions()));
}

fn key(side: &str, round: usize, n: usize) -> String {
    format!("bench/{side}/{round}/service-{}/key-{n}", n / 100)
}

fn content(n: usize) -> String {
    format!("the value of the key number {n}, as long as values in configuration often are")
}

fn cx() -> Cx<'static> {
    Cx { fence: None, deadline: Instant::now() + Duration::from_secs(300), cancel: Cancel::default(), together: false, secrets: &NoSecrets }
}

async fn bench(name: &str, driver: &dyn Driver, step: usize, addr: SocketAddr, rounds: usize, body: fn(&str, usize, &[usize]) -> (&'static str, String), sent: &dyn Fn() -> u64) {
    let (mut ours, mut theirs, mut proofs, mut grown) = (Series::default(), Series::default(), Series::default(), 0);
    let all: Vec<usize> = (0..KEYS).collect();
    let steps: Vec<&[usize]> = all.chunks(step).collect();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
    let before_all = sent();
    for round in 0..rounds {
        let before = Memory::own();
        let started = Instant::now();
        let outcomes = futures::stream::iter(&steps).map(|step| act(driver, round, step)).buffered(IN_FLIGHT);
        outcomes.for_each(async |good| assert!(good, "a step was not done")).await;
        ours.push(started.elapsed());
        grown = grown.max(Memory::own().resident.saturating_sub(before.resident));
        let started = Instant::now();
        for look in all.chunks(LOOK) {
            prove(driver, round, look).await;
        }
        proofs.push(started.elapsed());
        let bodies: Vec<(&str, String)> = steps.iter().map(|step| body("bare", round, step)).collect();
        let started = Instant::now();
        let answers = futures::stream::iter(bodies).map(|(path, body)| bare(&client, addr, path, body)).buffered(IN_FLIGHT);
        answers.for_each(async |good| assert!(good, "the bare client was refused")).await;
        theirs.push(started.elapsed());
    }
    let transactions = (sent() - before_all) / rounds as u64;
    println!("{name:<8} {transactions:>5} {ours:>18} {theirs:>18} {:>6.2} {proofs:>18} {grown:>12}", ratio(&ours, &theirs));
}

async fn act(driver: &dyn Driver, round: usize, step: &[usize]) -> bool {
    let write = |n: &usize| Write { id: key_id("t", &key("ours", round, *n)), from: None, to: Some(Value::str(content(*n))), undo: Undo::To(None) };
    let tokens: Vec<Token> = step.iter().map(|_| Token(Some("0:none".into()))).collect();
    let outcome = driver.act(&cx(), &Act::Write(step.iter().map(write).collect()), &BTreeSet::new(), &tokens).await;
    outcome.items.iter().all(|item| *item == Item::Done)
}

async fn prove(driver: &dyn Driver, round: usize, look: &[usize]) {
    let want = |n: &usize| Want { id: key_id("t", &key("ours", round, *n)), base: None, merged: Some(Value::str(content(*n))), ours: None };
    let wants: Vec<Want> = look.iter().map(want).collect();
    let seen = driver.observe(&cx(), &wants, &[]).await.expect("it can be read");
    assert!(seen.iter().all(|one| matches!(&one.reading, Reading::Seen { live, merged: Ok(to), .. } if live == to)), "what was written is there");
}

async fn bare(client: &reqwest::Client, addr: SocketAddr, path: &str, body: String) -> bool {
    let url = format!("http://{addr}{path}");
    let request = if path == "/v1/txn" { client.put(url) } else { client.post(url) };
    let answer = request.header("content-type", "application/json").body(body).send().await.expect("the server answers");
    let taken = answer.status().is_success();
    let answer: Json = serde_json::from_slice(&answer.bytes().await.expect("the answer has an end")).expect("it is JSON");
    taken && (path == "/v1/txn" || answer["succeeded"] == true)
}

fn etcd_body(side: &str, round: usize, step: &[usize]) -> (&'static str, String) {
    let key = |n: &usize| STANDARD.encode(key(side, round, *n));
    let compare: Vec<Json> = step.iter().map(|n| json!({ "key": key(n), "target": "MOD", "result": "EQUAL", "mod_revision": "0" })).collect();
    let success: Vec<Json> = step.iter().map(|n| json!({ "request_put": { "key": key(n), "value": STANDARD.encode(content(*n)) } })).collect();
    let failure: Vec<Json> = step.iter().map(|n| json!({ "request_range": { "key": key(n) } })).collect();
    ("/v3/kv/txn", json!({ "compare": compare, "success": success, "failure": failure }).to_string())
}

fn consul_body(side: &str, round: usize, step: &[usize]) -> (&'static str, String) {
    let one = |n: &usize| json!({ "KV": { "Verb": "cas", "Key": key(side, round, *n), "Value": STANDARD.encode(content(*n)), "Index": 0, "Flags": 0 } });
    ("/v1/txn", Json::Array(step.iter().map(one).collect()).to_string())
}
