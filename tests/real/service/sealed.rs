//! Stories of sensitive values on etcd, Consul and a name server: what was there comes back from its seal, and is told nowhere in between.

use super::{
    canary::answers,
    secrets::{keep, say, shown},
    world::{SEAL_KEY, World},
};
use crate::harness::{Canaries, ConsulServer, EtcdServer};
use std::fs;

/// Both config centers behind one running server. What starts with `shop/secret/` is sensitive by the server's grant on etcd, and by policy on Consul.
struct Centers {
    etcd: EtcdServer,
    consul: ConsulServer,
}

impl Centers {
    fn start() -> (Self, World) {
        let centers = Self { etcd: EtcdServer::open(&[]), consul: ConsulServer::open() };
        let mut world = World::start_with("  sensitive: [\"consul/key/shop/secret/*\"]\n");
        world.kill();
        keep(&world, "app-one", "canary-one-0f3a");
        keep(&world, "app-two", "canary-two-77c1");
        let text = fs::read_to_string(world.config()).expect("it is there");
        let text = text.replace("    grants:\n", "    secrets: [\"file/app-*\"]\n    grants:\n");
        let grants = "      - target: etcd\n        units: [\"/shop/*\"]\n        sensitive: [\"/shop/secret/*\"]\n      - target: consul\n        units: [\"shop/*\"]\n";
        let text = text.replace("targets:\n  inside:", &format!("{grants}targets:\n  inside:"));
        let targets = format!(
            "  etcd:\n    kind: config/etcd\n    endpoints: [\"http://{}\"]\n  consul:\n    kind: config/consul\n    endpoints: [\"http://{}\"]\n",
            centers.etcd.addr, centers.consul.addr
        );
        fs::write(world.config(), format!("{text}{targets}")).expect("the folder is writable");
        world.serve();
        (centers, world)
    }

    /// What both hold under a name below the prefix.
    fn live(&self, name: &str) -> [Option<String>; 2] {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is text");
        let etcd = self.etcd.all().into_iter().find(|(key, _)| *key == format!("/shop/{name}")).map(|(_, value)| text(value));
        let consul = self.consul.all().into_iter().find(|(key, _, _)| *key == format!("shop/{name}")).map(|(_, value, _)| text(value));
        [etcd, consul]
    }

    fn by_hand(&self, name: &str, value: &str) {
        self.etcd.put(&format!("/shop/{name}"), value.as_bytes());
        self.consul.put(&format!("shop/{name}"), value.as_bytes());
    }

    /// Asks both for the same text under a name.
    fn ask(world: &World, name: &str, text: &str) {
        for folder in ["etcd", "consul"] {
            world.write(&format!("{folder}/{name}"), text);
        }
    }
}

fn both(value: &str) -> [Option<String>; 2] {
    [Some(value.to_owned()), Some(value.to_owned())]
}

#[test]
fn a_secret_on_etcd_and_consul_is_written_masked_everywhere_and_comes_back_from_its_seal() {
    let (centers, mut world) = Centers::start();
    let planted = ["canary-one-0f3a", "canary-two-77c1", "canary-by-hand-31e0", "canary-live-5e5e", SEAL_KEY];
    let canaries = Canaries::new(&planted);
    let nowhere = |world: &World, number: u64, when: &str| {
        let (good, all) = answers(world, number);
        assert!(good >= 3, "{when}: {good} answers: {all}");
        assert!(canaries.in_text(&all).is_empty(), "{when}: {:?} in {all}", canaries.in_text(&all));
    };
    // The first references find what they lead to live already: nothing is written. The token is another one on both systems.
    centers.by_hand("db/password", "canary-one-0f3a");
    centers.by_hand("secret/token", "canary-live-5e5e");
    let before = centers.etcd.revision();
    let first = world.propose("govern", |world| {
        let sources =
            "  - path: etcd\n    format: keytree\n    targets: [etcd]\n    prefix: /shop/\n  - path: consul\n    format: keytree\n    targets: [consul]\n    prefix: shop/\n";
        let root = world.read("trueup.yaml").replace("policy:\n", &format!("{sources}policy:\n"));
        world.write("trueup.yaml", &root.replace("window: 2s", "window: 60s"));
        Centers::ask(world, "db/password", "secret://file/app-one");
    });
    world.wait(first, "empty");
    world.approve(first);
    world.wait(first, "merged");
    assert_eq!(centers.etcd.revision(), before, "adopted, not written");
    // A plain value where only references belong; a hand's value where one is asked for, and somebody answers for it.
    let plain = world.propose("plain", |world| Centers::ask(world, "secret/token", "in-the-clear"));
    world.wait(plain, "refused");
    let text = shown(&world, plain);
    for place in ["etcd/secret/token:1:1", "consul/secret/token:1:1"] {
        assert!(text.contains(place) && text.contains("a plain value stands here") && !text.contains("in-the-clear"), "{place}: {text}");
    }
    let number = world.propose("two", |world| {
        Centers::ask(world, "db/password", "secret://file/app-two");
        Centers::ask(world, "secret/token", "secret://file/app-two");
    });
    world.wait(number, "refused");
    let text = shown(&world, number);
    assert!(text.contains("secret/token") && text.contains("is live already"), "{text}");
    nowhere(&world, number, "beside live tokens");
    for id in ["etcd/key//shop/secret/token", "consul/key/shop/secret/token"] {
        world.trueup("ben", &["override", "claim", id, "--repo", "dns", "--reason", "moves tonight", "--until", "1d"]).ok();
    }
    say(&world, number, &["plan"]);
    world.wait(number, "awaiting_approval");
    let plan = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    assert_eq!((plan.matches("+ secret://file/app-two").count(), plan.matches("- (sensitive)").count()), (4, 4), "{plan}");
    nowhere(&world, number, "before the approval");
    world.approve(number);
    world.wait(number, "verifying");
    assert_eq!((centers.live("db/password"), centers.live("secret/token")), (both("canary-two-77c1"), both("canary-two-77c1")));
    nowhere(&world, number, "while verifying");
    // A hand in the window, and gone again.
    centers.by_hand("db/password", "canary-by-hand-31e0");
    world.until(|world| shown(world, number).contains("changed by another writer") || world.show(number)["phase"] == "refused");
    nowhere(&world, number, "after drift");
    let drift = world.trueup("ana", &["drift", "--repo", "dns"]);
    assert!(drift.code == 2 && drift.out.contains("db/password"), "{}{}", drift.out, drift.err);
    centers.by_hand("db/password", "canary-two-77c1");
    // Its provider has lost the old one, and nobody ever had the token: only what was sealed brings them back.
    fs::remove_file(world.dir.path().join("app-one")).expect("it is there");
    world.kill();
    world.serve();
    say(&world, number, &["restore"]);
    world.wait(number, "restored");
    assert_eq!((centers.live("db/password"), centers.live("secret/token")), (both("canary-one-0f3a"), both("canary-live-5e5e")));
    nowhere(&world, number, "after the restore");
    let log = world.log();
    world.kill();
    assert!(canaries.in_text(&log).is_empty(), "{log}");
    let (searched, found) = canaries.below(&world.dir.path().join("data"));
    assert!(searched > 10 && found.is_empty(), "{searched} files of the server were searched: {found:?}");
}

#[test]
fn a_sensitive_record_comes_back_from_its_seal_and_is_told_nowhere() {
    let mut world = World::start_with("  sensitive: [\"*/_canary/TXT\"]\n");
    let canaries = Canaries::new(&["canary-by-hand-88aa", "canary-second-41d2", SEAL_KEY]);
    let nowhere = |world: &World, number: u64, when: &str| {
        let (_, all) = answers(world, number);
        assert!(canaries.in_text(&all).is_empty(), "{when}: {:?} in {all}", canaries.in_text(&all));
    };
    let zone = world.zones[0].clone();
    let record = |text: &str| format!("_canary:\n  ttl: 300\n  type: TXT\n  value: {text}\n");
    let holds = |world: &World, values: &[&str]| {
        let live: Vec<String> = world.live().into_iter().filter(|line| line.starts_with("_canary.")).collect();
        assert!(live.len() == values.len() && values.iter().all(|value| live.iter().any(|line| line.contains(value))), "{values:?}: {live:?}");
    };
    // From then on a change is watched for a minute, so that nothing merges under the test's hands.
    let first = world.propose("first", |world| {
        world.write("trueup.yaml", &world.read("trueup.yaml").replace("window: 2s", "window: 60s"));
        world.write(&world.zone_file(), &format!("{}{}", world.read(&world.zone_file()), record("first-in-git")));
    });
    world.wait(first, "awaiting_approval");
    world.approve(first);
    world.wait(first, "merged");
    // What was there before the next change is on the name server alone: two texts, and a time of their own.
    world
        .dns
        .by_hand(&zone, &format!("update delete _canary.{zone} TXT\nupdate add _canary.{zone} 420 TXT canary-by-hand-88aa\nupdate add _canary.{zone} 420 TXT canary-second-41d2"));
    let id = format!("inside/rrset/{zone}/_canary/TXT");
    world.trueup("ben", &["override", "claim", &id, "--repo", "dns", "--reason", "moves tonight", "--until", "1d"]).ok();
    let number = world.propose("second", |world| world.edit_zone("first-in-git", "second-in-git"));
    world.wait(number, "awaiting_approval");
    nowhere(&world, number, "before the approval");
    world.approve(number);
    world.wait(number, "verifying");
    holds(&world, &["second-in-git"]);
    nowhere(&world, number, "while verifying");
    world.kill();
    world.serve();
    say(&world, number, &["restore"]);
    world.wait(number, "restored");
    holds(&world, &["canary-by-hand-88aa", "canary-second-41d2"]);
    assert!(world.live().iter().filter(|line| line.starts_with("_canary.")).all(|line| line.contains("420")), "with the time it had: {:?}", world.live());
    nowhere(&world, number, "after the restore");
    let log = world.log();
    world.kill();
    assert!(canaries.in_text(&log).is_empty(), "{log}");
    let (searched, found) = canaries.below(&world.dir.path().join("data"));
    assert!(searched > 10 && found.is_empty(), "{searched} files of the server were searched: {found:?}");
}

#[test]
fn what_older_journals_keep_plain_is_named_and_not_told() {
    let mut world = World::start();
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "merged");
    let config = world.config().display().to_string();
    let examine = |world: &World| world.trueup("root", &["store", "examine", "--config", &config]);
    let held = examine(&world);
    assert!(held.code == 1 && !held.err.is_empty(), "a server that runs holds its store: {}{}", held.out, held.err);
    world.kill();
    let said = examine(&world);
    assert!(said.code == 0 && said.out.contains("no plan in a journal keeps plain"), "{}{}", said.out, said.err);
    // It is called sensitive afterwards.
    let text = fs::read_to_string(world.config()).expect("it is there");
    let zone = world.zones[0].clone();
    fs::write(world.config(), text.replace("        units:\n", &format!("        sensitive: [\"{zone}\"]\n        units:\n"))).expect("the folder is writable");
    let said = examine(&world);
    assert!(said.code == 2 && said.out.contains(&format!("dns!{number}: inside/rrset/{zone}/www/A")) && !said.out.contains("192.0.2."), "{}{}", said.out, said.err);
    world.serve();
    world.until(|world| world.show(number)["phase"] == "merged");
}
