//! Stories of taking ownership of what is live already, and of moving it: nothing is written, and nothing is deleted in between.

use super::{config, world::World};
use crate::harness::EtcdServer;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use std::{fmt::Write as _, fs, time::Instant};

/// Resources of a zone, or a prefix, that was there before trueup: twenty thousand, of which `tests/run` takes a tenth.
fn many() -> usize {
    if std::env::var("TRUEUP_TEST_ALL").is_ok_and(|all| all == "1") { 20_000 } else { 2_000 }
}

/// Opens a merge request, waits for its plan, and says what that took; the plan must adopt `all` and write nothing.
fn adopts(world: &World, what: &str, all: usize, edit: impl FnOnce(&World)) -> u64 {
    let (began, before) = (Instant::now(), world.memory());
    let number = world.propose("adopt", edit);
    world.until(|world| matches!(world.show(number)["phase"].as_str(), Some("awaiting_approval" | "empty" | "refused" | "failed")));
    let shown = world.show(number);
    println!("{what}: {all} adopted, planned in {:.1?}, the server's peak memory went from {before} to {} MiB", began.elapsed(), world.memory());
    let summary = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns", "-o", "json"]).json();
    assert_eq!(shown["refusals"].as_array().map_or(0, Vec::len), 0, "{}", shown["refusals"]);
    assert_eq!(summary["steps"].as_array().map(Vec::len), Some(0), "nothing is written");
    assert_eq!(summary["summary"]["adopt"].as_u64(), Some(all as u64), "{}", summary["summary"]);
    let comments = shown["comments"].as_array().cloned().unwrap_or_default();
    let comment = comments.iter().find(|comment| comment["sticky"] == true).and_then(|comment| comment["body"].as_str()).expect("the comment").to_owned();
    println!("{what}: the comment has {} characters in {} lines", comment.chars().count(), comment.lines().count());
    assert!(comment.chars().count() <= 60_000 && comment.lines().count() < 100, "it stays readable:\n{}", &comment[..2000]);
    assert!(comment.contains(&all.to_string()), "it counts:\n{}", &comment[..2000]);
    number
}

#[test]
fn a_zone_of_twenty_thousand_is_adopted_without_a_write() {
    let all = many();
    let mut world = World::start();
    let mut lines = String::new();
    let mut file = String::from("ns1:\n  type: A\n  value: 192.0.2.53\n  ttl: 3600\n");
    for n in 0..all - 1 {
        writeln!(lines, "h{n} 300 IN A 192.0.{}.{}", n / 250, n % 250 + 1).expect("text");
        writeln!(file, "h{n}:\n  ttl: 300\n  type: A\n  value: 192.0.{}.{}", n / 250, n % 250 + 1).expect("text");
    }
    let zone = world.dns.fresh_zone(&lines);
    let config = fs::read_to_string(world.config()).expect("it is there");
    fs::write(world.config(), config.replace("          - missing.test.\n", &format!("          - missing.test.\n          - \"{zone}\"\n"))).expect("the folder is writable");
    world.kill();
    world.serve();
    let serial = world.dns.dig(&[&zone, "SOA", "+short"]);
    let number = adopts(&world, "a zone", all, |world| world.write(&format!("zones/{zone}yaml"), &file));
    world.approve(number);
    world.wait(number, "merged");
    assert_eq!(world.dns.dig(&[&zone, "SOA", "+short"]), serial, "the zone was not touched");
}

#[test]
fn a_prefix_of_twenty_thousand_keys_is_adopted_without_a_write() {
    let all = many();
    let mut world = World::start();
    let etcd = EtcdServer::open(&[]);
    let prefix = format!("adopt-{}/", world.port);
    let numbers: Vec<usize> = (0..all).collect();
    for some in numbers.chunks(100) {
        let put = |n: &usize| json!({ "requestPut": { "key": STANDARD.encode(format!("{prefix}k{n}")), "value": STANDARD.encode(format!("v{n}")) } });
        etcd.ask("/v3/kv/txn", &json!({ "success": some.iter().map(put).collect::<Vec<_>>() }));
    }
    world.kill();
    let text = fs::read_to_string(world.config()).expect("it is there");
    let text = text.replace("targets:\n  inside:", &format!("      - target: keys\n        units: [\"{prefix}*\"]\ntargets:\n  inside:"));
    fs::write(world.config(), format!("{text}  keys:\n    kind: config/etcd\n    endpoints: [\"http://{}\"]\n", etcd.addr)).expect("the folder is writable");
    world.serve();
    let revision = etcd.revision();
    let number = adopts(&world, "a prefix", all, |world| {
        let root = world.read("trueup.yaml");
        let source = format!("  - path: keys\n    format: keytree\n    targets: [keys]\n    prefix: {prefix}\npolicy:\n");
        world.write("trueup.yaml", &root.replace("policy:\n", &source));
        for n in 0..all {
            world.write(&format!("keys/k{n}"), &format!("v{n}"));
        }
    });
    world.approve(number);
    world.wait(number, "merged");
    assert_eq!(etcd.revision(), revision, "no key was written");
}

#[test]
fn a_key_moved_between_files_and_between_sources_is_never_written_or_deleted() {
    let world = config::with_files(World::start());
    config::govern(&world);
    let port = config::folder(&world).join("app/db/port");
    let written = |path: &std::path::Path| fs::metadata(path).and_then(|at| at.modified()).expect("it is there");
    let before = written(&port);
    let moved = |branch: &str, edit: &dyn Fn(&World)| {
        let number = world.propose(branch, edit);
        world.wait(number, "empty");
        world.approve(number);
        world.wait(number, "merged");
        assert_eq!(fs::read_to_string(&port).ok().as_deref(), Some("5432"));
        assert_eq!(written(&port), before, "{branch}: the key was left alone");
    };
    // From a file of many keys to a file of its own.
    moved("to-its-own-file", &|world| {
        fs::remove_file(world.work().join("config/db.yaml")).expect("it is there");
        world.write("config/db/port", "5432");
    });
    // From one source to another, with a prefix of its own.
    moved("to-another-source", &|world| {
        let root = world.read("trueup.yaml");
        let source = "  - path: database\n    format: keytree\n    targets: [files]\n    prefix: app/db/\npolicy:\n";
        world.write("trueup.yaml", &root.replace("policy:\n", source));
        fs::remove_file(world.work().join("config/db/port")).expect("it is there");
        world.write("database/port", "5432");
    });
}
