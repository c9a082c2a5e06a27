//! Starting a server that has 10,000 open changes, beside one that has none: time to ready, memory, and how many workers it wakes.
//!
//! `cargo bench --bench start`. The store is made through the Store API, each change with the journal a real one has: sighted and planned,
//! then waiting for its approval (usual), or asked for a plan that was never answered (the worst: every one has something to do at once).

#[expect(dead_code, unused_imports, reason = "a bench uses a part of what the benches share")]
mod kit;

use kit::{Importer, Memory, Planner, asked, rounds};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use trueup::{
    core::{
        model::{RepoId, User},
        review::Right,
        run::{Change, Effect, Input, PlanAnswer, PlanKey, StreamId},
    },
    forges::local::{LocalForge, LocalRepository, NewRequest},
    ports::{Clock as _, ForgeReader as _, Kv as _, MemoryKv, People, Put, SystemClock},
    stores::{RedbKv, Store},
};

const CHANGES: usize = 10_000;

/// Rows of one commit when the made store is copied to the disk.
const ROWS: usize = 4_000;

/// How long a started server is watched: three of its sweeps, which are every three seconds here.
const WATCHED: Duration = Duration::from_secs(10);

/// In which state the changes are when the server starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    None,
    Awaiting,
    Planning,
}

fn main() {
    if !asked() {
        return;
    }
    let rounds = rounds(3);
    println!("`trueup serve` over a store of open changes; median of {rounds} interleaved rounds (least–most)");
    println!("{:<10} {:>8} {:>20} {:>12} {:>12} {:>12} {:>10}", "changes", "number", "ready ms", "ready KiB", "after 10 s", "peak KiB", "CPU s");
    let states = [State::None, State::Awaiting, State::Planning];
    let made: Vec<(State, tempfile::TempDir)> = states.into_iter().map(|state| (state, make(state))).collect();
    let mut ready: BTreeMap<usize, (kit::Series, Told)> = BTreeMap::new();
    for _ in 0..rounds {
        for (n, (_, dir)) in made.iter().enumerate() {
            // Each start sees the store as it was made.
            let copy = tempfile::tempdir().expect("a temporary folder");
            assert!(Command::new("cp").arg("-a").arg(dir.path().join(".")).arg(copy.path()).status().expect("cp runs").success(), "the store is copied");
            let (took, told) = serve(copy.path());
            let known = ready.entry(n).or_insert_with(|| (kit::Series::default(), told));
            known.0.push(took);
            known.1 = told;
        }
    }
    for (n, (took, told)) in ready {
        let (state, number) = (made[n].0, if made[n].0 == State::None { 0 } else { CHANGES });
        println!("{:<10} {number:>8} {took:>20} {:>12} {:>12} {:>12} {:>10.2}", format!("{state:?}"), told.ready.resident, told.later.resident, told.later.peak, told.cpu);
    }
}

struct Anyone;

impl People for Anyone {
    fn right(&self, _: &RepoId, _: &User) -> Right {
        Right::Approve
    }

    fn by_email(&self, _: &str) -> Option<User> {
        None
    }

    fn by_login(&self, login: &str) -> User {
        User::new(login)
    }
}

fn repo() -> RepoId {
    RepoId::new("infra")
}

/// A data folder with its configuration, ready to be served.
fn make(state: State) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let git = dir.path().join("infra.git");
    let zone = |n: usize, version: usize| format!("www:\n  type: A\n  ttl: 300\n  value: 10.{}.{}.{version}\n", n / 250, n % 250);
    let file = |n: usize| format!("dns/zone-{n}.example.yaml");
    let mut import = Importer::new(&git);
    let mut first: BTreeMap<String, String> = (0..CHANGES).map(|n| (file(n), zone(n, 1))).collect();
    first.insert("trueup.yaml".into(), "sources:\n  - path: dns\n    format: octodns\n    targets: [dns]\n".into());
    import.commit("main", None, &first);
    (0..CHANGES).for_each(|n| import.commit(&format!("change-{n}"), Some("main"), &BTreeMap::from([(file(n), zone(n, 2))])));
    import.done();
    fs::write(dir.path().join("t"), "ana-token\n").expect("the folder is writable");
    let text = "listen: 127.0.0.1:0\ndata: data\nsecrets: .\nusers:\n  - name: ana\n    token: { file: t }\nrepositories:\n  - name: infra\n    path: infra.git\n    writers: [ana]\n    approvers: [ana]\n    \
                grants: [{ target: dns }]\ntargets:\n  dns: { kind: dns/rfc2136, address: \"127.0.0.1:1\", connect_timeout: 1s }\nlimits: { sweep: 3s }\n";
    fs::write(dir.path().join("server.yaml"), text).expect("the folder is writable");
    fs::create_dir_all(dir.path().join("data")).expect("the folder is writable");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be made");
    runtime.block_on(fill(dir.path(), &git, state));
    dir
}

/// Opens the merge requests and writes their journals in memory, then copies every row to the disk.
async fn fill(dir: &Path, git: &Path, state: State) {
    let memory = MemoryKv::new();
    if state != State::None {
        let store = Store::open(Arc::new(memory.clone()), "bench").await.expect("the store opens");
        let place = LocalRepository { id: repo(), path: git.to_owned(), branch: "main".into() };
        let forge = LocalForge::open(store.clone(), Arc::new(SystemClock), Arc::new(Anyone), User::new("trueup"), &[place]).expect("the forge opens");
        // A real plan; every change gets the same one, since only its size counts.
        let git = git.to_owned();
        let planned = tokio::task::spawn_blocking(move || {
            let planner = Planner::open(&git);
            planner.plan(&planner.commit("main"), &planner.commit("change-0"))
        });
        let (tree, result) = planned.await.expect("planning ends");
        for n in 0..CHANGES {
            let new = NewRequest {
                title: format!("move www of zone {n}"),
                source: format!("change-{n}"),
                target: String::new(),
                draft: false,
                reviewers: Vec::new(),
                description: String::new(),
            };
            let mr = forge.open_mr(&User::new("ana"), &repo(), new).await.expect("it opens");
            let sighting = forge.look(&mr, None).await.expect("it is seen");
            let (base, head) = (sighting.base.clone(), sighting.head.clone());
            let (mut change, id, mut upto) = (Change::open(mr.clone()), StreamId::Change(mr.clone()), 0);
            let answer = PlanAnswer { key: PlanKey { base, head, tree: tree.clone() }, restore: false, result: result.clone(), way_back: None };
            let mut inputs = vec![Input::Sighted(Box::new(sighting))];
            if state == State::Awaiting {
                inputs.push(Input::Planned(Box::new(answer)));
            }
            for input in inputs {
                let turn = change.handle(SystemClock.now(), &[input]);
                let receipt = store.append(&id, upto, None, &turn).await.expect("memory takes it");
                upto = receipt.upto;
                let shown = turn.release(&receipt).into_iter().find_map(|effect| if let Effect::Show(face) = effect { Some(face) } else { None });
                if let Some(face) = shown {
                    use trueup::ports::{ForgeWriter as _, Shown};
                    forge.show(&mr, &face, &Shown::default()).await.expect("memory takes it");
                }
            }
        }
    }
    let disk = RedbKv::open(&dir.join("data/store")).expect("redb opens");
    let mut from = Vec::new();
    loop {
        let rows = memory.range(from.clone(), vec![0xff], ROWS).await.expect("memory answers");
        let Some(last) = rows.last() else { break };
        from = last.key.clone();
        from.push(0);
        let puts = rows.into_iter().map(|row| Put::Set(row.key, row.value, None)).collect();
        disk.commit(Vec::new(), puts).await.expect("the disk takes it").expect("nothing was compared");
    }
}

/// What a started server told.
#[derive(Clone, Copy)]
struct Told {
    ready: Memory,
    later: Memory,
    /// Processor seconds, its children's not counted.
    cpu: f64,
}

/// Starts the real program, waits for its line, watches it, and ends it.
fn serve(dir: &Path) -> (Duration, Told) {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_trueup"));
    let log = fs::File::create(dir.join("log")).expect("the folder is writable");
    let began = Instant::now();
    let mut server = Command::new(program).arg("serve").arg("--config").arg(dir.join("server.yaml")).stdout(Stdio::piped()).stderr(log).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("it is piped")).read_line(&mut line).expect("it says where it listens");
    let took = began.elapsed();
    let pid = server.id().to_string();
    assert!(line.contains("listening"), "it did not start:\n{}", fs::read_to_string(dir.join("log")).unwrap_or_default());
    let ready = Memory::of(&pid);
    while began.elapsed() < took + WATCHED {
        std::thread::park_timeout(took + WATCHED - began.elapsed());
    }
    let (later, cpu) = (Memory::of(&pid), cpu(&pid));
    server.kill().expect("it still runs");
    server.wait().expect("it ends");
    (took, Told { ready, later, cpu })
}

/// Seconds in user and kernel mode, at the usual hundred ticks a second.
fn cpu(pid: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    after.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
