//! 200 open changes on three replicas over one etcd, beside one replica: changes finished per minute, and how long a take-over lasts.
//!
//! `cargo bench --bench replicas`. The real program, a folder as the target (a write there costs nothing), the shortest window. All on one
//! machine: what three replicas gain is what one leaves idle, what they cost is what they say to each other.

#[expect(dead_code, unused_imports, reason = "a bench uses a part of what the benches share")]
mod kit;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kit::{Importer, asked, rounds};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::{runtime::Runtime, time::interval};

/// Open changes at a time.
const CHANGES: usize = 200;

/// A run that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(1800);

/// Seconds of silence after which a replica's changes are taken over.
const LEASE: u64 = 5;

fn main() {
    if !asked() {
        return;
    }
    let changes = std::env::var("TRUEUP_BENCH_CHANGES").ok().and_then(|text| text.parse().ok()).unwrap_or(CHANGES);
    let rounds = rounds(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be made");
    println!("{changes} open changes, all approved at once; {rounds} interleaved rounds");
    println!("{:<10} {:>12} {:>16} {:>14}", "replicas", "seconds", "changes a minute", "take-over s");
    for _ in 0..rounds {
        for count in [1, 3] {
            let house = House::start(&runtime, count, changes);
            let took = runtime.block_on(house.finish_all(changes));
            let rate = changes as f64 * 60.0 / took.as_secs_f64();
            let taken = if count > 1 { format!("{:.1}", house.take_over(&runtime, changes).as_secs_f64()) } else { "-".into() };
            println!("{count:<10} {:>12.1} {rate:>16.0} {taken:>14}", took.as_secs_f64());
        }
    }
    println!("take-over: from kill -9 of a change's owner until another has its lease; the lease is {LEASE} s");
}

/// Replicas over an etcd of their own.
struct House {
    replicas: Vec<(Child, String)>,
    etcd: (Child, String),
    http: reqwest::Client,
    _dir: tempfile::TempDir,
}

impl Drop for House {
    fn drop(&mut self) {
        for child in self.replicas.iter_mut().map(|(child, _)| child).chain([&mut self.etcd.0]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn etcd_program() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let built = cache.map(|cache| cache.join("trueup/servers/etcd-3.6.8/etcd"));
    std::env::var_os("TRUEUP_ETCD").map(PathBuf::from).or(built).filter(|path| path.is_file()).expect("run tests/run once, which builds etcd, or name one with TRUEUP_ETCD")
}

/// A port that was free a moment ago.
fn port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("loopback has free ports").port()
}

impl House {
    fn start(runtime: &Runtime, count: usize, changes: usize) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        repository(&dir.path().join("infra.git"), changes);
        fs::create_dir_all(dir.path().join("live")).expect("the folder is writable");
        for person in ["ana", "ben"] {
            fs::write(dir.path().join(person), format!("{person}-token\n")).expect("the folder is writable");
        }
        let (client, peer) = (port(), port());
        let (url, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
        let etcd = Command::new(etcd_program())
            .current_dir(dir.path())
            .args(["--name", "n1", "--data-dir", "etcd", "--log-level", "error", "--initial-cluster", &format!("n1={peer}")])
            .args(["--listen-client-urls", &url, "--advertise-client-urls", &url, "--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd starts");
        let http = reqwest::Client::new();
        runtime.block_on(async {
            let (began, mut beat) = (Instant::now(), interval(Duration::from_millis(50)));
            while !http.get(format!("{url}/health")).send().await.is_ok_and(|answer| answer.status().is_success()) {
                assert!(began.elapsed() < Duration::from_secs(60), "etcd does not answer");
                beat.tick().await;
            }
        });
        let replicas = (0..count).map(|at| serve(dir.path(), at, &url)).collect();
        Self { replicas, etcd: (etcd, url), http, _dir: dir }
    }

    async fn ask(&self, at: usize, person: &str, path: &str, body: Option<Value>) -> Option<Value> {
        let url = format!("http://{}/api/v1/{path}", self.replicas[at % self.replicas.len()].1);
        let request = match &body {
            Some(body) => self.http.post(url).json(body),
            None => self.http.get(url),
        };
        let answer = request.bearer_auth(format!("{person}-token")).send().await.ok()?;
        if answer.status().is_success() { answer.json().await.ok() } else { None }
    }

    async fn phases(&self, wanted: &[&str]) -> usize {
        let listed = self.ask(0, "ana", "repos/infra/mrs", None).await.unwrap_or_default();
        listed["changes"].as_array().map(Vec::as_slice).unwrap_or_default().iter().filter(|card| card["phase"].as_str().is_some_and(|phase| wanted.contains(&phase))).count()
    }

    async fn until(&self, what: &str, least: usize, wanted: &[&str]) {
        let (began, mut beat) = (Instant::now(), interval(Duration::from_millis(250)));
        while self.phases(wanted).await < least {
            assert!(began.elapsed() < PATIENCE, "{what}: it never came to {least}");
            beat.tick().await;
        }
    }

    /// Opens all, waits for their plans, approves all, and says how long it took from there until all are merged.
    async fn finish_all(&self, changes: usize) -> Duration {
        for n in 0..changes {
            self.ask(n, "ana", "repos/infra/mrs", Some(json!({ "source": format!("change-{n}"), "title": format!("change {n}") }))).await.expect("it opens");
        }
        self.until("planning", changes, &["awaiting_approval"]).await;
        let began = Instant::now();
        let approve = |n: usize| async move {
            let mut beat = interval(Duration::from_millis(100));
            while self.ask(n, "ben", &format!("repos/infra/mrs/{n}/approve"), Some(json!({}))).await.is_none() {
                assert!(began.elapsed() < PATIENCE, "it cannot be approved");
                beat.tick().await;
            }
        };
        futures::future::join_all((1..=changes).map(approve)).await;
        self.until("merging", changes, &["merged"]).await;
        began.elapsed()
    }

    /// Kills the owner of an open change; how long until another has its lease.
    fn take_over(&self, runtime: &Runtime, changes: usize) -> Duration {
        let number = changes + 1;
        runtime.block_on(async {
            self.ask(0, "ana", "repos/infra/mrs", Some(json!({ "source": "last", "title": "last" }))).await.expect("it opens");
            self.until("planning", 1, &["awaiting_approval"]).await;
        });
        let key = format!("bench/row/lease/change/infra/{number:020}/");
        let owner = || {
            runtime.block_on(async {
                let answer = self.http.post(format!("{}/v3/kv/range", self.etcd.1)).json(&json!({ "key": STANDARD.encode(&key) })).send().await.ok()?;
                let answer: Value = answer.json().await.ok()?;
                String::from_utf8(STANDARD.decode(answer["kvs"][0]["value"].as_str()?).ok()?).ok()
            })
        };
        let before = owner().expect("somebody owns it");
        let at = self.replicas.iter().position(|(child, _)| before.starts_with(&format!("pid {} on ", child.id()))).expect("it is one of ours");
        // Approved at once, so that it has something to do and somebody must take it.
        let other = (at + 1) % self.replicas.len();
        let killed = Command::new("kill").args(["-9", &self.replicas[at].0.id().to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()), "it runs");
        let began = Instant::now();
        let asked = format!("http://{}/api/v1/repos/infra/mrs/{number}/approve", self.replicas[other].1);
        let (http, post) = (self.http.clone(), runtime.handle().clone());
        post.spawn(async move {
            let _ = http.post(asked).bearer_auth("ben-token").json(&json!({})).send().await;
        });
        loop {
            assert!(began.elapsed() < PATIENCE, "nobody takes it over");
            if owner().is_some_and(|now| now != before) {
                return began.elapsed();
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

/// A key a change, each in a file of its own.
fn repository(git: &Path, changes: usize) {
    let mut import = Importer::new(git);
    let root = "sources:\n  - path: keys\n    format: keytree\n    targets: [live]\n    prefix: app/\npolicy:\n  window: 1s\n  every: 1s\n  budgets: {delete_percent: 100, change_percent: 100}\n";
    import.commit("main", None, &BTreeMap::from([("trueup.yaml".to_owned(), root.to_owned())]));
    (0..changes).for_each(|n| import.commit(&format!("change-{n}"), Some("main"), &BTreeMap::from([(format!("keys/k{n}"), format!("{n}"))])));
    import.commit("last", Some("main"), &BTreeMap::from([("keys/last".to_owned(), "1".to_owned())]));
    import.done();
}

/// Starts one replica; its process and where it listens.
fn serve(dir: &Path, at: usize, etcd: &str) -> (Child, String) {
    let text = format!(
        "listen: 127.0.0.1:0\ndata: data\nsecrets: .\nstore:\n  kind: etcd\n  endpoints: [\"{etcd}\"]\n  prefix: bench\n  lease: {LEASE}s\nusers:\n  - name: ana\n    token: {{ file: ana }}\n  - name: ben\n    token: {{ file: ben }}\n\
         repositories:\n  - name: infra\n    path: infra.git\n    writers: [ana]\n    approvers: [ben]\n    grants: [{{ target: live }}]\ntargets:\n  live: {{ kind: config/directory, path: live }}\n"
    );
    let config = dir.join(format!("replica-{at}.yaml"));
    fs::write(&config, text).expect("the folder is writable");
    let log = fs::File::create(dir.join(format!("replica-{at}.log"))).expect("the folder is writable");
    let program = PathBuf::from(env!("CARGO_BIN_EXE_trueup"));
    let mut child = Command::new(program).arg("serve").arg("--config").arg(config).stdout(Stdio::piped()).stderr(log).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("it says where it listens");
    let said: Value = serde_json::from_str(&line).expect("one line of JSON");
    (child, said["listening"].as_str().expect("an address").to_owned())
}
