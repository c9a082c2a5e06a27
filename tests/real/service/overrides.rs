//! Stories of overrides: changes made by hand that somebody answers for, until the next change or the time they named.

use super::world::{Said, World};
use crate::harness::{ETCD_PASSWORD, ETCD_USER, EtcdServer};

fn drift(world: &World, more: &[&str]) -> Said {
    world.trueup("ana", &[&["drift", "--repo", "dns"], more].concat())
}

fn by_hand(world: &World, address: &str) {
    let www = format!("www.{}", world.zones[0]);
    world.dns.by_hand(&world.zones[0], &format!("update delete {www} A\nupdate add {www} 300 A {address}"));
}

/// The id of www.
fn www(world: &World) -> String {
    format!("inside/rrset/{}/www/A", world.zones[0])
}

fn claim(world: &World, person: &str, until: &str) -> Said {
    world.trueup(person, &["override", "claim", &www(world), "--repo", "dns", "--reason", "moved by hand tonight", "--until", until])
}

fn list(world: &World) -> serde_json::Value {
    world.trueup("ana", &["override", "list", "--json"]).json()
}

fn comments(world: &World, number: u64) -> String {
    world.show(number)["comments"].to_string()
}

/// Starts the server again so that it is held at every point of that name.
#[cfg(feature = "faults")]
pub(super) fn holds_at(world: &mut World, point: &str) -> std::path::PathBuf {
    world.kill();
    let file = world.dir.path().join(format!("hold {point}"));
    std::fs::write(&file, "").expect("the folder is writable");
    let points = world.dir.path().join(format!("points {point}"));
    let env = [("TRUEUP_HOLD_AT", point.to_owned()), ("TRUEUP_HOLD_WHILE", file.display().to_string()), ("TRUEUP_POINTS", points.display().to_string())];
    world.env = env.map(|(name, value)| (name.to_owned(), value)).into();
    world.serve();
    points
}

#[cfg(feature = "faults")]
pub(super) fn is_held(world: &World, points: &std::path::Path, point: &str) {
    world.until(|_| std::fs::read_to_string(points).is_ok_and(|text| text.lines().any(|line| line.ends_with(point))));
}

#[cfg(feature = "faults")]
#[test]
fn an_override_that_a_change_wrote_over_is_over_though_the_server_dies_right_after_the_write() {
    let mut world = World::start();
    by_hand(&world, "192.0.2.200");
    claim(&world, "ben", "1d").ok();
    let points = holds_at(&mut world, "overrides end");
    let number = world.propose("move", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    is_held(&world, &points, "overrides end");
    world.kill();
    world.env.clear();
    world.serve();
    world.until(|world| list(world)["overrides"].as_array().is_some_and(Vec::is_empty));
    let ended = &list(&world)["ended"][0];
    assert!(ended.to_string().contains("changed"), "by the change: {ended}");
    world.wait(number, "merged");
}

#[cfg(feature = "faults")]
#[test]
fn an_override_said_in_a_comment_is_claimed_once_though_the_server_dies_before_it_answers() {
    let mut world = World::start();
    by_hand(&world, "192.0.2.200");
    let number = world.propose("note", |world| world.write("README.md", "nothing that anybody governs\n"));
    world.until(|world| !matches!(world.show(number)["phase"].as_str(), Some("planning") | None));
    let points = holds_at(&mut world, "after claim");
    let said = format!("/trueup override {} until 1d moved by hand tonight", www(&world));
    world.trueup("ben", &["mr", "comment", &number.to_string(), "--repo", "dns", &said]).ok();
    is_held(&world, &points, "after claim");
    assert_eq!(list(&world)["overrides"].as_array().map(Vec::len), Some(1), "it is claimed, and nobody was told");
    // The next server hears it again, and before it does anything somebody ends it.
    let points = holds_at(&mut world, "before claim");
    is_held(&world, &points, "before claim");
    world.trueup("ben", &["override", "end", &www(&world), "--repo", "dns"]).ok();
    std::fs::remove_file(world.dir.path().join("hold before claim")).expect("it is held");
    world.until(|world| comments(world, number).contains("that is over since"));
    assert_eq!(list(&world)["overrides"], serde_json::json!([]), "what was ended since is not claimed again");
}

#[test]
fn what_somebody_answers_for_is_no_drift_until_it_is_something_else_or_ended() {
    let mut world = World::start();
    let nothing = claim(&world, "ben", "1d");
    assert!(nothing.code == 1 && nothing.err.contains("nothing to override"), "{}{}", nothing.out, nothing.err);
    by_hand(&world, "192.0.2.200");
    let denied = claim(&world, "cleo", "1d");
    assert!(denied.code == 1 && denied.err.contains("may not override"), "{}", denied.err);
    for (until, why) in [("soon", "no time"), ("200d", "90d")] {
        let refused = claim(&world, "ben", until);
        assert!(refused.code == 1 && refused.err.contains(why), "{}", refused.err);
    }
    let said = claim(&world, "ben", "1d").ok();
    assert!(said.contains("300 192.0.2.200"), "it says what it covers: {said}");
    let covered = drift(&world, &[]);
    assert_eq!(covered.code, 0, "{}{}", covered.out, covered.err);
    assert!(covered.out.contains("(overridden)") && covered.out.contains("moved by hand tonight") && covered.out.contains("1 overridden"), "told apart: {}", covered.out);
    assert_eq!(drift(&world, &["--strict"]).code, 2);
    // It survives the server.
    world.kill();
    world.serve();
    assert_eq!(list(&world)["overrides"].as_array().map(Vec::len), Some(1));
    // Another hand is drift again, and the override is named beside it.
    by_hand(&world, "192.0.2.201");
    let again = drift(&world, &[]);
    assert_eq!(again.code, 2, "{}{}", again.out, again.err);
    assert!(again.out.contains("covered something else"), "{}", again.out);
    by_hand(&world, "192.0.2.200");
    assert_eq!(drift(&world, &[]).code, 0);
    let denied = world.trueup("cleo", &["override", "end", &www(&world), "--repo", "dns"]);
    assert_eq!(denied.code, 1);
    world.trueup("ben", &["override", "end", &www(&world), "--repo", "dns"]).ok();
    assert_eq!(drift(&world, &[]).code, 2);
    // What is undone has nothing to answer for.
    claim(&world, "ben", "1d").ok();
    by_hand(&world, "192.0.2.1");
    assert_eq!(drift(&world, &[]).code, 0);
    assert_eq!(list(&world)["overrides"].as_array().map(Vec::len), Some(0), "it is over: {}", list(&world));
}

#[test]
fn a_merge_request_blocked_by_drift_goes_on_over_an_override_which_that_ends() {
    let world = World::start();
    by_hand(&world, "192.0.2.200");
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "refused");
    let shown = world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok();
    assert!(shown.contains(&format!("/trueup override {}", www(&world))), "the way on is said: {shown}");
    world.trueup("cleo", &["mr", "comment", &number.to_string(), "--repo", "dns", &format!("/trueup override {} until 1d not mine to say", www(&world))]).ok();
    world.until(|world| comments(world, number).contains("needs the right to approve"));
    world.trueup("ben", &["mr", "comment", &number.to_string(), "--repo", "dns", &format!("/trueup override {} until 1d the shop moves tonight", www(&world))]).ok();
    world.wait(number, "awaiting_approval");
    assert!(comments(&world, number).contains("Overridden by"), "the answer stands below the comment: {}", comments(&world, number));
    let plan = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    for part in ["overridden by `ben`", "the shop moves tonight", "so ends it", "- 300 192.0.2.200"] {
        assert!(plan.contains(part), "the plan says `{part}` before anybody approves:\n{plan}");
    }
    assert_eq!(drift(&world, &[]).code, 0, "nothing is written yet, and it is claimed");
    world.approve(number);
    world.wait(number, "merged");
    assert!(world.live().iter().any(|line| line.starts_with("www.") && line.ends_with("192.0.2.77")), "{:?}", world.live());
    world.until(|world| list(world)["overrides"].as_array().is_some_and(Vec::is_empty));
    assert!(list(&world)["ended"][0]["why"]["changed"].to_string().contains(&number.to_string()), "{}", list(&world));
}

#[test]
fn an_override_that_nobody_ends_is_announced_and_over_at_its_time() {
    let world = World::start();
    by_hand(&world, "192.0.2.200");
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "refused");
    world.trueup("ben", &["mr", "say", &number.to_string(), "--repo", "dns", "override", &www(&world), "until", "20s", "only", "for", "now"]).ok();
    world.until(|world| comments(world, number).contains("ends at"));
    world.until(|world| comments(world, number).contains("is over: what is live"));
    assert_eq!(drift(&world, &[]).code, 2);
    assert_eq!(list(&world)["ended"][0]["why"], "deadline");
}

#[test]
fn an_override_of_something_sensitive_covers_it_and_shows_it_nowhere() {
    let mut world = World::start_with("  sensitive: [\"*/www/A\"]\n");
    by_hand(&world, "192.0.2.213");
    let said = claim(&world, "ben", "1d").ok();
    assert!(said.contains("sensitive") && !said.contains("192.0.2.213"), "{said}");
    // What is sealed anew with every look is the same content.
    assert_eq!(drift(&world, &[]).code, 0);
    world.kill();
    world.serve();
    assert_eq!(drift(&world, &[]).code, 0);
    by_hand(&world, "192.0.2.214");
    assert_eq!(drift(&world, &[]).code, 2, "something else is drift");
    by_hand(&world, "192.0.2.213");
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    let plan = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    assert!(plan.contains("overridden by `ben`") && !plan.contains("192.0.2.213"), "{plan}");
    world.approve(number);
    world.wait(number, "merged");
    assert!(world.live().iter().any(|line| line.starts_with("www.") && line.ends_with("192.0.2.77")), "{:?}", world.live());
    world.until(|world| list(world)["overrides"].as_array().is_some_and(Vec::is_empty));
    assert!(!list(&world).to_string().contains("192.0.2.213"), "{}", list(&world));
}

#[test]
fn the_page_of_drift_has_buttons_to_override_and_to_end_it_for_approvers_alone() {
    let mut world = World::start();
    by_hand(&world, "192.0.2.200");
    world.kill();
    let text = std::fs::read_to_string(world.config()).expect("it is there");
    std::fs::write(world.config(), format!("{text}drift: {{ every: 1d, reads: 6000 }}\n")).expect("the folder is writable");
    world.serve();
    let page = |world: &World| world.page_as("ben", &format!("http://127.0.0.1:{}/drift", world.port)).1;
    world.until(|world| page(world).contains("action=\"/drift/override\""));
    let id = www(&world);
    let fields = [("repo", "dns"), ("resource", id.as_str()), ("until", "1d"), ("reason", "tonight & tomorrow")];
    assert_eq!(world.press_as("cleo", "/drift/override", &fields).0, 403, "whoever may not approve claims nothing");
    assert_eq!(list(&world)["overrides"].as_array().map(Vec::len), Some(0));
    assert_eq!(world.press_as("ben", "/drift/override", &fields).0, 303);
    assert_eq!(list(&world)["overrides"][0]["reason"], "tonight & tomorrow");
    // What was found is looked at again at once, not a day later.
    world.until(|world| !page(world).contains("action=\"/drift/override\"") && page(world).contains("1 overridden"));
    assert_eq!(world.press_as("cleo", "/drift/end", &fields[..2]).0, 403);
    assert_eq!(world.press_as("ben", "/drift/end", &fields[..2]).0, 303);
    assert_eq!(drift(&world, &[]).code, 2);
    world.until(|world| page(world).contains("action=\"/drift/override\""));
}

#[test]
fn of_a_step_that_fails_in_part_only_what_was_written_ends_its_override() {
    let etcd = EtcdServer::closed();
    for key in ["/open/app/a", "/closed/app/b"] {
        etcd.put(key, b"1");
    }
    let mut world = World::start();
    world.kill();
    let text = std::fs::read_to_string(world.config()).expect("it is there");
    let text = text.replace("targets:\n  inside:", "      - target: center\n        units: [\"/open/app/*\", \"/closed/app/*\"]\ntargets:\n  inside:");
    std::fs::write(world.dir.path().join("etcd.password"), ETCD_PASSWORD).expect("the folder is writable");
    let center = format!("  center:\n    kind: config/etcd\n    endpoints: [\"http://{}\"]\n    user: {ETCD_USER}\n    password: {{ file: etcd.password }}\n", etcd.addr);
    std::fs::write(world.config(), format!("{text}{center}")).expect("the folder is writable");
    world.serve();
    let keys = |world: &World, value: &str| {
        world.write("open/a", value);
        world.write("closed/b", value);
    };
    let govern = world.propose("govern", |world| {
        let source = |name: &str| format!("  - {{path: {name}, format: keytree, targets: [center], prefix: /{name}/app/}}\n");
        world.write("trueup.yaml", &world.read("trueup.yaml").replace("policy:\n", &format!("{}{}policy:\n", source("open"), source("closed"))));
        keys(world, "1");
    });
    world.until(|world| world.show(govern)["digest"].is_string());
    world.approve(govern);
    world.wait(govern, "merged");
    let ids = ["center/key//closed/app/b", "center/key//open/app/a"];
    for (key, id) in ["/closed/app/b", "/open/app/a"].iter().zip(ids) {
        etcd.put(key, b"by hand");
        world.trueup("ben", &["override", "claim", id, "--repo", "dns", "--reason", "tonight", "--until", "1d"]).ok();
    }
    let number = world.propose("both", |world| keys(world, "2"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "failed");
    let held = |key: &str| etcd.all().into_iter().find(|(found, _)| found == key).map(|(_, value)| value);
    assert_eq!((held("/open/app/a").as_deref(), held("/closed/app/b").as_deref()), (Some(&b"2"[..]), Some(&b"by hand"[..])), "one was written, the other denied");
    world.until(|world| list(world)["ended"].as_array().is_some_and(|ended| !ended.is_empty()));
    let (stand, ended) = (list(&world)["overrides"].clone(), list(&world)["ended"].clone());
    assert!(stand.as_array().is_some_and(|all| all.len() == 1) && stand[0].to_string().contains("/closed/app/b"), "what was denied is as the hand left it: {stand}");
    assert!(ended.as_array().is_some_and(|all| all.len() == 1) && ended[0].to_string().contains("/open/app/a"), "{ended}");
}
