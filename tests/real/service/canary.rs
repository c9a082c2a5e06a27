//! Secrets planted in every input are searched for in every output, log and file: none is there.

use super::{
    secrets::{folder, keep, key, merged, say, set, shown, start_with},
    world::{SEAL_KEY, World},
};
use crate::harness::{Canaries, KEY_SECRET};
use std::fs;

/// Everything a person or a program can be told about one merge request, and how many answers that were.
pub(super) fn answers(world: &World, number: u64) -> (u32, String) {
    let (mut all, mut good) = (String::new(), 0);
    let pages = [
        "",
        "/plan?format=text",
        "/plan?format=json",
        "/plan?format=markdown",
        "/way-back?format=text",
        "/way-back?format=json",
        "/graph",
        "/journal",
        "/journal/rows",
        "/comments",
    ];
    for page in pages {
        let (code, text) = world.get_as("ana", &format!("api/v1/repos/dns/mrs/{number}{page}"));
        good += u32::from(code == 200);
        all += &text;
    }
    let (_, page) = world.page_as("ana", world.show(number)["links"]["change"].as_str().expect("a link"));
    all += &page;
    all += &world.get("metrics").1;
    for args in [&["mr", "show"][..], &["mr", "plan"], &["mr", "journal"]] {
        let said = world.trueup("ana", &[args, &[&number.to_string(), "--repo", "dns"]].concat());
        all += &(said.out + &said.err);
    }
    let drift = world.trueup("ana", &["drift", "--repo", "dns"]);
    all += &(drift.out + &drift.err);
    (good, all + &world.log())
}

#[test]
fn no_planted_secret_is_in_any_answer_log_or_file_of_a_change_with_failure_drift_and_restore() {
    let mut world = start_with("  sensitive: [\"*/_canary/TXT\"]\n");
    let planted = [
        "canary-one-0f3a",
        "canary-two-77c1",
        "canary-other-5d5d",
        "canary-changed-1c1c",
        "canary-by-hand-31e0",
        "canary-in-dns-88aa",
        SEAL_KEY,
        KEY_SECRET,
        "ana-token",
        "ben-token",
        "root-token",
    ];
    let canaries = Canaries::new(&planted);
    let nowhere = |world: &World, number: u64, when: &str| {
        let (good, all) = answers(world, number);
        assert!(good >= 3, "{when}: {good} answers: {all}");
        assert!(canaries.in_text(&all).is_empty(), "{when}: {:?} in {all}", canaries.in_text(&all));
    };
    merged(&world, "one", "password: secret://file/app-one\n");
    // The provider holds another secret by the time of the write.
    let number = set(&world, "two", "password: secret://file/app-two\n");
    world.wait(number, "awaiting_approval");
    nowhere(&world, number, "before the approval");
    keep(&world, "app-two", "canary-changed-1c1c");
    world.approve(number);
    world.until(|world| world.show(number)["phase"] == "failed");
    nowhere(&world, number, "after a failure");
    keep(&world, "app-two", "canary-two-77c1");
    say(&world, number, &["retry"]);
    world.wait(number, "verifying");
    assert_eq!(key(&world, "db/password").as_deref(), Some("canary-two-77c1"));
    nowhere(&world, number, "while verifying");
    // A hand writes over it in the window.
    let file = folder(&world).join("app/db/password");
    fs::write(&file, "canary-by-hand-31e0").expect("the folder is writable");
    world.until(|world| shown(world, number).contains("changed by another writer") || world.show(number)["phase"] == "refused");
    nowhere(&world, number, "after drift");
    fs::write(&file, "canary-two-77c1").expect("the folder is writable");
    say(&world, number, &["restore"]);
    world.wait(number, "restored");
    assert_eq!(key(&world, "db/password").as_deref(), Some("canary-one-0f3a"));
    nowhere(&world, number, "after the restore");
    // What lives on a name server and nobody asked for yet.
    let zone = world.zones[0].clone();
    world.dns.by_hand(&zone, &format!("update add _canary.{zone} 300 TXT canary-in-dns-88aa"));
    let dns = world.propose("dns", |world| {
        let text = world.read(&world.zone_file());
        world.write(&world.zone_file(), &format!("{text}_canary:\n  ttl: 300\n  type: TXT\n  value: in-the-clear-in-git\n"));
    });
    world.wait(dns, "refused");
    nowhere(&world, dns, "beside a live record");
    let log = world.log();
    world.kill();
    assert!(canaries.in_text(&log).is_empty(), "{log}");
    let (searched, found) = canaries.below(&world.dir.path().join("data"));
    assert!(searched > 10, "{searched} files of the server were searched");
    assert!(found.is_empty(), "{found:?}");
    let (_, planted) = canaries.below(&folder(&world));
    assert!(!planted.is_empty(), "the search finds what is really there: the live value");
}
