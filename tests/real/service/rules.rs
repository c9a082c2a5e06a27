//! Stories of what a repository says of itself: what it governs, what it gives up, and by whose word.

use super::world::World;
use crate::harness::DnsServer;

/// A merge request's page as a person reads it.
fn shown(world: &World, number: u64) -> String {
    let number = number.to_string();
    world.trueup("ana", &["mr", "show", &number, "--repo", "dns"]).ok() + &world.trueup("ana", &["mr", "plan", &number, "--repo", "dns"]).ok()
}

fn says(world: &World, person: &str, number: u64) -> i32 {
    world.trueup(person, &["mr", "approve", &number.to_string(), "--repo", "dns"]).code
}

fn www_is(world: &World, value: &str) -> bool {
    world.live().iter().any(|line| line.starts_with("www.") && line.ends_with(value))
}

/// Replaces text in the server's configuration and starts it anew.
fn reconfigure(world: &mut World, old: &str, new: &str) {
    let text = std::fs::read_to_string(world.config()).expect("the configuration is there");
    assert!(text.contains(old), "{text}");
    world.kill();
    std::fs::write(world.config(), text.replace(old, new)).expect("the folder is writable");
    world.serve();
}

#[test]
fn a_record_that_becomes_ignored_stops_being_governed_and_stays_live() {
    let world = World::start();
    let www = format!("www.{}", world.zones[0]);
    let number = world.propose("ignore-www", |world| world.edit_zone("www:\n  ttl: 300\n", "www:\n  octodns: {ignored: true}\n  ttl: 300\n"));
    world.wait(number, "awaiting_approval");
    let page = shown(&world, number);
    assert!(page.contains("release") && !page.contains("delete"), "{page}");
    world.approve(number);
    world.wait(number, "merged");
    assert!(www_is(&world, "192.0.2.1"), "it stays: {:?}", world.live());
    // From now on it is somebody else's: a hand's edit is no drift, and the file's other records change beside it.
    world.dns.by_hand(&world.zones[0], &format!("update delete {www} A\nupdate add {www} 300 A 192.0.2.200"));
    let next = world.propose("move-mail", |world| world.edit_zone("192.0.2.2\n", "192.0.2.78\n"));
    world.wait(next, "awaiting_approval");
    world.approve(next);
    world.wait(next, "merged");
    assert!(www_is(&world, "192.0.2.200"), "{:?}", world.live());
}

#[test]
fn released_records_stay_live_and_a_later_merge_request_adopts_them() {
    let world = World::start();
    let record = "www:\n  ttl: 300\n  type: A\n  value: 192.0.2.1\n";
    let number = world.propose("give-up-www", |world| {
        world.edit_zone(record, "");
        let root = world.read("trueup.yaml");
        world.write("trueup.yaml", &format!("release: [\"inside/rrset/*/www/A\"]\n{root}"));
    });
    world.wait(number, "awaiting_approval");
    assert!(shown(&world, number).contains("1 to release"), "{}", shown(&world, number));
    world.approve(number);
    world.wait(number, "merged");
    assert!(www_is(&world, "192.0.2.1"), "nothing is deleted: {:?}", world.live());
    let back = world.propose("adopt-www", |world| {
        world.write(&world.zone_file(), &format!("{}{record}", world.read(&world.zone_file())));
        let root = world.read("trueup.yaml");
        world.write("trueup.yaml", root.split_once('\n').expect("the file has lines").1);
    });
    world.wait(back, "empty");
    assert!(shown(&world, back).contains("1 to adopt"), "{}", shown(&world, back));
    world.approve(back);
    world.wait(back, "merged");
    let delete = world.propose("delete-www", |world| world.edit_zone(record, ""));
    world.wait(delete, "awaiting_approval");
    world.approve(delete);
    world.wait(delete, "merged");
    assert!(!world.live().iter().any(|line| line.starts_with("www.")), "governed again, so it goes: {:?}", world.live());
}

#[test]
fn a_repository_that_drops_its_sources_or_trueup_yaml_waits_for_an_approval_and_deletes_nothing() {
    let world = World::start();
    let before = world.live();
    let source = "sources:\n  - path: zones\n    format: octodns\n    targets: [inside]\n";
    let plan = |world: &World| {
        let config = world.config().display().to_string();
        world.trueup("ana", &["plan", "--repo", &world.work().display().to_string(), "--base", "origin/main", "--head", "HEAD", "--config", &config])
    };
    let dropped = world.propose("no-trueup", |world| std::fs::remove_file(world.work().join("trueup.yaml")).expect("the file is there"));
    let said = plan(&world);
    assert_eq!(said.code, 2, "giving up is a change: {}{}", said.out, said.err);
    world.wait(dropped, "awaiting_approval");
    assert!(shown(&world, dropped).contains("4 to release"), "{}", shown(&world, dropped));
    let number = world.propose("no-source", |world| world.write("trueup.yaml", &world.read("trueup.yaml").replace(source, "sources: []\n")));
    let said = plan(&world);
    assert!(said.code == 2 && said.out.contains("to release"), "{}{}", said.out, said.err);
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "merged");
    assert_eq!(world.live(), before);
}

#[test]
fn a_base_that_cannot_be_read_is_mended_by_a_merge_request_that_an_admin_approves() {
    let world = World::start();
    // An operator's hand at the bare repository, past the server.
    let work = world.work();
    let root = world.read("trueup.yaml");
    world.write("trueup.yaml", &root.replace("sources:", "sauces:"));
    world.commit("by hand", "root");
    let bare = world.dir.path().join("data/repos/dns.git");
    world.git(&bare, &["fetch", "-q", &work.display().to_string(), "HEAD"]).ok();
    let head = world.git(&work, &["rev-parse", "HEAD"]).ok();
    world.git(&bare, &["update-ref", "refs/heads/main", head.trim()]).ok();
    let other = world.propose("move-mail", |world| world.edit_zone("192.0.2.2\n", "192.0.2.78\n"));
    world.wait(other, "refused");
    let page = world.trueup("ana", &["mr", "show", &other.to_string(), "--repo", "dns"]).ok();
    assert!(page.contains("on the base branch") && page.contains("trueup.yaml:1:1"), "{page}");
    let fix = world.propose("mend", |world| {
        world.write("trueup.yaml", &root);
        world.edit_zone("192.0.2.1\n", "192.0.2.77\n");
    });
    world.wait(fix, "awaiting_approval");
    let page = shown(&world, fix);
    assert!(page.contains("`sauces`") && page.contains("the last that could be read") && page.contains("an admin approves"), "{page}");
    assert_eq!(says(&world, "ben", fix), 1, "ben is no admin");
    assert_eq!(says(&world, "root", fix), 0);
    world.wait(fix, "merged");
    assert!(www_is(&world, "192.0.2.77"), "{:?}", world.live());
    world.until(|world| world.show(other)["phase"] == "awaiting_approval");
}

#[test]
fn a_template_that_cannot_be_read_is_refused_before_it_governs() {
    let world = World::start();
    let number = world.propose("waves", |world| world.write("plans/waves.yaml", "name: waves\nwavs: 3\n"));
    world.wait(number, "refused");
    let page = world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok();
    assert!(page.contains("plans/waves.yaml:2"), "{page}");
}

#[test]
fn a_group_of_the_server_approves_and_nobody_else() {
    let mut world = World::start_with("  approvals:\n    - by: [\"@sre\"]\n");
    reconfigure(&mut world, "repositories:\n", "groups:\n  sre: [root]\nrepositories:\n");
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    says(&world, "ben", number);
    assert_eq!(world.show(number)["phase"], "awaiting_approval", "ben is not of the group");
    assert_eq!(says(&world, "root", number), 0);
    world.wait(number, "merged");
    let stranger = world.propose("stranger", |world| world.write("trueup.yaml", &world.read("trueup.yaml").replace("@sre", "@srex")));
    world.wait(stranger, "refused");
    let page = world.trueup("ana", &["mr", "show", &stranger.to_string(), "--repo", "dns"]).ok();
    assert!(page.contains("no group `@srex`") && page.contains("did you mean `@sre`?") && page.contains("trueup.yaml:"), "{page}");
}

#[test]
fn a_check_that_the_server_requires_holds_the_start_whatever_policy_says() {
    let mut world = World::start();
    reconfigure(&mut world, "    branch: main\n", "    branch: main\n    required_checks: [ci/test]\n");
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.until(|world| world.show(number)["waits_for"].as_str().is_some_and(|text| text.contains("ci/test")));
    assert!(www_is(&world, "192.0.2.1"), "nothing is written while the check is missing");
    let head = world.git(&world.work(), &["rev-parse", "HEAD"]).ok();
    assert_eq!(world.set_check("cleo", head.trim()), 201);
    world.wait(number, "merged");
}

#[test]
fn a_request_and_a_push_beyond_the_servers_limits_are_refused() {
    let mut world = World::start();
    reconfigure(&mut world, "targets:\n  inside:", "limits: { request_bytes: 2000, push_bytes: 20000 }\ntargets:\n  inside:");
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    let said = world.trueup("ana", &["mr", "comment", &number.to_string(), "--repo", "dns", &"long ".repeat(1000)]);
    assert!(said.code == 1 && (said.out + &said.err).contains("limit"), "a comment of 5 kB is refused");
    // Text that does not compress.
    let noise: String = (0..4000u64).map(|n| format!("# {:016x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17) ^ (n * n * n))).collect();
    world.write("zones/noise.txt", &noise);
    world.commit("noise", "ana");
    let said = world.git(&world.work(), &["push", &world.url("ana"), "HEAD:noise"]);
    assert!(said.code != 0, "a push of 60 kB is refused: {}{}", said.out, said.err);
}

#[test]
fn what_is_live_beside_a_change_is_listed_without_reading_the_zone_and_what_cannot_stand_beside_it_is_refused() {
    let world = World::start();
    let zone = &world.zones[0];
    world.dns.by_hand(
        zone,
        &format!("update add www.{zone} 60 TXT hand\nupdate add *.{zone} 60 A 192.0.2.99\nupdate add old.{zone} 60 A 192.0.2.98\nupdate add far.{zone} 60 A 192.0.2.97"),
    );
    let number = world.propose("change", |world| {
        world.edit_zone("192.0.2.1\n", "192.0.2.77\n");
        world.write(&world.zone_file(), &format!("new: {{type: A, value: 192.0.2.7}}\n{}", world.read(&world.zone_file())));
    });
    world.wait(number, "awaiting_approval");
    let page = shown(&world, number);
    let name = zone.trim_end_matches('.');
    for (what, listed) in [(format!("`www.{name} TXT` is live"), true), (format!("`*.{name} A` is live"), true), (format!("far.{name}"), false), (format!("old.{name}"), false)] {
        assert_eq!(page.contains(&what), listed, "{what}: {page}");
    }
    let before = world.live();
    let beside = world.propose("beside", |world| world.write(&world.zone_file(), &format!("old: {{type: CNAME, value: www.{zone}}}\n{}", world.read(&world.zone_file()))));
    world.wait(beside, "refused");
    let page = world.trueup("ana", &["mr", "show", &beside.to_string(), "--repo", "dns"]).ok();
    assert!(page.contains(&format!("old.{name} CNAME")) && page.contains(&format!("old.{name} A` is live there")), "{page}");
    assert_eq!(world.live(), before);
    world.approve(number);
    world.wait(number, "merged");
    assert!(world.live().iter().any(|line| line.starts_with("www.") && line.contains("hand")), "neighbours stay: {:?}", world.live());
    // A server that shows single names and lets nobody transfer the zone.
    let closed = DnsServer::start_bind();
    closed.add_closed_zone(zone, "www 300 IN A 192.0.2.77\nwww 60 IN TXT hand\nmail 300 IN A 192.0.2.2");
    let config =
        std::fs::read_to_string(world.config()).expect("the configuration is there").replace(&format!("address: {}", world.dns.addr), &format!("address: {}", closed.addr));
    std::fs::write(world.dir.path().join("closed.yaml"), config).expect("the folder is writable");
    let work = world.work();
    world.git(&work, &["fetch", "-q", "origin"]).ok();
    world.git(&work, &["checkout", "-q", "-B", "few", "origin/main"]).ok();
    world.edit_zone("192.0.2.77\n", "192.0.2.78\n");
    world.commit("few", "ana");
    let closed = world.dir.path().join("closed.yaml").display().to_string();
    let said = world.trueup("ana", &["plan", "--repo", &work.display().to_string(), "--base", "origin/main", "--head", "HEAD", "--config", &closed]);
    assert!(said.code == 2 && said.out.contains(&format!("`www.{name} TXT` is live")) && !said.out.contains("could not be looked at"), "{}{}", said.out, said.err);
}

#[test]
fn who_still_points_at_a_name_that_a_merge_request_deletes_is_named_wherever_it_stands() {
    let world = World::start();
    let number = world.propose("no-mail", |world| world.edit_zone("mail:\n  ttl: 300\n  type: A\n  value: 192.0.2.2\n", ""));
    world.wait(number, "awaiting_approval");
    let page = shown(&world, number);
    let name = world.zones[0].trim_end_matches('.');
    assert!(page.contains(&format!("{name} MX at {}:1:1 still points at mail.{}, which this deletes", world.zone_file(), world.zones[0])), "{page}");
    let both = world.propose("no-mail-at-all", |world| {
        world.edit_zone("mail:\n  ttl: 300\n  type: A\n  value: 192.0.2.2\n", "");
        world.edit_zone(&format!("'':\n  ttl: 300\n  type: MX\n  value: {{exchange: mail.{}, preference: 10}}\n", world.zones[0]), "");
    });
    world.wait(both, "awaiting_approval");
    assert!(!shown(&world, both).contains("still points at"), "{}", shown(&world, both));
}
