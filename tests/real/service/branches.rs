//! Several governed branches of one repository: one for what is tried out, the newest release for what is live.

use super::world::{LONG, World};

/// A server whose `main` governs the first zone, and whose newest `release/*` the second.
pub fn releases() -> (World, String) {
    let mut world = World::start();
    let zone = world.dns.fresh_zone("www 300 IN A 192.0.2.1\nmail 300 IN A 192.0.2.2");
    let text = std::fs::read_to_string(world.config()).expect("it is there");
    let address = format!("address: {}", world.dns.addr);
    let keys = text.lines().find(|line| line.contains("tsig:")).expect("it has one").trim().to_owned();
    let text = text.replace("targets:\n  inside:", &format!("    branches:\n      - pattern: release/*\n        grants:\n          - {{ target: live, units: [\"{zone}\"] }}\ntargets:\n  live:\n    kind: dns/rfc2136\n    {address}\n    {keys}\n  inside:"));
    world.kill();
    std::fs::write(world.config(), text).expect("the folder is writable");
    world.serve();
    // One tree for both: which branch governs what is the server's to say.
    let first = world.propose("both", |world| {
        let root = world.read("trueup.yaml").replace("policy:", "  - path: live\n    format: octodns\n    targets: [live]\npolicy:");
        world.write("trueup.yaml", &root);
        world.write(
            &format!("live/{zone}yaml"),
            "mail:\n  ttl: 300\n  type: A\n  value: 192.0.2.2\nns1:\n  type: A\n  value: 192.0.2.53\nwww:\n  ttl: 300\n  type: A\n  value: 192.0.2.1\n",
        );
    });
    world.wait(first, "empty");
    world.approve(first);
    world.wait(first, "merged");
    (world, zone)
}

/// Makes a branch off another, edits it as a person and pushes it.
pub fn branch(world: &World, person: &str, name: &str, off: &str, edit: impl FnOnce(&World)) {
    let work = world.work();
    world.git(&work, &["fetch", "-q", "origin"]).ok();
    world.git(&work, &["checkout", "-q", "-B", name, &format!("origin/{off}")]).ok();
    edit(world);
    world.commit(name, person);
    world.git(&work, &["push", "-q", &world.url(person), &format!("{name}:{name}")]).ok();
}

/// Opens a merge request of ana's into a release; its number.
pub fn open(world: &World, source: &str, into: &str) -> String {
    let opened = world.trueup("ana", &["mr", "open", "--repo", "dns@release", "--source", source, "--target", into, "--title", source, "--json"]).json();
    opened["number"].as_u64().expect("it has one").to_string()
}

pub fn wait(world: &World, number: &str, phase: &str) {
    let said = world.trueup("ana", &["mr", "wait", number, "--repo", "dns@release", "--for", phase, "--timeout", LONG]);
    assert_eq!(said.code, 0, "{}{}\n{}\n{}", said.out, said.err, page(world, number), world.log());
}

pub fn page(world: &World, number: &str) -> String {
    let show = |what: &str| world.trueup("ana", &["mr", what, number, "--repo", "dns@release"]).out;
    ["show", "plan"].map(show).concat()
}

pub fn approve(world: &World, number: &str) {
    world.trueup("ben", &["mr", "approve", number, "--repo", "dns@release"]).ok();
}

pub fn holds(world: &World, zone: &str, name: &str, address: &str) -> bool {
    let whole = format!("{name}.{zone}");
    world.dns.records(zone).iter().any(|record| record.starts_with(&whole) && record.ends_with(address))
}

#[test]
fn a_newer_release_takes_over_with_its_first_approved_merge_and_the_older_one_retires() {
    let (mut world, zone) = releases();
    let live = format!("live/{zone}yaml");
    let edit = |old: &'static str, new: &'static str| {
        let live = live.clone();
        move |world: &World| world.write(&live, &world.read(&live).replace(old, new))
    };
    branch(&world, "root", "release/202611", "main", |_| {});
    // What `main` says of the live zone is nobody's order: the release does.
    let on_main = world.propose("on-main", edit("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(on_main, "empty");
    branch(&world, "ana", "first", "release/202611", edit("192.0.2.1\n", "192.0.2.11\n"));
    let first = open(&world, "first", "release/202611");
    wait(&world, &first, "awaiting_approval");
    approve(&world, &first);
    wait(&world, &first, "merged");
    assert!(holds(&world, &zone, "www", "192.0.2.11") && holds(&world, &zone, "mail", "192.0.2.2"), "{:?}", world.dns.records(&zone));

    // A newer release is there, and writes nothing.
    branch(&world, "ana", "late", "release/202611", edit("192.0.2.11\n", "192.0.2.12\n"));
    let late = open(&world, "late", "release/202611");
    wait(&world, &late, "awaiting_approval");
    branch(&world, "root", "release/202612", "release/202611", edit("192.0.2.2\n", "192.0.2.22\n"));
    branch(&world, "ana", "next", "release/202612", edit("192.0.2.11\n", "192.0.2.13\n"));
    let next = open(&world, "next", "release/202612");
    wait(&world, &next, "awaiting_approval");
    let shown = page(&world, &next);
    assert!(shown.contains("takes over from") && shown.contains("192.0.2.22") && shown.contains("192.0.2.13"), "{shown}");
    assert!(holds(&world, &zone, "mail", "192.0.2.2"), "nothing is written before the approval");
    // Whoever made the release does not approve what is on it.
    let refused = world.trueup("root", &["mr", "approve", &next, "--repo", "dns@release"]);
    assert_ne!(refused.code, 0, "{}", refused.out);
    approve(&world, &next);
    wait(&world, &next, "merged");
    assert!(holds(&world, &zone, "www", "192.0.2.13") && holds(&world, &zone, "mail", "192.0.2.22"), "{:?}", world.dns.records(&zone));

    // The older one governs nothing any more, whether a merge request was there before or comes later, and over a restart.
    wait(&world, &late, "refused");
    assert!(page(&world, &late).contains("`release/202612` took over from it"), "{}", page(&world, &late));
    world.kill();
    world.serve();
    branch(&world, "ana", "later", "release/202611", edit("192.0.2.11\n", "192.0.2.14\n"));
    let later = open(&world, "later", "release/202611");
    wait(&world, &later, "refused");
    branch(&world, "ana", "after", "release/202612", edit("192.0.2.13\n", "192.0.2.15\n"));
    let after = open(&world, "after", "release/202612");
    wait(&world, &after, "awaiting_approval");
    let shown = page(&world, &after);
    assert!(!shown.contains("takes over") && shown.contains("192.0.2.15"), "{shown}");
    approve(&world, &after);
    wait(&world, &after, "merged");
    assert!(holds(&world, &zone, "www", "192.0.2.15"), "{:?}", world.dns.records(&zone));
}

#[test]
fn only_an_admin_makes_a_release_and_nobody_pushes_to_one() {
    let (world, _) = releases();
    let work = world.work();
    let push = |person: &str, spec: &str| world.git(&work, &["push", "-q", &world.url(person), spec]);
    assert!(push("ana", "HEAD:refs/heads/release/202611").err.contains("an admin of the repository pushes it first"));
    push("root", "HEAD:refs/heads/release/202611").ok();
    world.commit("more", "root");
    assert!(push("root", "HEAD:refs/heads/release/202611").err.contains("is moved by trueup alone"));
    let said = world.trueup("ana", &["mr", "open", "--repo", "dns@release", "--source", "main", "--target", "elsewhere", "--title", "x"]);
    assert!(said.err.contains("`elsewhere` is not governed"), "{}", said.err);
}
