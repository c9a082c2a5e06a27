//! A disk that fills while a change runs: the service says it, nothing is lost, and it goes on when there is space.

use super::world::World;
use crate::harness::{DnsServer, Proxy};
use std::{fs, io::Write};

#[test]
fn a_store_that_is_full_while_a_change_rolls_is_said_and_goes_on_when_there_is_space() {
    let dns = DnsServer::bind();
    let proxy = Proxy::start(dns.addr);
    proxy.hold();
    let Some(world) = World::start_small(dns, proxy.addr) else { return };
    let disk = world.disk.as_ref().expect("it has one").path().to_owned();
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.until(|_| proxy.holds());
    let serial = dns.serial(&world.zones[0]);
    let text = number.to_string();
    // The disk is full, and so is every hole in the store's file: comments go in until not even a word does.
    let ballast = disk.join("ballast");
    fill(&ballast);
    let fill_holes = || {
        let mut refused = String::new();
        for size in [400_000, 40_000, 4_000, 400, 4] {
            let body = "x".repeat(size);
            refused = (0..2000)
                .find_map(|_| {
                    let said = world.say_by_api("ana", &format!("dns/mrs/{number}/comments"), &serde_json::json!({ "body": body }));
                    (said.0 != 201).then_some(said.1)
                })
                .expect("a disk of 40 MB is full before that");
        }
        refused
    };
    // What was on its way leaves a hole behind when it is done, and then a word fits once more.
    let (refused, said) =
        (0..20).map(|_| (fill_holes(), world.trueup("ben", &["mr", "say", &text, "--repo", "dns", "take"]))).find(|(_, said)| said.code != 0).expect("at last nothing fits");
    assert!(refused.contains("no space left for the store"), "{refused}");
    assert!(said.code == 1 && said.err.contains("no space left"), "{}{}", said.out, said.err);
    // The write arrives; what became of it cannot be kept.
    proxy.release();
    world.until(|world| world.live().iter().any(|line| line.ends_with("192.0.2.77")));
    world.until(|world| world.get("readyz").1.contains("no space left"));
    assert_eq!(world.get("readyz").0, 503);
    assert!(world.is_up());
    fs::remove_file(&ballast).expect("frees space");
    world.wait(number, "merged");
    assert_eq!(dns.serial(&world.zones[0]), serial + 1, "it was written once");
    assert_eq!(world.get("readyz").0, 200);
}

/// Takes what is left of the disk.
fn fill(ballast: &std::path::Path) {
    let mut file = fs::File::create(ballast).expect("a file can be made");
    for size in [1 << 20, 4096, 1] {
        let block = vec![0; size];
        while file.write_all(&block).is_ok() {}
    }
}
