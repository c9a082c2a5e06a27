//! Sweeps of a quiet forge with many open merge requests: requests and time of one, beside raw conditional requests for the same answers, and what knowing them all holds in memory.
//!
//! `cargo bench --features full --bench sweep`. The forge is the fake GitHub of the tests, in the same process; `TRUEUP_BENCH_OPEN` says how many are open
//! (10,000). A look at one that did not change is counted beside: each sweep of a server takes so many of them in turn.

#[path = "../real/forges/fake/mod.rs"]
#[expect(dead_code, unused_imports, reason = "a bench uses a part of what the tests' forge can do")]
mod fake;
#[expect(dead_code, unused_imports, reason = "a bench uses a part of what the benches share")]
mod kit;
#[path = "../real/harness/package.rs"]
mod package;

/// Where the fake looks for the descriptions.
mod harness {
    pub use super::package::package;
}

use fake::{FakeForge, Role, Wire};
use kit::{Memory, Series, asked, ratio, rounds};
use reqwest::header::{ETAG, IF_NONE_MATCH};
use std::{sync::Arc, time::Duration};
use trueup::{
    core::{
        model::{MrId, RepoId, User},
        review::{CommentId, Right},
    },
    forges::{
        github::GitHub,
        net::{ForgeConfig, Project, SignIn},
    },
    ports::{ForgeReader as _, People, SecretText, SystemClock},
};

const PATH: &str = "platform/dns";

/// How many are open where nobody says so.
const OPEN: u64 = 10_000;

/// Whoever does not approve here.
struct Nobody;

impl People for Nobody {
    fn right(&self, _: &RepoId, _: &User) -> Right {
        Right::None
    }

    fn by_email(&self, _: &str) -> Option<User> {
        None
    }

    fn by_login(&self, login: &str) -> User {
        User::new(login)
    }
}

fn main() {
    if !asked() {
        return;
    }
    let open = std::env::var("TRUEUP_BENCH_OPEN").ok().and_then(|open| open.parse().ok()).unwrap_or(OPEN);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be made");
    runtime.block_on(swept(open, rounds(21)));
}

async fn swept(open: u64, rounds: usize) {
    let fake = FakeForge::start(Wire::GitHub).await;
    let roles = [("ana", Role::Write), ("trueup", Role::Write)];
    fake.project(PATH, &roles, &[("zone", "1\n")]);
    fake.push(PATH, "ana", "many", &[("zone", "2\n")]);
    fake.open(PATH, "ana", "many", "Move host 1");
    {
        // The others are as the first, each at its own time: nothing is looked at but what a list tells of them.
        let mut state = fake.state();
        let first = state.project(PATH).requests[&1].clone();
        for number in 2..=open {
            let (at, mut request) = (state.at(), first.clone());
            (request.number, request.title, request.created, request.updated) = (number, format!("Move host {number}"), at, at);
            state.project_mut(PATH).requests.insert(number, request);
        }
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let project = Project { id: RepoId::new("dns"), path: PATH.into(), page: format!("{}/{PATH}", fake.url), branch: "main".into(), mirror: folder.path().join("mirror.git") };
    let config = ForgeConfig {
        name: "work".into(),
        web: fake.url.clone(),
        api: fake.api(),
        sign_in: SignIn::Token(SecretText::new("trueup-token")),
        ca: None,
        bot: None,
        answer: Duration::from_secs(600),
        projects: vec![project],
    };
    let hub = GitHub::new(config, Arc::new(Nobody), Arc::new(SystemClock)).expect("a forge");
    let repo = RepoId::new("dns");
    // The fake's own limit is of an hour; it is not what is measured.
    let unlimited = || fake.state().calls_left = u64::MAX;
    unlimited();
    fake.calls();
    let before = Memory::own().resident;
    let mut first = Series::default();
    let started = std::time::Instant::now();
    let (found, mut cursor) = hub.sweep(&repo, 0).await.expect("the forge answers");
    first.push(started.elapsed());
    assert_eq!(found.len() as u64, open);
    drop(found);
    let listed = fake.calls().len();
    println!(
        "{open} open merge requests; the first sweep: {listed} requests, {first} ms; resident {} MiB before, {} MiB after, the fake's answers included",
        before >> 10,
        Memory::own().resident >> 10
    );
    // What changed last is read once before it is known to be unchanged.
    (_, cursor) = hub.sweep(&repo, cursor).await.expect("the forge answers");
    fake.calls();
    let (_, next) = hub.sweep(&repo, cursor).await.expect("the forge answers");
    let quiet = fake.calls();
    assert!(quiet.iter().all(|call| call.status == 304), "{quiet:?}");
    let urls: Vec<String> =
        vec![format!("{}/repos/{PATH}/git/ref/heads/main", fake.api()), format!("{}/repos/{PATH}/pulls?state=all&sort=updated&direction=desc&per_page=100", fake.api())];
    assert_eq!(urls.len(), quiet.len(), "the raw side asks what a sweep asks: {quiet:?}");
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut tags = Vec::new();
    for url in &urls {
        let answer = http.get(url).bearer_auth("trueup-token").header("user-agent", "bench").send().await.expect("the forge answers");
        tags.push(answer.headers().get(ETAG).cloned().expect("it is tagged"));
    }
    let (mut ours, mut raw) = (Series::default(), Series::default());
    for _ in 0..rounds {
        unlimited();
        let started = std::time::Instant::now();
        let (found, _) = hub.sweep(&repo, next).await.expect("the forge answers");
        ours.push(started.elapsed());
        assert_eq!(found.len() as u64, open);
        let started = std::time::Instant::now();
        for (url, tag) in urls.iter().zip(&tags) {
            let answer = http.get(url).bearer_auth("trueup-token").header("user-agent", "bench").header(IF_NONE_MATCH, tag.clone()).send().await.expect("the forge answers");
            assert_eq!(answer.status().as_u16(), 304);
        }
        raw.push(started.elapsed());
    }
    println!("a quiet sweep: {} requests, all answered 304, {ours} ms; the same requests raw: {raw} ms; ratio {:.2}", quiet.len(), ratio(&ours, &raw));
    let mr = MrId { repo: repo.clone(), number: 1 };
    unlimited();
    for _ in 0..2 {
        fake.calls();
        hub.look(&mr, Some(CommentId(u64::MAX))).await.expect("the forge answers");
    }
    let looked = fake.calls();
    println!(
        "a look at one that did not change: {} requests, {} of them answered 304; resident {} MiB at the end",
        looked.len(),
        looked.iter().filter(|call| call.status == 304).count(),
        Memory::own().resident >> 10
    );
}
