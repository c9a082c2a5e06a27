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

#[test]
fn a_change_waits_in_the_queue_for_what_its_description_depends_on() {
    let world = World::start();
    let first = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    let second = world.propose("move-mail", |world| world.edit_zone("192.0.2.2\n", "192.0.2.78\n"));
    let say = |number: u64, args: &[&str]| world.trueup("ana", &[&["mr", args[0], &number.to_string(), "--repo", "dns"], &args[1..]].concat());
    say(second, &["describe", &format!("After the web servers.\n\nDepends-On: !{first}")]).ok();
    world.wait(second, "awaiting_approval");
    world.approve(second);
    let waits = |number: u64, text: &str| world.until(|world| world.show(number)["waits_for"].as_str().is_some_and(|waits| waits.contains(text)));
    waits(second, &format!("Waiting for `!{first}` to be merged first"));
    assert_eq!(world.show(second)["phase"], "queued");
    // A loop, a closed one and one that is not there are told.
    say(first, &["describe", &format!("Depends-On: dns!{second}")]).ok();
    waits(second, "depends on itself");
    say(first, &["describe", "Depends-On: !99"]).ok();
    waits(second, &format!("Waiting for `!{first}` to be merged first"));
    world.wait(first, "awaiting_approval");
    world.approve(first);
    waits(first, "`!99`, which nobody here knows");
    say(first, &["close"]).ok();
    waits(second, "is closed and not merged");
    say(first, &["reopen"]).ok();
    say(first, &["describe", ""]).ok();
    world.wait(first, "awaiting_approval");
    world.approve(first);
    world.wait(first, "merged");
    world.wait(second, "merged");
    let live = world.live();
    assert!(live.iter().any(|line| line.ends_with("A 192.0.2.77")) && live.iter().any(|line| line.ends_with("A 192.0.2.78")), "{live:?}");
}

#[test]
fn an_incident_goes_before_those_who_asked_first_and_the_queue_says_who_holds_what() {
    let world = World::start_with("  window: 10m\n");
    let move_to = |branch: &str, to: &str| world.propose(branch, |world| world.edit_zone("192.0.2.1\n", &format!("{to}\n")));
    let (holder, second, third) = (move_to("one", "192.0.2.71"), move_to("two", "192.0.2.72"), move_to("three", "192.0.2.73"));
    for number in [holder, second, third] {
        world.wait(number, "awaiting_approval");
    }
    let say = |person: &str, number: u64, args: &[&str]| world.trueup(person, &[&["mr", args[0], &number.to_string(), "--repo", "dns"], &args[1..]].concat());
    // Paused changes claim nothing, so the second asks when the first holds already.
    world.approve(holder);
    world.wait(holder, "verifying");
    for number in [second, third] {
        say("ben", number, &["say", "plan"]).ok();
        world.until(|world| world.show(number)["digest"].is_string());
        world.wait(number, "awaiting_approval");
        world.approve(number);
        world.until(|world| world.show(number)["waits_for"].as_str().is_some_and(|waits| waits.contains("Queued behind")));
    }
    let comment = |number: u64| {
        let shown = world.show(number);
        let comments = shown["comments"].as_array().cloned().unwrap_or_default();
        comments.iter().find(|comment| comment["sticky"] == true).and_then(|comment| comment["body"].as_str().map(str::to_owned)).unwrap_or_default()
    };
    world.until(|_| comment(third).contains(&format!("`dns!{holder}` holds")) && comment(third).contains(&format!("`dns!{second}` asked first for")));
    // A writer's word does not move the queue, an approver's does.
    say("cleo", third, &["label", "incident"]).ok();
    assert!(world.show(third)["labels"].as_array().is_some_and(|labels| labels.iter().any(|label| label == "incident")));
    say("ben", third, &["label", "incident"]).ok();
    world.until(|_| comment(second).contains(&format!("`dns!{third}` asked first for")) && !comment(third).contains(&format!("`dns!{second}` asked first for")));
    say("ben", holder, &["say", "restore"]).ok();
    world.wait(holder, "restored");
    world.until(|world| world.live().iter().any(|line| line.ends_with("A 192.0.2.73")) || world.show(third)["phase"] == "awaiting_approval");
    assert_ne!(world.show(second)["phase"], "verifying", "the incident went first");
}
