//! `kill -9` of a process that commits: what it was told is kept, and nothing is half there.

use super::conformance::{Redb, Sled, Subject};
use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};
use trueup::ports::{Compare, Kv, Put};

/// Names the folder for the child, which is this same test in another process.
const FOLDER: &str = "TRUEUP_TEST_CRASH_FOLDER";

/// Commits pairs of rows one after the other, printing each number only when its commit was acknowledged; ends by being killed.
async fn commit_until_killed(subject: &impl Subject, folder: &Path, from: u64) {
    let kv = Arc::new(subject.open(folder).expect("the child opens the store"));
    for n in from.. {
        let pair = ["left", "right"].map(|side| Put::Set(format!("{side}/{n:08}").into(), vec![b'x'; 300], None));
        kv.commit(vec![Compare::Absent(format!("left/{n:08}").into())], pair.into()).await.expect("commits").expect("a fresh key");
        let mut out = std::io::stdout().lock();
        writeln!(out, "acknowledged {n}").and_then(|()| out.flush()).expect("the parent listens");
    }
}

async fn numbers(kv: &impl Kv, side: &str) -> Vec<u64> {
    let rows = kv.range(format!("{side}/").into(), format!("{side}0").into(), usize::MAX).await.expect("reads");
    let number = |key: &[u8]| std::str::from_utf8(key).ok()?.rsplit('/').next()?.parse().ok();
    rows.iter().map(|row| number(&row.key).expect("a number")).collect()
}

async fn what_was_acknowledged_survives_kill_9(subject: &impl Subject, test: &str) {
    if let Some(folder) = env::var_os(FOLDER) {
        let from = env::var("TRUEUP_TEST_CRASH_FROM").ok().and_then(|from| from.parse().ok()).expect("the parent says where to go on");
        return commit_until_killed(subject, Path::new(&folder), from).await;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut kept = 0;
    // Rounds of different lengths, so that the kill meets different instants of a commit.
    for round in [1, 3, 17, 40, 5, 64] {
        let mut child = Command::new(env::current_exe().expect("this binary"))
            .args(["--exact", test, "--nocapture", "--test-threads", "1"])
            .env(FOLDER, folder.path())
            .env("TRUEUP_TEST_CRASH_FROM", kept.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let mut acknowledged = 0;
        // The test harness prints a line of its own without an end, so the words are looked for inside lines.
        for line in out.lines().map_while(Result::ok) {
            let Some(n) = line.rsplit_once("acknowledged ").and_then(|(_, n)| n.parse::<u64>().ok()) else { continue };
            acknowledged = n + 1;
            if acknowledged >= kept + round {
                break;
            }
        }
        child.kill().expect("SIGKILL");
        let status = child.wait().expect("ends");
        assert!(!status.success() && acknowledged >= kept + round, "the child ended by itself ({status}) after {acknowledged}");
        let kv = subject.open(folder.path()).expect("opens after the kill");
        let (left, right) = (numbers(&kv, "left").await, numbers(&kv, "right").await);
        assert_eq!(left, right, "a commit is whole or not there");
        assert_eq!(left, (0..left.len() as u64).collect::<Vec<_>>(), "commits are kept in their order");
        assert!(left.len() as u64 >= acknowledged, "{acknowledged} were acknowledged, {} are there", left.len());
        kept = left.len() as u64;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redb_keeps_what_it_acknowledged_through_kill_9() {
    what_was_acknowledged_survives_kill_9(&Redb, "stores::crash::redb_keeps_what_it_acknowledged_through_kill_9").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sled_keeps_what_it_acknowledged_through_kill_9() {
    what_was_acknowledged_survives_kill_9(&Sled, "stores::crash::sled_keeps_what_it_acknowledged_through_kill_9").await;
}
