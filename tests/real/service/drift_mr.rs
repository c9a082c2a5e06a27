//! Stories of drift as a merge request of the server's own: merged it adopts, restored it brings back, and it goes when the drift goes.

use super::{config, world::World};
use crate::harness::EtcdServer;
use std::fs;

/// A world whose server sweeps all the time.
fn sweeping(world: World, propose: bool) -> World {
    configured(world, |text| format!("{text}drift: {{ every: 1s, reads: 6000, propose: {propose} }}\n"))
}

fn configured(mut world: World, edit: impl FnOnce(String) -> String) -> World {
    world.kill();
    let text = fs::read_to_string(world.config()).expect("it is there");
    fs::write(world.config(), edit(text)).expect("the folder is writable");
    world.serve();
    world
}

fn by_hand(world: &World, address: &str) {
    let www = format!("www.{}", world.zones[0]);
    world.dns.by_hand(&world.zones[0], &format!("update delete {www} A\nupdate add {www} 300 A {address}"));
}

fn www_is(world: &World, address: &str) -> bool {
    world.live().iter().any(|line| line.starts_with("www.") && line.ends_with(address))
}

/// The numbers of the changes there are, oldest first.
fn changes(world: &World) -> Vec<u64> {
    let all = world.trueup("ana", &["mr", "list", "--repo", "dns", "--json"]).json();
    let rows = all.as_array().or(all["changes"].as_array()).cloned().unwrap_or_default();
    rows.iter().filter_map(|row| row["number"].as_u64()).collect()
}

/// Waits for the server's own merge request; its number.
fn proposed(world: &World) -> u64 {
    world.until(|world| !changes(world).is_empty());
    changes(world)[0]
}

fn state(world: &World, number: u64) -> String {
    world.show(number)["state"].as_str().unwrap_or_default().to_owned()
}

/// What the sweep knows of a target.
fn swept(world: &World, target: &str) -> serde_json::Value {
    let told: serde_json::Value = serde_json::from_str(&world.get_as("ana", "api/v1/drift").1).expect("it is JSON");
    told["sweeps"].as_array().and_then(|all| all.iter().find(|of| of["target"] == target)).cloned().unwrap_or_default()
}

/// What the drift branch changes, without context.
fn diff(world: &World) -> String {
    world.git(&world.work(), &["fetch", "-q", "origin"]).ok();
    world.git(&world.work(), &["diff", "-U0", "origin/main", "origin/trueup/drift"]).ok()
}

#[test]
fn drift_is_proposed_by_one_small_edit_and_merging_it_adopts() {
    let world = sweeping(World::start(), true);
    let text = world.read(&world.zone_file());
    let number = world.propose("comments", |world| world.write(&world.zone_file(), &text.replace("www:\n", "# the shop\nwww:\n")));
    world.wait(number, "empty");
    world.approve(number);
    world.wait(number, "merged");
    by_hand(&world, "192.0.2.200");
    world.until(|world| changes(world).len() == 2);
    let number = changes(&world)[1];
    world.wait(number, "empty");
    let edits: Vec<String> = diff(&world).lines().filter(|line| line.starts_with(['+', '-']) && !line.starts_with("+++") && !line.starts_with("---")).map(str::to_owned).collect();
    assert_eq!(edits, ["-  value: 192.0.2.1", "+  value: 192.0.2.200"], "one line, comments and order kept");
    let shown = world.show(number);
    assert!(shown["title"].as_str().is_some_and(|title| title.contains("Drift: 1 resource on inside")), "{shown}");
    assert!(shown["comments"].to_string().contains("/trueup restore"), "it says the ways on: {shown}");
    // Another hand: the same merge request follows.
    by_hand(&world, "192.0.2.201");
    world.until(|world| diff(world).contains("192.0.2.201"));
    assert_eq!(changes(&world).len(), 2);
    world.wait(number, "empty");
    world.until(|world| world.trueup("ben", &["mr", "approve", &number.to_string(), "--repo", "dns"]).code == 0);
    world.wait(number, "merged");
    assert!(www_is(&world, "192.0.2.201"), "nothing is written: {:?}", world.live());
    world.git(&world.work(), &["fetch", "-q", "origin"]).ok();
    let main = world.git(&world.work(), &["show", &format!("origin/main:{}", world.zone_file())]).ok();
    assert!(main.contains("192.0.2.201") && main.contains("# the shop"), "{main}");
    assert_eq!(world.trueup("ana", &["drift", "--repo", "dns"]).code, 0);
}

#[test]
fn restore_on_it_brings_the_live_system_back_by_an_approved_plan_and_it_closes_itself() {
    let world = sweeping(World::start(), true);
    by_hand(&world, "192.0.2.200");
    let number = proposed(&world);
    world.wait(number, "empty");
    world.trueup("ben", &["mr", "say", &number.to_string(), "--repo", "dns", "restore"]).ok();
    world.wait(number, "awaiting_approval");
    assert!(www_is(&world, "192.0.2.200"), "nothing is written before the approval");
    let plan = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    assert!(plan.contains("- 300 192.0.2.200") && plan.contains("+ 300 192.0.2.1"), "{plan}");
    world.approve(number);
    world.until(|world| www_is(world, "192.0.2.1"));
    world.until(|world| state(world, number) == "closed");
    assert_eq!(world.trueup("ana", &["drift", "--repo", "dns"]).code, 0);
    assert!(world.show(number)["comments"].to_string().contains("The drift is gone"));
}

#[test]
fn drift_that_is_undone_or_answered_for_closes_it() {
    let world = sweeping(World::start(), true);
    by_hand(&world, "192.0.2.200");
    let first = proposed(&world);
    world.wait(first, "empty");
    by_hand(&world, "192.0.2.1");
    world.until(|world| state(world, first) == "closed");
    // The same drift again is another merge request.
    by_hand(&world, "192.0.2.200");
    world.until(|world| changes(world).len() == 2);
    let second = changes(&world)[1];
    world.wait(second, "empty");
    world.trueup("ben", &["mr", "comment", &second.to_string(), "--repo", "dns", &format!("/trueup override inside/rrset/{}/www/A until 1d tonight", world.zones[0])]).ok();
    world.until(|world| state(world, second) == "closed");
    let page = world.page_as("ana", &format!("http://127.0.0.1:{}/drift", world.port));
    assert!(page.0 == 200 && page.1.contains("192.0.2.200") && page.1.contains("tonight"), "{}", page.1);
    let status = world.trueup("ana", &["status"]).ok();
    assert!(status.contains("drift of dns on inside: 0 drifted, 1 overridden"), "{status}");
}

#[test]
fn what_a_person_closes_stays_closed_and_what_a_person_had_proposed_they_do_not_approve() {
    let world = sweeping(World::start(), true);
    by_hand(&world, "192.0.2.200");
    let number = proposed(&world);
    world.wait(number, "empty");
    world.trueup("ana", &["mr", "close", &number.to_string(), "--repo", "dns"]).ok();
    world.wait(number, "closed");
    // Several sweeps later there is still the one; something else is another one.
    let swept = |world: &World| world.get_as("ana", "api/v1/drift").1;
    let before = swept(&world);
    world.until(|world| swept(world) != before);
    assert_eq!(changes(&world), [number]);
    by_hand(&world, "192.0.2.201");
    world.until(|world| changes(world).len() == 2);

    let world = World::start();
    by_hand(&world, "192.0.2.200");
    let asked = world.trueup("ana", &["drift", "--repo", "dns", "--propose"]);
    assert_eq!(asked.code, 2, "{}{}", asked.out, asked.err);
    let number = proposed(&world);
    world.wait(number, "empty");
    let own = world.trueup("ana", &["mr", "approve", &number.to_string(), "--repo", "dns"]);
    assert!(own.code == 1 && own.err.contains("ana"), "{}{}", own.out, own.err);
    world.approve(number);
    world.wait(number, "merged");
}

#[test]
fn keys_changed_by_hand_in_etcd_are_adopted_byte_for_byte() {
    let etcd = EtcdServer::open(&[]);
    let addr = etcd.addr;
    let world = configured(World::start(), |text| {
        let text = text.replace("targets:\n  inside:", "      - target: center\n        units: [\"app/*\"]\ntargets:\n  inside:");
        format!("{text}  center:\n    kind: config/etcd\n    endpoints: [\"http://{addr}\"]\ndrift: {{ every: 1s, reads: 6000, propose: true }}\n")
    });
    let number = world.propose("govern-keys", |world| {
        let root = world.read("trueup.yaml");
        world.write("trueup.yaml", &root.replace("policy:\n", "  - path: config\n    format: keytree\n    targets: [center]\n    prefix: app/\npolicy:\n"));
        world.write("config/host", "db1.example.com");
        world.write("config/motd", "line\nwithout end");
    });
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "merged");
    etcd.put("app/host", b"db9.example.com\n");
    etcd.delete("app/motd");
    world.until(|world| changes(world).len() == 2);
    let number = changes(&world)[1];
    world.until(|world| diff(world).contains("deleted file"));
    world.wait(number, "empty");
    let drift = world.trueup("ana", &["drift", "--repo", "dns", "--target", "center"]);
    assert!(drift.code == 2 && drift.out.contains("written at revision"), "{}", drift.out);
    world.until(|world| world.trueup("ben", &["mr", "approve", &number.to_string(), "--repo", "dns"]).code == 0);
    world.wait(number, "merged");
    world.git(&world.work(), &["fetch", "-q", "origin"]).ok();
    assert_eq!(world.git(&world.work(), &["show", "origin/main:config/host"]).ok(), "db9.example.com\n");
    assert_ne!(world.git(&world.work(), &["show", "origin/main:config/motd"]).code, 0, "what is gone is gone");
}

#[test]
fn values_of_an_expanded_file_and_records_of_a_zone_file_are_edited_where_they_stand() {
    let world = World::start();
    let keys = world.dir.path().join("keys");
    fs::create_dir_all(&keys).expect("the folder is writable");
    let path = keys.display().to_string();
    let world = configured(world, |text| {
        let text = text.replace("targets:\n  inside:", "      - target: files\ntargets:\n  inside:");
        format!("{text}  files:\n    kind: config/directory\n    path: {path}\ndrift: {{ every: 1s, reads: 6000, propose: true }}\n")
    });
    let zone = world.zones[0].clone();
    let file = format!("zones/{}.zone", zone.trim_end_matches('.'));
    let yaml = "# the shop\ndb:\n  host: db1.example.com # the main one\n  port: 5432\n";
    let number = world.propose("by-hand", |world| {
        let root = world.read("trueup.yaml").replace("format: octodns", "format: zonefile");
        let source = "  - path: config\n    format: keytree\n    targets: [files]\n    prefix: app/\n    expand: [yaml]\n";
        world.write("trueup.yaml", &root.replace("policy:\n", &format!("{source}policy:\n")));
        fs::remove_file(world.work().join(world.zone_file())).expect("it is there");
        world
            .write(&file, "$TTL 300\n@ IN SOA ns1 admin 1 2 3 4 5\n  IN MX 10 mail\nns1 3600 IN A 192.0.2.53\n; the shop\nwww IN A 192.0.2.1 ; since May\n\nmail IN A 192.0.2.2\n");
        world.write("config/shop.yaml", yaml);
    });
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "merged");
    by_hand(&world, "192.0.2.200");
    fs::write(keys.join("app/shop/db/host"), "db9.example.com").expect("the folder is writable");
    world.until(|world| changes(world).len() == 2);
    let number = changes(&world)[1];
    world.until(|world| diff(world).matches("\n@@").count() == 2);
    let diff = diff(&world);
    for line in ["-www IN A 192.0.2.1 ; since May", "+www IN A 192.0.2.200 ; since May", "-  host: db1.example.com # the main one", "+  host: db9.example.com # the main one"] {
        assert!(diff.contains(&format!("\n{line}\n")), "`{line}`: {diff}");
    }
    assert!(!world.show(number)["comments"].to_string().contains("written anew"), "{}", world.show(number)["comments"]);
    world.wait(number, "empty");
    // One that somebody answers for is no drift any more, expanded or not; nor is one that is not there answered for.
    let claim = |key: &str| world.trueup("ben", &["override", "claim", key, "--repo", "dns", "--reason", "tonight", "--until", "1d"]);
    let same = claim("files/key/app/shop/db/port");
    assert!(same.code == 1 && same.err.contains("is live as it is asked for"), "{}{}", same.out, same.err);
    claim("files/key/app/shop/db/host").ok();
    world.until(|world| !self::diff(world).contains("db9"));
    world.wait(number, "empty");
    world.approve(number);
    world.wait(number, "merged");
    let drift = world.trueup("ana", &["drift", "--repo", "dns"]);
    assert_eq!(drift.code, 0, "{}{}", drift.out, drift.err);
}

#[test]
fn a_file_that_two_zones_include_is_not_edited_for_one_of_them() {
    let lines = "www 300 IN A 192.0.2.1\nmail 300 IN A 192.0.2.2\n@ 300 IN MX 10 mail";
    let mut world = World::start();
    let second = world.dns.fresh_zone(lines);
    world.zones.push(second.clone());
    let world =
        configured(world, |text| text.replace("          - missing.test.\n", &format!("          - \"{second}\"\n")) + "drift: { every: 1s, reads: 6000, propose: true }\n");
    let first = world.zones[0].clone();
    let file = |zone: &str| format!("zones/{}.zone", zone.trim_end_matches('.'));
    let common = "www IN A 192.0.2.1\nmail IN A 192.0.2.2\n";
    let number = world.propose("shared", |world| {
        world.write("trueup.yaml", &world.read("trueup.yaml").replace("format: octodns", "format: zonefile"));
        fs::remove_file(world.work().join(world.zone_file())).expect("it is there");
        for zone in &world.zones {
            world.write(&file(zone), "$TTL 300\n@ IN SOA ns1 admin 1 2 3 4 5\n  IN MX 10 mail\nns1 3600 IN A 192.0.2.53\n$INCLUDE common.inc\n");
        }
        world.write("zones/common.inc", common);
    });
    world.wait(number, "empty");
    world.approve(number);
    world.wait(number, "merged");
    // One record of the shared file, and one of the zone's own.
    by_hand(&world, "192.0.2.200");
    world.dns.by_hand(&first, &format!("update delete ns1.{first} A\nupdate add ns1.{first} 3600 A 192.0.2.54"));
    world.until(|world| changes(world).len() == 2);
    let number = changes(&world)[1];
    world.until(|world| diff(world).contains("192.0.2.54") && world.show(number)["comments"].to_string().contains("common.inc"));
    let (diff, said) = (diff(&world), world.show(number)["comments"].to_string());
    assert!(diff.contains(&file(&first)) && !diff.contains("common.inc") && !diff.contains(&file(&second)) && !diff.contains("192.0.2.200"), "{diff}");
    assert!(
        said.contains("zones/common.inc:1:1") && said.contains(&format!("is read for `{second}` as well")) && said.contains(&format!("own file of `{first}` by hand")),
        "{said}"
    );
    assert!(said.contains(&format!("www.{}", first.trim_end_matches('.'))), "{said}");
    world.wait(number, "empty");
    world.until(|world| world.trueup("ben", &["mr", "approve", &number.to_string(), "--repo", "dns"]).code == 0);
    world.wait(number, "merged");
    // A record more of a name that stands in the shared file would go there as well.
    world.dns.by_hand(&first, &format!("update delete www.{first} A\nupdate add www.{first} 300 A 192.0.2.1\nupdate add ns1.{first} 3600 A 192.0.2.55"));
    world.until(|world| changes(world).len() == 3);
    world.until(|world| self::diff(world).contains("192.0.2.55"));
    assert!(!self::diff(&world).contains("common.inc"), "{}", self::diff(&world));
}

#[test]
fn a_restart_neither_forgets_what_the_sweep_found_nor_looks_again_before_it_is_time() {
    let world = World::start();
    by_hand(&world, "192.0.2.200");
    let mut world = configured(world, |text| format!("{text}drift: {{ every: 1d }}\n"));
    let swept = |world: &World| -> serde_json::Value { serde_json::from_str(&world.get_as("ana", "api/v1/drift").1).expect("it is JSON") };
    world.until(|world| swept(world)["sweeps"][0]["drifted"] == 1 && !swept(world)["sweeps"][0]["ended"].is_null());
    let before = swept(&world);
    by_hand(&world, "192.0.2.1");
    world.kill();
    world.serve();
    world.until(|world| swept(world) == before);
    assert_eq!(world.number("trueup_drift{repo=\"dns\",target=\"inside\"}"), 1);
}

#[test]
fn what_policy_calls_sensitive_is_never_written_into_it() {
    let world = sweeping(World::start_with("  sensitive: [\"*/www/A\"]\n"), true);
    by_hand(&world, "192.0.2.213");
    world.dns.by_hand(&world.zones[0], &format!("update delete mail.{0} A\nupdate add mail.{0} 300 A 192.0.2.22", world.zones[0]));
    let number = proposed(&world);
    world.until(|world| diff(world).contains("192.0.2.22"));
    let comments = world.show(number)["comments"].to_string();
    world.until(|world| world.show(number)["comments"].to_string().contains("is sensitive"));
    assert!(!diff(&world).contains("192.0.2.213") && !comments.contains("192.0.2.213"), "{comments}");
    assert!(!world.get_as("ana", "api/v1/drift").1.contains("192.0.2.213"));
}

#[test]
fn a_target_that_is_down_holds_up_no_other_and_nothing_is_closed_on_a_guess() {
    let dns: &'static crate::harness::DnsServer = Box::leak(Box::new(crate::harness::DnsServer::start_bind()));
    let world = sweeping(World::start_behind(dns, dns.addr), true);
    by_hand(&world, "192.0.2.200");
    let number = proposed(&world);
    world.wait(number, "empty");
    dns.stop();
    world.until(|world| world.get_as("ana", "api/v1/drift").1.contains("\"faults\":[{"));
    assert_eq!(state(&world, number), "open", "what cannot be read may still differ");
    dns.start_again();
    by_hand(&world, "192.0.2.1");
    world.until(|world| state(world, number) == "closed");
}

#[test]
fn a_target_that_is_away_for_a_look_ends_no_round_and_what_drifted_there_still_counts() {
    let dns: &'static crate::harness::DnsServer = Box::leak(Box::new(crate::harness::DnsServer::start_bind()));
    let world = config::with_files(World::start_behind(dns, dns.addr));
    config::govern(&world);
    by_hand(&world, "192.0.2.200");
    let world = sweeping(world, false);
    world.until(|world| swept(world, "inside")["drifted"] == 1 && !swept(world, "inside")["ended"].is_null());
    dns.stop();
    world.until(|world| swept(world, "inside")["faults"].as_array().is_some_and(|faults| !faults.is_empty()));
    let (before, beside) = (swept(&world, "inside"), swept(&world, "files"));
    assert_eq!(before["drifted"], 1, "nobody saw it end: {before}");
    // The other target goes on, round by round.
    world.until(|world| swept(world, "files")["ended"] != beside["ended"]);
    assert_eq!(swept(&world, "inside")["ended"], before["ended"], "no round ended there");
    dns.start_again();
    world.until(|world| swept(world, "inside")["ended"] != before["ended"]);
    let after = swept(&world, "inside");
    assert!(after["drifted"] == 1 && after["faults"].as_array().is_some_and(Vec::is_empty), "{after}");
}

#[test]
fn what_was_found_is_found_where_it_stands_now_after_a_merge_of_a_file_in_front() {
    let world = config::with_files(World::start());
    let key = |n: u32| format!("k{n:03}");
    let number = world.propose("govern-keys", |world| {
        let root = world.read("trueup.yaml");
        world.write("trueup.yaml", &root.replace("policy:\n", "  - path: config\n    format: keytree\n    targets: [files]\n    prefix: app/\npolicy:\n"));
        (0..600).for_each(|n| world.write(&format!("config/{}", key(n)), "as asked"));
    });
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "merged");
    // The last of the first 500, and the first after them.
    for n in [499, 500] {
        fs::write(config::folder(&world).join("app").join(key(n)), "by hand").expect("the folder is writable");
    }
    let world = configured(world, |text| format!("{text}drift: {{ every: 1d, reads: 6000, propose: true }}\n"));
    let counts = |world: &World| (swept(world, "files")["drifted"].as_u64(), swept(world, "files")["overridden"].as_u64());
    world.until(|world| counts(world) == (Some(2), Some(0)));
    world.until(|world| changes(world).len() == 2);
    let drift = changes(&world)[1];
    let id = format!("files/key/app/{}", key(500));
    world.trueup("ben", &["override", "claim", &id, "--repo", "dns", "--reason", "tonight", "--until", "1d"]).ok();
    world.until(|world| counts(world) == (Some(1), Some(1)));
    let front = world.propose("front", |world| world.write("config/a", "in front"));
    world.wait(front, "awaiting_approval");
    world.approve(front);
    world.wait(front, "merged");
    // What was found is looked at again, though every part begins and ends elsewhere now.
    world.trueup("ben", &["override", "end", &id, "--repo", "dns"]).ok();
    world.until(|world| counts(world) == (Some(2), Some(0)));
    world.until(|world| diff(world).matches("+by hand").count() == 2);
    assert_eq!(state(&world, drift), "open", "the drift is not gone: {}", world.show(drift));
}
