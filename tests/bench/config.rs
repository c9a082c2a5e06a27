//! 50,000 keys into etcd and into Consul, beside a bare client that sends the same transactions at the same depth.
//!
//! `cargo bench --bench config`. Ours is what a run does: the driver's acts, four under way, each with the tokens of the observation before it.
//! The bare client posts the same transactions, made beforehand, and looks only at whether they were taken. Acts are made as they are sent, so that what
//! memory grows by is the driver's.
//!
//! Then plans of merge requests that change ten keys to what they are already, in repositories of 1,000 and of 50,000 keys over the etcd that holds them:
//! how long each takes, and how many bytes etcd sends for it.

#[path = "../real/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "a bench uses a part of what the tests share")]
mod harness;
#[expect(dead_code, unused_imports, reason = "a bench uses a part of what the benches share")]
mod kit;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::StreamExt as _;
use harness::{ConsulServer, EtcdServer};
use kit::{Importer, Memory, NoSecrets, Planner, Series, asked, ratio, rounds};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use trueup::{
    core::{
        model::{Reading, Token, Value, Want},
        plan::{Act, Undo, Write},
        run::{Item, PlanResult},
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

/// Keys that a merge request of the plans touches.
const TOUCHED: usize = 10;

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
    let (plans, driver): (_, Arc<dyn Driver>) = (rounds.max(5), Arc::new(driver));
    let planned: Vec<String> = [1_000, KEYS].map(|keys| no_op(&runtime, &driver, server.addr, keys, plans)).into();
    drop((server, driver));
    let server = ConsulServer::open();
    let limits = consul::Limits::default();
    let endpoints = vec![format!("http://{}", server.addr)];
    let config = consul::Config { target: "t".into(), endpoints, token: None, datacenter: None, tls: None, limits, answer: Duration::from_secs(30) };
    let driver = Consul::new(config).expect("the configuration is good");
    runtime.block_on(bench("Consul", &driver, 64, server.addr, rounds, consul_body, &|| driver.transactions()));
    println!("\nplans that change {TOUCHED} keys to what they are already, over etcd; milliseconds, median (least–most) of {plans}");
    println!("{:>7} {:>10} {:>18} {:>24}", "keys", "first", "plan", "bytes etcd sends a plan");
    planned.iter().for_each(|line| println!("{line}"));
}

/// Plans over a repository of so many keys, all live; each plan is of keys that no plan before it touched.
fn no_op(runtime: &tokio::runtime::Runtime, driver: &Arc<dyn Driver>, addr: SocketAddr, keys: usize, plans: usize) -> String {
    let side = format!("noop-{keys}");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
    for step in (0..keys).collect::<Vec<_>>().chunks(128) {
        let (path, body) = etcd_body(&side, 0, step);
        assert!(runtime.block_on(bare(&client, addr, path, body)), "the keys are new");
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("state.git");
    let file = |n: usize| key(&side, 0, n).replacen(&format!("bench/{side}/0/"), "keys/", 1);
    let touched = |plan: usize| plan * TOUCHED..(plan + 1) * TOUCHED;
    let mut import = Importer::new(&path);
    let root = format!("sources:\n  - path: keys\n    format: keytree\n    targets: [t]\n    prefix: bench/{side}/0/\n");
    let before = |n: usize| if n < touched(plans).end { format!("before {n}") } else { content(n) };
    import.commit("main", None, &(0..keys).map(|n| (file(n), before(n))).chain([("trueup.yaml".to_owned(), root)]).collect::<BTreeMap<_, _>>());
    (0..=plans).for_each(|plan| import.commit(&format!("plan-{plan}"), Some("main"), &touched(plan).map(|n| (file(n), content(n))).collect::<BTreeMap<_, _>>()));
    import.done();
    let planner = Planner::over(&path, driver.clone());
    let sent = || runtime.block_on(bytes_sent(&client, addr));
    let (mut first, mut took, mut bytes) = (Series::default(), Series::default(), Vec::new());
    for plan in 0..=plans {
        let (base, head, before) = (planner.commit("main"), planner.commit(&format!("plan-{plan}")), sent());
        let series = if plan == 0 { &mut first } else { &mut took };
        let (_, made) = series.time(|| planner.plan(&base, &head));
        bytes.push(sent() - before);
        let PlanResult::Plan { plan, .. } = made else { panic!("it is a plan: {made:?}") };
        assert_eq!((plan.deltas.len(), plan.steps.values().flat_map(|step| step.writes()).count()), (TOUCHED, 0), "everything is as it is asked for");
    }
    bytes.sort_unstable();
    format!("{keys:>7} {:>10.0} {took:>18} {:>24}", first.median().as_secs_f64() * 1000.0, bytes[bytes.len() / 2])
}

/// What etcd has sent to clients since it started.
async fn bytes_sent(client: &reqwest::Client, addr: SocketAddr) -> u64 {
    let text = client.get(format!("http://{addr}/metrics")).send().await.expect("it answers").text().await.expect("it is text");
    let line = text.lines().find_map(|line| line.strip_prefix("etcd_network_client_grpc_sent_bytes_total ")).expect("etcd counts it");
    line.trim().parse::<f64>().expect("it is a number") as u64
}

fn key(side: &str, round: usize, n: usize) -> String {
    format!("bench/{side}/{round}/service-{}/key-{n}", n / 100)
}

fn content(n: usize) -> String {
    format!("the value of the key number {n}, as long as values in configuration often are")
}

fn cx() -> Cx<'static> {
    Cx { fence: None, deadline: Instant::now() + Duration::from_secs(300), cancel: Cancel::default(), together: false, sensitive: &[], secrets: &NoSecrets }
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
