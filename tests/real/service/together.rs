//! Stories of several changes at once, and of what moved while nobody looked.

use super::world::World;

#[test]
fn a_base_that_moved_while_the_server_was_away_starts_no_run() {
    let mut world = World::start();
    let number = world.propose("move-mail", |world| world.edit_zone("192.0.2.2\n", "192.0.2.78\n"));
    world.wait(number, "awaiting_approval");
    world.kill();
    // Somebody with access to the folder puts a commit on main that asks for more.
    let work = world.work();
    world.git(&work, &["checkout", "-q", "-B", "other", "origin/main"]).ok();
    let readme = format!("{}# by hand\n", world.read(&world.zone_file()));
    world.write(&world.zone_file(), &readme);
    world.commit("past everybody", "root");
    let bare = world.dir.path().join("data/repos/dns.git");
    world.git(&work, &["-c", "core.hooksPath=/dev/null", "push", "-q", bare.to_str().expect("a path"), "HEAD:refs/heads/by-hand"]).ok();
    let moved = world.git(&work, &["rev-parse", "HEAD"]).ok();
    world.git(&bare, &["update-ref", "refs/heads/main", moved.trim()]).ok();
    world.serve();
    world.approve(number);
    world.wait(number, "merged");
    let journal = world.trueup("ana", &["mr", "journal", &number.to_string(), "--repo", "dns", "--json"]).json();
    let events = journal.as_array().expect("events");
    let at = |name: &str| events.iter().rposition(|event| event.get(name).is_some()).unwrap_or_else(|| panic!("no {name}: {journal}"));
    let base = &events[at("replan_asked")]["replan_asked"]["base"];
    assert_eq!(base.as_str(), Some(moved.trim()), "it was planned on what main is by now: {journal}");
    let starts = events.iter().filter(|event| event.get("started").is_some()).count();
    assert!(starts == 1 && at("replan_asked") < at("started"), "and only then started: {journal}");
}

#[test]
fn a_restore_brings_back_all_but_what_a_hand_changed_and_the_rest_once_that_is_decided() {
    let world = World::start_with("  window: 10m\n");
    let before = world.live();
    let number = world.propose("move-both", |world| {
        world.edit_zone("192.0.2.1\n", "192.0.2.77\n");
        world.edit_zone("192.0.2.2\n", "192.0.2.78\n");
    });
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "verifying");
    let zone = &world.zones[0];
    let has = |value: &str| world.live().iter().any(|line| line.ends_with(value));
    world.dns.by_hand(zone, &format!("update delete www.{zone} A\nupdate add www.{zone} 300 A 192.0.2.200"));
    world.trueup("ben", &["mr", "say", &number.to_string(), "--repo", "dns", "restore"]).ok();
    world.wait(number, "failed");
    assert!(has("A 192.0.2.2") && has("A 192.0.2.200"), "mail is back, the hand's edit stands: {:?}", world.live());
    let shown = world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok();
    assert!(
        shown.contains("Restored but for 1 resource") && shown.contains("192.0.2.200") && shown.contains(&format!("www.{}", zone.trim_end_matches('.'))),
        "what is left and why: {shown}"
    );
    // Decided: the hand's edit is undone.
    world.dns.by_hand(zone, &format!("update delete www.{zone} A\nupdate add www.{zone} 300 A 192.0.2.77"));
    world.trueup("ben", &["mr", "say", &number.to_string(), "--repo", "dns", "restore"]).ok();
    world.wait(number, "restored");
    assert_eq!(world.live(), before, "the zone is back exactly");
}
