//! 10,000 record changes to BIND, observe to proof, beside nsupdate fed the same changes with the same prerequisites.
//!
//! `cargo bench --bench dns`. Ratios of one run on one machine; nothing is asserted about time. nsupdate gets batches of several
//! sizes and its best counts, with a transfer by dig before and after, as a careful operator would do it.

#[path = "../real/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "a bench uses a part of what the tests share")]
mod harness;

use harness::{DnsServer, KEY_ALGORITHM, KEY_NAME, KEY_SECRET};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use trueup::{
    core::{
        model::{Kind as _, Reading, ResourceId, SecretRef, Value, Want},
        plan::{Act, Undo, Write},
        run::Item,
    },
    drivers::dns::rfc2136::{Config, Rfc2136, Timeouts, Tsig},
    kinds::dns::DNS,
    ports::{Cancel, Cx, Driver, Fut, SecretError, SecretText, Secrets},
};

const RECORDS: usize = 10_000;

/// The batch sizes tried for nsupdate: from what octoDNS sends to what just fits one message with prerequisites.
const BATCHES: [usize; 3] = [500, 800, 1000];

/// One kind of change, from one version of all records to another.
#[derive(Clone, Copy)]
struct Change {
    name: &'static str,
    from: Option<u8>,
    to: Option<u8>,
}

const CHANGES: [Change; 3] =
    [Change { name: "create", from: None, to: Some(1) }, Change { name: "update", from: Some(1), to: Some(2) }, Change { name: "delete", from: Some(2), to: None }];

fn main() {
    // `cargo test --benches` builds and starts every bench; only `cargo bench` passes this.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let server = DnsServer::bind();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be made");
    println!("{RECORDS} changes to BIND, observe to proof (milliseconds)");
    println!("{:<8} {:>9} {:>9} {:>9} {:>9} {:>7} {:>22}", "change", "observe", "act", "proof", "trueup", "UPDATEs", "nsupdate (best batch)");
    let (ours, theirs) = (server.fresh_zone(""), BATCHES.map(|batch| (batch, server.fresh_zone(""))));
    let driver = Rfc2136::new(config(server)).expect("the configuration is good");
    let (mut sum, mut best_sum) = (Duration::ZERO, Duration::ZERO);
    for change in CHANGES {
        let before = driver.counts().updates;
        let [observe, act, proof] = runtime.block_on(ours_by(&driver, &ours, change));
        let total = observe + act + proof;
        let times = theirs.each_ref().map(|(batch, zone)| (theirs_by(server, zone, change, *batch), *batch));
        let (best, batch) = times.into_iter().min().expect("there are batches");
        let ms = |time: Duration| time.as_millis();
        let sent = driver.counts().updates - before;
        println!("{:<8} {:>9} {:>9} {:>9} {:>9} {:>7} {:>14} ({batch})", change.name, ms(observe), ms(act), ms(proof), ms(total), sent, ms(best));
        sum += total;
        best_sum += best;
    }
    println!("all: trueup {} ms, nsupdate {} ms, ratio {:.2}", sum.as_millis(), best_sum.as_millis(), sum.as_secs_f64() / best_sum.as_secs_f64());
    let before = driver.counts().updates;
    runtime.block_on(ours_by(&driver, &ours, Change { name: "again", from: None, to: None }));
    println!("a second run sends {} UPDATEs", driver.counts().updates - before);
}

fn config(server: &DnsServer) -> Config {
    let tsig = Tsig { name: KEY_NAME.into(), algorithm: KEY_ALGORITHM.into(), secret: SecretText::new(KEY_SECRET) };
    Config { target: "dns".into(), address: server.addr.to_string(), nameservers: Vec::new(), tsig: Some(tsig), timeouts: Timeouts::default() }
}

fn address(n: usize, version: u8) -> String {
    format!("10.{}.{}.{version}", n / 250, n % 250)
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve<'a>(&'a self, reference: &'a SecretRef) -> Fut<'a, Result<SecretText, SecretError>> {
        Box::pin(async move { Err(SecretError { uri: reference.uri.to_string(), what: "a bench has no secrets".into() }) })
    }
}

/// Observe, act in steps of the kind's own limits, observe again: what a run does without its journal.
async fn ours_by(driver: &Rfc2136, zone: &str, change: Change) -> [Duration; 3] {
    let cx = Cx { fence: None, deadline: Instant::now() + Duration::from_secs(300), cancel: Cancel::default(), secrets: &NoSecrets };
    let value = |n, version| Value::map([("ttl", Value::Int(300)), ("values", Value::List(vec![Value::str(address(n, version))]))]);
    let want = |n| Want { id: ResourceId::new("dns", "rrset", format!("{zone}/host-{n}/A")), base: None, merged: change.to.map(|version| value(n, version)), ours: None };
    let wants: Vec<Want> = (0..RECORDS).map(want).collect();
    let started = Instant::now();
    let writes = missing(driver, &cx, &wants).await;
    let observed = Instant::now();
    for step in writes.chunks(DNS.limits().ops) {
        let outcome = driver.act(&cx, &Act::Write(step.to_vec()), &BTreeSet::new(), &[]).await;
        assert!(outcome.items.iter().all(|item| *item == Item::Done), "{:?}", outcome.report);
    }
    let acted = Instant::now();
    assert!(missing(driver, &cx, &wants).await.is_empty(), "the zone is as asked");
    [observed - started, acted - observed, acted.elapsed()]
}

async fn missing(driver: &Rfc2136, cx: &Cx<'_>, wants: &[Want]) -> Vec<Write> {
    let seen = driver.observe(cx, wants, &[]).await.expect("BIND can be read");
    let write = |observed: trueup::core::model::Observed| match observed.reading {
        Reading::Seen { live, merged: Ok(to), .. } if live != to => Some(Write { id: observed.id, undo: Undo::To(live.clone()), from: live, to }),
        Reading::Seen { .. } | Reading::Opaque { .. } | Reading::Later { .. } => None,
    };
    seen.into_iter().filter_map(write).collect()
}

/// dig, nsupdate, dig. The script is made before the clock starts.
fn theirs_by(server: &DnsServer, zone: &str, change: Change, batch: usize) -> Duration {
    let mut script = String::new();
    for n in 0..RECORDS {
        let name = format!("host-{n}.{zone}");
        match change.from {
            None => script.push_str(&format!("prereq nxrrset {name} A\nprereq nxrrset {name} CNAME\n")),
            Some(version) => script.push_str(&format!("prereq yxrrset {name} A {}\nupdate delete {name} A\n", address(n, version))),
        }
        if let Some(version) = change.to {
            script.push_str(&format!("update add {name} 300 A {}\n", address(n, version)));
        }
        if (n + 1) % batch == 0 && n + 1 < RECORDS {
            script.push_str("send\n");
        }
    }
    let started = Instant::now();
    server.records(zone);
    server.by_hand(zone, &script);
    let after = server.records(zone);
    let took = started.elapsed();
    assert_eq!(after.len(), if change.to.is_some() { RECORDS + 2 } else { 2 }, "nsupdate did all of it");
    took
}
