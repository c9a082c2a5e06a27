//! Webhooks acknowledged durably a second, beside grouped writes of the same bytes with one fdatasync a group on the same disk; and how long one waits at 1,000 a second.
//!
//! `cargo bench --features full --bench hooks`. So many senders deliver at the same time over connections of their own, each waiting for its
//! 202 before it delivers again; every delivery has an id of its own, is verified, read, and on disk before the answer.

#[expect(dead_code, unused_imports, reason = "a bench uses a part of what the benches share")]
mod kit;

use aws_lc_rs::hmac;
use kit::{Series, asked, grouped_writes, rounds};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, runtime::Runtime};
use trueup::{
    app::{
        config,
        hooks::{Door, Project, Reception},
        wiring,
    },
    core::model::RepoId,
    forges::hooks::Dialect,
    ports::SecretText,
    web::serve::{self, Running},
};

/// Senders at the same time: one forge that waits, a busy one, a very busy one.
const SENDERS: [usize; 4] = [1, 8, 64, 256];

/// How long each side of a round runs.
const RUN: Duration = Duration::from_secs(2);

/// Deliveries a second of the second half, and for how long.
const RATE: u32 = 1000;
const AT_RATE: Duration = Duration::from_secs(10);

/// Connections of the second half: enough that a slow answer holds up no other delivery.
const LINES: u32 = 64;

const SECRET: &str = "the secret of the bench";

/// The bytes of keys and values that one delivery writes: its row and its id's.
const WRITTEN: u64 = 330;

fn main() {
    if !asked() {
        return;
    }
    let rounds = rounds(5);
    let dir = tempfile::tempdir_in(std::env::current_exe().expect("the program knows its own file").parent().expect("it is in a folder")).expect("a temporary folder");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be made");
    let running = runtime.block_on(serve_in(dir.path()));
    let (addr, payload) = (running.addr, payload());
    println!("deliveries of {} bytes, {} s a side, median of {rounds} interleaved rounds; the disk below {}", payload.len(), RUN.as_secs(), dir.path().display());
    println!("{:>8} {:>12} {:>12} {:>10}", "senders", "raw /s", "kept /s", "kept/raw");
    for senders in SENDERS {
        let (mut raw, mut kept) = (Series::default(), Series::default());
        for round in 0..rounds {
            let folder = dir.path().join(format!("raw-{senders}-{round}"));
            raw.push(grouped_writes(&folder, senders, WRITTEN, RUN));
            kept.push(delivered(addr, senders, &payload));
            // Best effort: the folder above goes at the end anyway.
            let _ = std::fs::remove_dir_all(folder);
        }
        let rate = |each: &Series| 1.0 / each.median().as_secs_f64();
        println!("{senders:>8} {:>12.0} {:>12.0} {:>10.2}", rate(&raw), rate(&kept), rate(&kept) / rate(&raw));
        println!("         time a delivery in ms, least to most: raw {raw}, kept {kept}");
    }
    at_rate(addr, &payload);
    stop(&runtime, running);
}

fn stop(runtime: &Runtime, running: Running) {
    runtime.block_on(running.stop());
}

/// A server with one repository of its own, whose deliveries come in as from a Gitea.
async fn serve_in(dir: &Path) -> Running {
    let text = "listen: 127.0.0.1:0\ndata: data\nrepositories: [{ name: dns }]\nlimits: { sweep: 1h }\n";
    std::fs::write(dir.join("server.yaml"), text).expect("the folder is writable");
    let server = config::load(&dir.join("server.yaml")).expect("a configuration");
    let (limits, drift) = (server.limits.clone(), server.drift.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let mut wired = wiring::service(server).await.expect("the service starts");
    let world = wired.service.world().clone();
    let door = Door::new(Dialect::Gitea, vec![SecretText::new(SECRET)]).with("platform/dns", Project { repo: RepoId::new("dns"), secrets: Vec::new() });
    wired.reception = Arc::new(Reception::new((*world.store).clone(), world.clock.clone(), [("work".into(), door)].into()));
    serve::start_over(listener, limits, drift, wired).await.expect("the server starts")
}

/// A payload of the usual size, of which most is never looked at.
fn payload() -> String {
    let padding = "x".repeat(12_000);
    format!(
        r#"{{"action":"synchronized","number":7,"pull_request":{{"number":7,"body":"{padding}","updated_at":"2026-01-02T03:04:05Z","head":{{"ref":"feature/www","sha":"da1560886d4f094c3e6c9ef40349f7d38b5d27d7"}}}},"repository":{{"full_name":"platform/dns"}},"sender":{{"login":"ann"}}}}"#
    )
}

/// One connection that delivers.
struct Line {
    stream: TcpStream,
    head: String,
    body: String,
}

/// No id is used twice in a process.
static NEXT: AtomicU64 = AtomicU64::new(0);

impl Line {
    fn open(addr: SocketAddr, payload: &str) -> Self {
        let stream = TcpStream::connect(addr).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), payload.as_bytes());
        let mac: String = mac.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let head = format!(
            "POST /hooks/work HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\nx-gitea-event: pull_request\r\nx-gitea-signature: {mac}\r\ncontent-length: {}\r\n",
            payload.len()
        );
        Self { stream, head, body: payload.to_owned() }
    }

    /// Delivers once and waits until it is taken.
    fn deliver(&mut self) {
        let request = format!("{}x-gitea-delivery: {}\r\n\r\n{}", self.head, NEXT.fetch_add(1, Ordering::Relaxed), self.body);
        self.stream.write_all(request.as_bytes()).expect("the server reads");
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        // The answer is one line of JSON without a brace inside.
        while !answer.ends_with(b"}") {
            let n = self.stream.read(&mut part).expect("the server answers");
            assert!(n > 0, "the server hung up");
            answer.extend_from_slice(&part[..n]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(&answer));
    }
}

/// Time a delivery, all senders together.
fn delivered(addr: SocketAddr, senders: usize, payload: &str) -> Duration {
    let began = Instant::now();
    let senders: Vec<_> = (0..senders)
        .map(|_| {
            let mut line = Line::open(addr, payload);
            thread::spawn(move || {
                let mut count = 0u64;
                while began.elapsed() < RUN {
                    line.deliver();
                    count += 1;
                }
                count
            })
        })
        .collect();
    let all: u64 = senders.into_iter().map(|one| one.join().expect("no sender panics")).sum();
    began.elapsed().div_f64(all as f64)
}

/// Delivers at a fixed rate and prints how long each waited, from when it was due and not from when a line was free.
fn at_rate(addr: SocketAddr, payload: &str) {
    let began = Instant::now();
    let total = RATE * u32::try_from(AT_RATE.as_secs()).expect("seconds");
    let lines: Vec<_> = (0..LINES)
        .map(|line| {
            let mut open = Line::open(addr, payload);
            thread::spawn(move || {
                let mut waits = Vec::new();
                for n in (line..total).step_by(LINES as usize) {
                    let due = began + Duration::from_secs(1) * n / RATE;
                    while let Some(early) = due.checked_duration_since(Instant::now()).filter(|early| !early.is_zero()) {
                        thread::park_timeout(early);
                    }
                    open.deliver();
                    waits.push(due.elapsed());
                }
                waits
            })
        })
        .collect();
    let mut waits: Vec<Duration> = lines.into_iter().flat_map(|line| line.join().expect("no line panics")).collect();
    waits.sort();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    println!("{RATE}/s for {} s: p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, longest {:.1} ms", AT_RATE.as_secs(), at(0.5), at(0.99), at(0.999), at(1.0));
}
