//! 10,000 record changes to BIND, observe to proof, beside nsupdate fed the same changes with the same prerequisites, and beside octoDNS.
//!
//! `cargo bench --bench dns`. nsupdate gets batches of several sizes and its best counts, with a transfer by dig before and after, as a
//! careful operator would do it. octoDNS runs from `bench-venv` beside the tests' caches; without it the bench says how to make it.

#[path = "../real/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "a bench uses a part of what the tests share")]
mod harness;
#[expect(dead_code, unused_imports, reason = "a bench uses a part of what the benches share")]
mod kit;

use futures::StreamExt as _;
use harness::{DnsServer, KEY_ALGORITHM, KEY_NAME, KEY_SECRET};
use kit::{House, NoSecrets, ROOT, Series, Whole, asked, ratio, rounds};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use trueup::{
    core::{
        model::{Observed, Reading, ResourceId, Value, Want},
        plan::{Act, Undo, Write},
        run::Item,
    },
    drivers::dns::rfc2136::{Config, Rfc2136, Timeouts, Tsig},
    ports::{Cancel, Cx, Driver, SecretText},
};

const RECORDS: usize = 10_000;

/// The batch sizes tried for nsupdate: from what octoDNS sends to what just fits one message with prerequisites.
const BATCHES: [usize; 3] = [500, 800, 1000];

/// Writes of a step as plans cut these changes, where a write has one side, and where it has two.
const STEP: usize = 940;
const STEP_UPDATES: usize = 615;

/// Steps under way at once on one target, as servers are configured by default.
const IN_FLIGHT: usize = 4;

/// One kind of change, from one version of all records to another.
#[derive(Clone, Copy)]
struct Change {
    name: &'static str,
    from: Option<u8>,
    to: Option<u8>,
}

const CHANGES: [Change; 3] =
    [Change { name: "create", from: None, to: Some(1) }, Change { name: "update", from: Some(1), to: Some(2) }, Change { name: "delete", from: Some(2), to: None }];

/// What the rounds of one kind of change took.
#[derive(Default)]
struct Row {
    parts: [Series; 3],
    ours: Series,
    theirs: [Series; BATCHES.len()],
    updates: u64,
}

fn main() {
    if !asked() {
        return;
    }
    let rounds = rounds(5);
    let server = DnsServer::bind();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be made");
    let driver = Rfc2136::new(config(server)).expect("the configuration is good");
    let mut rows: [Row; CHANGES.len()] = Default::default();
    for _ in 0..rounds {
        let (ours, theirs) = (server.fresh_zone(""), BATCHES.map(|_| server.fresh_zone("")));
        for (change, row) in CHANGES.iter().zip(&mut rows) {
            let before = driver.counts().updates;
            let parts = runtime.block_on(ours_by(&driver, &ours, *change));
            row.updates = driver.counts().updates - before;
            row.ours.push(parts.iter().sum());
            row.parts.iter_mut().zip(parts).for_each(|(series, part)| series.push(part));
            for ((batch, zone), series) in BATCHES.iter().zip(&theirs).zip(&mut row.theirs) {
                series.push(theirs_by(server, zone, *change, *batch));
            }
        }
    }
    println!("{RECORDS} changes to BIND, observe to proof; milliseconds, median (least–most) of {rounds} interleaved rounds");
    println!("{:<7} {:>16} {:>17} {:>16} {:>17} {:>7} {:>17} {:>6} {:>6}", "change", "observe", "act", "proof", "trueup", "UPDATEs", "nsupdate", "batch", "ratio");
    let (mut sum, mut best_sum) = (Duration::ZERO, Duration::ZERO);
    for (change, row) in CHANGES.iter().zip(&rows) {
        let (best, batch) = row.theirs.iter().zip(BATCHES).min_by_key(|(series, _)| series.median()).expect("there are batches");
        let [observe, act, proof] = &row.parts;
        let each = ratio(&row.ours, best);
        println!("{:<7} {observe:>16} {act:>17} {proof:>16} {:>17} {:>7} {best:>17} {batch:>6} {each:>6.2}", change.name, row.ours, row.updates);
        sum += row.ours.median();
        best_sum += best.median();
    }
    println!("all: trueup {} ms, nsupdate {} ms, ratio {:.2}", sum.as_millis(), best_sum.as_millis(), sum.as_secs_f64() / best_sum.as_secs_f64());
    let (zone, before) = (server.fresh_zone(""), driver.counts().updates);
    runtime.block_on(ours_by(&driver, &zone, CHANGES[0]));
    let first = driver.counts().updates - before;
    let again = runtime.block_on(ours_by(&driver, &zone, CHANGES[0]));
    let second = driver.counts().updates - before - first;
    println!("the same asked for once more: {second} UPDATEs after {first}, in {} ms", again.iter().sum::<Duration>().as_millis());
    whole(server);
    octodns(server, sum);
}

/// The same changes as a merge request through the service: every step proven by itself, then the window, then the merge.
fn whole(server: &DnsServer) {
    let zone = server.fresh_zone("");
    let driver = Arc::new(Rfc2136::new(config(server)).expect("the configuration is good"));
    let file = |change: Change| BTreeMap::from([(format!("dns/{zone}yaml"), octodns_zone(&zone, change))]);
    let house = House::new(driver.clone(), |import| {
        let mut first = file(Change { name: "", from: None, to: None });
        first.insert("trueup.yaml".into(), ROOT.into());
        import.commit("main", None, &first);
        // Each on top of the one before, as pushes after its merge would be.
        let mut on = "main";
        for change in CHANGES {
            import.commit(change.name, Some(on), &file(change));
            on = change.name;
        }
    });
    println!("as merge requests, from the approval to the last proof (and to the merge), journal in memory:");
    for change in CHANGES {
        let before = driver.counts();
        let Whole { planned, rolled, merged, journal: _ } = house.change(change.name);
        let (updates, transfers) = (driver.counts().updates - before.updates, driver.counts().transfers - before.transfers);
        let [planned, rolled, merged] = [planned, rolled, merged].map(|time| time.as_millis());
        println!("{:<7} planned {planned} ms, rolled {rolled} ms, merged {merged} ms, {updates} UPDATEs, {transfers} transfers", change.name);
    }
}

fn config(server: &DnsServer) -> Config {
    let tsig = Tsig { name: KEY_NAME.into(), algorithm: KEY_ALGORITHM.into(), secret: SecretText::new(KEY_SECRET) };
    Config { target: "dns".into(), address: server.addr.to_string(), nameservers: Vec::new(), tsig: Some(tsig), timeouts: Timeouts::default() }
}

fn address(n: usize, version: u8) -> String {
    format!("10.{}.{}.{version}", n / 250, n % 250)
}

/// Observe, act in steps as a plan cuts them, observe again: what a run does without its journal.
async fn ours_by(driver: &Rfc2136, zone: &str, change: Change) -> [Duration; 3] {
    let cx = Cx { fence: None, deadline: Instant::now() + Duration::from_secs(300), cancel: Cancel::default(), together: false, sensitive: &[], secrets: &NoSecrets };
    let value = |n, version| Value::map([("ttl", Value::Int(300)), ("values", Value::List(vec![Value::str(address(n, version))]))]);
    let want = |n| Want {
        id: ResourceId::new("dns", "rrset", format!("{zone}/host-{n}/A")),
        base: change.from.map(|version| value(n, version)),
        merged: change.to.map(|version| value(n, version)),
        ours: None,
    };
    let wants: Vec<Want> = (0..RECORDS).map(want).collect();
    let started = Instant::now();
    let writes = missing(driver, &cx, &wants).await;
    let observed = Instant::now();
    let step = if change.from.is_some() && change.to.is_some() { STEP_UPDATES } else { STEP };
    let acts: Vec<Act> = writes.chunks(step).map(|step| Act::Write(step.to_vec())).collect();
    let (skip, cx_of_acts) = (BTreeSet::new(), &cx);
    let outcomes = futures::stream::iter(&acts).map(|act| driver.act(cx_of_acts, act, &skip, &[])).buffered(IN_FLIGHT).collect::<Vec<_>>().await;
    for outcome in outcomes {
        assert!(outcome.items.iter().all(|item| *item == Item::Done), "{:?}", outcome.report);
    }
    let acted = Instant::now();
    assert!(missing(driver, &cx, &wants).await.is_empty(), "the zone is as asked");
    [observed - started, acted - observed, acted.elapsed()]
}

async fn missing(driver: &Rfc2136, cx: &Cx<'_>, wants: &[Want]) -> Vec<Write> {
    let seen = driver.observe(cx, wants, &[]).await.expect("BIND can be read");
    let write = |observed: Observed| match observed.reading {
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

/// octoDNS doing the same three changes once, as its users run it: one process each, from YAML, with its own safety limits off.
fn octodns(server: &DnsServer, ours: Duration) {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let venv = cache.map(|cache| cache.join("trueup/bench-venv")).unwrap_or_default();
    let sync = venv.join("bin/octodns-sync");
    if !sync.exists() {
        let at = venv.display();
        println!("octoDNS is not there: python3 -m venv {at} && {at}/bin/python -m pip install octodns==1.22.0 dnspython==2.9.2 octodns-bind");
        return;
    }
    let zone = server.fresh_zone("");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut sum = Duration::ZERO;
    let mut told = Vec::new();
    for change in CHANGES {
        write_octodns(server, dir.path(), &zone, change);
        let started = Instant::now();
        let out = Command::new(&sync).args(["--doit", "--force", "--quiet", "--config-file"]).arg(dir.path().join("config.yaml")).output().expect("octodns-sync runs");
        let took = started.elapsed();
        assert!(out.status.success(), "octoDNS failed:\n{}", String::from_utf8_lossy(&out.stderr));
        let after = server.records(&zone).len();
        assert_eq!(after, if change.to.is_some() { RECORDS + 2 } else { 2 }, "octoDNS did all of it");
        sum += took;
        told.push(format!("{} {} ms", change.name, took.as_millis()));
    }
    println!("octoDNS, once: {}; all {} ms, {:.1} times ours", told.join(", "), sum.as_millis(), sum.as_secs_f64() / ours.as_secs_f64());
}

fn write_octodns(server: &DnsServer, dir: &Path, zone: &str, change: Change) {
    let config = format!(
        "providers:\n  config:\n    class: octodns.provider.yaml.YamlProvider\n    directory: {at}\n    enforce_order: false\n  bind:\n    class: octodns_bind.Rfc2136Provider\n    host: 127.0.0.1\n    \
         port: {port}\n    key_name: {KEY_NAME}\n    key_secret: {KEY_SECRET}\n    key_algorithm: {KEY_ALGORITHM}\nzones:\n  {zone}:\n    sources: [config]\n    targets: [bind]\n",
        at = dir.display(),
        port = server.addr.port(),
    );
    std::fs::write(dir.join("config.yaml"), config).expect("the folder is writable");
    std::fs::write(dir.join(format!("{zone}yaml")), octodns_zone(zone, change)).expect("the folder is writable");
}

/// The zone's file after a change.
fn octodns_zone(zone: &str, change: Change) -> String {
    let mut text = format!("'':\n  type: NS\n  ttl: 3600\n  value: ns1.{zone}\nns1:\n  type: A\n  ttl: 3600\n  value: 192.0.2.53\n");
    if let Some(version) = change.to {
        (0..RECORDS).for_each(|n| text.push_str(&format!("host-{n}:\n  type: A\n  ttl: 300\n  value: {}\n", address(n, version))));
    }
    text
}
