//! A full disk: `Full`, nothing half written, and work goes on when there is space.

use super::conformance::{Redb, Sled, Subject};
use crate::harness::SmallDisk;
use std::fs;
use trueup::ports::{Kv, KvErrorKind, Put};

fn pair(n: u32, len: usize) -> Vec<Put> {
    // Bytes that no file system compresses.
    let noise = |seed: u32| (0..len as u32).map(move |i| (i.wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(40_503)).to_be_bytes()[0]).collect();
    ["left", "right"].map(|side| Put::Set(format!("{side}/{n:06}").into(), noise(n), None)).into()
}

async fn count(kv: &impl Kv, side: &str) -> u32 {
    let rows = kv.range(format!("{side}/").into(), format!("{side}0").into(), usize::MAX).await.expect("reads go on");
    u32::try_from(rows.len()).expect("few")
}

async fn a_full_disk_refuses_whole_commits_until_there_is_space(subject: &impl Subject) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(disk) = SmallDisk::mount(folder.path(), "40m") else { return };
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![0; 16 << 20]).expect("the ballast fits");
    let data = disk.path().join("data");
    let kv = subject.open(&data).expect("opens on the small disk");
    let mut kept = 0;
    let error = loop {
        match kv.commit(vec![], pair(kept, 40_000)).await {
            Ok(answer) => drop(answer.expect("no compare")),
            Err(error) => break error,
        }
        kept += 1;
        assert!(kept < 1000, "a disk of 40 MB cannot hold 80 MB");
    };
    assert!(kept > 0);
    assert_eq!(error.kind, KvErrorKind::Full, "{error}");
    assert!(error.what.starts_with("no space left for the store"), "{error}");
    assert_eq!(kv.commit(vec![], pair(kept, 40_000)).await.expect_err("still full").kind, KvErrorKind::Full);
    fs::remove_file(&ballast).expect("frees space");
    kv.commit(vec![], pair(kept, 40_000)).await.expect("work goes on by itself").expect("no compare");
    assert_eq!((count(&kv, "left").await, count(&kv, "right").await), (kept + 1, kept + 1));
    drop(kv);
    let kv = subject.open(&data).expect("opens again");
    assert_eq!((count(&kv, "left").await, count(&kv, "right").await), (kept + 1, kept + 1), "what was acknowledged is kept, what was refused is not there");
    drop(kv);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redb_refuses_whole_commits_while_the_disk_is_full() {
    a_full_disk_refuses_whole_commits_until_there_is_space(&Redb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sled_refuses_whole_commits_while_the_disk_is_full() {
    a_full_disk_refuses_whole_commits_until_there_is_space(&Sled).await;
}
