//! `trueup drift` over 5,000 and 50,000 keys in etcd: time, memory, and how often etcd is asked.
//!
//! `cargo bench --bench drift`. Ten keys are changed by hand. Keys are files of their own, or stand a hundred in a YAML file that is expanded. The
//! program is the one that this bench was built with, or the one that `TRUEUP_BENCH_PROGRAM` names.

#[path = "../real/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "a bench uses a part of what the tests share")]
mod harness;
#[expect(dead_code, unused_imports, reason = "a bench uses a part of what the benches share")]
mod kit;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use harness::EtcdServer;
use kit::{Memory, Series, asked, rounds};
use serde_json::{Value as Json, json};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const SIZES: [usize; 2] = [5_000, 50_000];

/// Keys of one expanded file.
const IN_A_FILE: usize = 100;

/// Keys that a hand changed, spread over all.
const DRIFTED: usize = 10;

fn main() {
    if !asked() {
        return;
    }
    let rounds = rounds(3);
    println!("`trueup drift` with {DRIFTED} keys changed by hand; median of {rounds} interleaved rounds (least–most)");
    println!("{:<22} {:>7} {:>18} {:>10} {:>8}", "layout", "keys", "milliseconds", "peak KiB", "reads");
    let mut cases = Vec::new();
    for keys in SIZES {
        let etcd = EtcdServer::open(&["--quota-backend-bytes", "8000000000"]);
        fill(&etcd, keys);
        for expanded in [false, true] {
            cases.push((keys, expanded, make(&etcd, keys, expanded), Series::default(), (0, 0)));
        }
        for _ in 0..rounds {
            for (_, _, dir, took, told) in cases.iter_mut().filter(|case| case.0 == keys) {
                let before = ranges(&etcd);
                let (time, peak) = drift(dir.path());
                took.push(time);
                *told = (peak, ranges(&etcd) - before);
            }
        }
    }
    for (keys, expanded, _, took, (peak, reads)) in &cases {
        println!("{:<22} {keys:>7} {took:>18} {peak:>10} {reads:>8}", if *expanded { "a hundred in a file" } else { "a file a key" });
    }
}

fn key(n: usize) -> String {
    format!("g{:03}/k{:02}", n / IN_A_FILE, n % IN_A_FILE)
}

fn value(n: usize) -> String {
    format!("value-of-{n}-{}", "x".repeat(40))
}

/// All keys as they are asked for, but those that a hand changed.
fn fill(etcd: &EtcdServer, keys: usize) {
    let all: Vec<usize> = (0..keys).collect();
    for some in all.chunks(100) {
        let put = |n: &usize| {
            let text = if n % (keys / DRIFTED) == 7 { "by hand".to_owned() } else { value(*n) };
            json!({ "requestPut": { "key": STANDARD.encode(format!("/b/{}", key(*n))), "value": STANDARD.encode(text) } })
        };
        etcd.ask("/v3/kv/txn", &json!({ "success": some.iter().map(put).collect::<Vec<Json>>() }));
    }
}

/// A folder with the server's configuration and the repository.
fn make(etcd: &EtcdServer, keys: usize, expanded: bool) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let work = dir.path().join("work");
    for group in 0..keys / IN_A_FILE {
        let in_it = group * IN_A_FILE..(group + 1) * IN_A_FILE;
        let folder = work.join("config").join(format!("g{group:03}"));
        fs::create_dir_all(if expanded { folder.parent().expect("it has one") } else { &folder }).expect("writable");
        if expanded {
            let text: String = in_it.map(|n| format!("k{:02}: {}\n", n % IN_A_FILE, value(n))).collect();
            fs::write(folder.with_extension("yaml"), text).expect("writable");
        } else {
            in_it.for_each(|n| fs::write(folder.join(format!("k{:02}", n % IN_A_FILE)), value(n)).expect("writable"));
        }
    }
    let expand = if expanded { "    expand: [yaml]\n" } else { "" };
    fs::write(work.join("trueup.yaml"), format!("sources:\n  - path: config\n    format: keytree\n    targets: [center]\n    prefix: /b/\n{expand}")).expect("writable");
    let server =
        format!("data: data\nrepositories:\n  - name: r\n    grants: [{{ target: center }}]\ntargets:\n  center: {{ kind: config/etcd, endpoints: [\"http://{}\"] }}\n", etcd.addr);
    fs::write(dir.path().join("server.yaml"), server).expect("writable");
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "-A"],
        &["-c", "gc.auto=0", "-c", "user.name=a", "-c", "user.email=a@example.test", "commit", "-q", "-m", "all"],
        &["gc", "-q"],
    ] {
        assert!(Command::new("git").current_dir(&work).args(args).status().expect("git runs").success(), "{args:?}");
    }
    dir
}

/// Looks once: how long it took, and the most memory it had, in KiB.
fn drift(dir: &Path) -> (Duration, u64) {
    let program = std::env::var("TRUEUP_BENCH_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_trueup").to_owned());
    let began = Instant::now();
    let args = ["drift", "--config", "server.yaml", "--checkout", "work", "--base", "main", "-o", "json"];
    let mut child = Command::new(program).current_dir(dir).args(args).stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut out = child.stdout.take().expect("it is piped");
    let told = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    let mut peak = 0;
    let ended = loop {
        peak = peak.max(Memory::of(&child.id().to_string()).peak);
        if let Some(ended) = child.try_wait().expect("it is a child") {
            break ended;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    };
    let took = began.elapsed();
    let text = told.join().expect("the reader ends").expect("it is text");
    let told: Json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("no JSON ({error}), {ended}: {text}"));
    assert_eq!(told["summary"]["drifted"], DRIFTED, "{ended}: {}", told["summary"]);
    (took, peak)
}

/// How many calls etcd has answered, ranges and transactions.
fn ranges(etcd: &EtcdServer) -> u64 {
    let mut stream = TcpStream::connect(etcd.addr).expect("etcd listens");
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: e\r\n\r\n").expect("it is sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it is text");
    let counted = text.lines().filter(|line| line.starts_with("grpc_server_handled_total") && line.contains("etcdserverpb.KV") && line.contains("grpc_code=\"OK\""));
    counted.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
}
