//! Stories of exemptions: what the server of a target refuses is skipped, and merged without as somebody else approves.

use super::world::World;
use crate::harness::{ETCD_PASSWORD, ETCD_USER, EtcdServer};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use std::fs;

/// A running server that also governs all keys of an etcd of which it may write those below `/open/` alone; one of each kind is there and governed.
fn start(etcd: &EtcdServer) -> World {
    etcd.put("/open/a", b"1");
    etcd.put("/closed/b", b"1");
    etcd.put("/closed/c", b"1");
    let mut world = World::start();
    world.kill();
    fs::write(world.dir.path().join("etcd.password"), ETCD_PASSWORD).expect("the folder is writable");
    let text = fs::read_to_string(world.config()).expect("it is there");
    let text =
        text.replace("approvers: [ana, ben]", "approvers: [ana, ben, cleo]").replace("targets:\n  inside:", "      - target: center\n        units: [\"/*\"]\ntargets:\n  inside:");
    let target = format!("  center:\n    kind: config/etcd\n    endpoints: [\"http://{}\"]\n    user: {ETCD_USER}\n    password: {{ file: etcd.password }}\n", etcd.addr);
    fs::write(world.config(), text + &target).expect("the folder is writable");
    world.serve();
    let number = world.propose("govern", |world| {
        let source = "  - path: keys\n    format: keytree\n    targets: [center]\n    prefix: /\npolicy:\n";
        world.write("trueup.yaml", &world.read("trueup.yaml").replace("policy:\n", source));
        for key in ["open/a", "closed/b", "closed/c"] {
            world.write(&format!("keys/{key}"), "1");
        }
    });
    // All of it is live already, and adopted.
    world.wait(number, "empty");
    world.approve(number);
    world.wait(number, "merged");
    world
}

fn key(etcd: &EtcdServer, key: &str) -> Option<String> {
    etcd.all().into_iter().find(|(name, _)| name == key).map(|(_, value)| String::from_utf8(value).expect("it is text"))
}

fn say(world: &World, person: &str, number: u64, words: &[&str]) -> super::world::Said {
    world.trueup(person, &[&["mr", "say", &number.to_string(), "--repo", "dns"], words].concat())
}

fn drift(world: &World) -> super::world::Said {
    world.trueup("ana", &["drift", "--repo", "dns", "--target", "center"])
}

fn overrides(world: &World) -> serde_json::Value {
    world.trueup("ana", &["override", "list", "--json"]).json()
}

fn standing(world: &World) -> usize {
    overrides(world)["overrides"].as_array().map_or(0, Vec::len)
}

/// Proposes a change of both keys and waits until the one that the server refuses has failed.
fn half_done(world: &World, etcd: &EtcdServer, value: &str) -> u64 {
    let number = world.propose(&format!("both-{value}"), |world| {
        world.write("keys/open/a", value);
        world.write("keys/closed/b", value);
    });
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "failed");
    assert_eq!((key(etcd, "/open/a").as_deref(), key(etcd, "/closed/b").as_deref()), (Some(value), Some("1")), "one is written, the other may not be");
    number
}

/// Skips what failed as ben; the digest of the exemption.
fn skipped(world: &World, number: u64, more: &[&str]) -> String {
    let step = world.show(number)["failures"][0]["step"].to_string();
    say(world, "ben", number, &[&["skip", &step], more, &["the", "key", "comes", "on", "monday"]].concat()).ok();
    let digest = world.show(number)["exemption"]["digest"].as_str().expect("it waits for an exemption").to_owned();
    digest[..12].to_owned()
}

#[test]
fn what_a_server_refuses_is_merged_without_as_another_approves_and_is_an_override_until_the_next_change() {
    let etcd = EtcdServer::closed();
    let world = start(&etcd);
    let number = half_done(&world, &etcd, "2");
    let digest = skipped(&world, number, &[]);
    // What it would merge without, wherever somebody looks.
    let shown = world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok();
    let (_, page) = world.page_as("ana", &format!("http://127.0.0.1:{}/changes/dns/{number}", world.port));
    let comment = world.show(number)["comments"].to_string();
    for (where_, text) in [("mr show", &shown), ("the page", &page), ("the comment", &comment)] {
        assert!(text.contains("closed/b") && text.contains("the key comes on monday") && text.contains(&digest), "{where_}: {text}");
    }
    // Nobody exempts by accident, nor what they pushed or skipped themselves.
    let approve = |person: &str, what: &[&str]| world.trueup(person, &[&["mr", "say", &number.to_string(), "--repo", "dns", "approve"], what].concat());
    for (person, what, why) in [
        ("cleo", &[][..], "Not approved: what there is to approve"),
        ("ana", &[digest.as_str()][..], "nobody approves their own change"),
        ("ben", &[digest.as_str()][..], "nobody exempts what they skipped"),
    ] {
        let said = approve(person, what);
        assert!(format!("{}{}", said.out, said.err).contains(why), "{person}: {}{}", said.out, said.err);
    }
    assert_eq!(world.show(number)["phase"], "failed");
    approve("cleo", &[&digest]).ok();
    world.wait(number, "merged");
    let said = world.show(number);
    assert!(said["waits_for"].as_str().is_some_and(|text| text.contains("converged except 1 item")), "{said}");
    let work = world.work();
    world.git(&work, &["fetch", "-q", "origin"]).ok();
    let message = world.git(&work, &["log", "-1", "--format=%B", "origin/main"]).ok();
    assert!(message.contains("Converged except 1") && message.contains("closed/b") && message.contains("left out by ben") && message.contains("Trueup-Digest:"), "{message}");
    // Base asks for what is not live, and ben answers for that.
    world.until(|world| standing(world) == 1);
    let known = overrides(&world)["overrides"][0].clone();
    assert!(known["by"] == "ben" && known.to_string().contains("closed/b") && known.to_string().contains("the key comes on monday"), "{known}");
    let told = drift(&world);
    assert!(told.code == 0 && told.out.contains("(overridden)"), "{}{}", told.out, told.err);
    // The next change of the key is planned over what is live, and once it is made the override is over.
    let closed = json!({ "permType": "READWRITE", "key": STANDARD.encode("/closed/"), "range_end": STANDARD.encode("/closed0") });
    etcd.ask("/v3/auth/role/grant", &json!({ "name": ETCD_USER, "perm": closed }));
    let next = world.propose("next", |world| world.write("keys/closed/b", "3"));
    world.wait(next, "awaiting_approval");
    world.approve(next);
    world.wait(next, "merged");
    assert_eq!(key(&etcd, "/closed/b").as_deref(), Some("3"));
    world.until(|world| standing(world) == 0);
    assert_eq!(drift(&world).code, 0);
}

#[test]
fn a_delete_is_exempted_and_merged_over_a_base_that_moved_meanwhile() {
    let etcd = EtcdServer::closed();
    let world = start(&etcd);
    let number = world.propose("drop", |world| {
        world.write("keys/open/a", "2");
        fs::remove_file(world.work().join("keys/closed/c")).expect("it is there");
    });
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "failed");
    let digest = skipped(&world, number, &["until", "3d"]);
    let other = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(other, "awaiting_approval");
    world.approve(other);
    world.wait(other, "merged");
    say(&world, "cleo", number, &["approve", &digest]).ok();
    world.wait(number, "merged");
    assert_eq!(key(&etcd, "/closed/c").as_deref(), Some("1"), "it is still there");
    let journal = world.get_as("ana", &format!("api/v1/repos/dns/mrs/{number}/journal")).1;
    assert_eq!(journal.matches("\"exempted\"").count(), 1, "nobody was asked twice: {journal}");
    world.until(|world| standing(world) == 1);
    assert!(overrides(&world)["overrides"][0].to_string().contains("closed/c"), "{}", overrides(&world));
    assert_eq!(drift(&world).code, 0, "it is nobody's but bens");
}

#[cfg(feature = "faults")]
#[test]
fn what_a_merge_left_out_becomes_an_override_though_the_server_dies_right_after_the_merge() {
    use super::overrides::{holds_at, is_held};
    let etcd = EtcdServer::closed();
    let mut world = start(&etcd);
    let number = half_done(&world, &etcd, "2");
    let digest = skipped(&world, number, &[]);
    let points = holds_at(&mut world, "overrides end");
    say(&world, "cleo", number, &["approve", &digest]).ok();
    is_held(&world, &points, "overrides end");
    world.kill();
    world.env.clear();
    world.serve();
    world.until(|world| standing(world) == 1);
    world.wait(number, "merged");
    assert_eq!(drift(&world).code, 0);
}
