//! Stories of one merge request, told as its people would: each ends with what the name server holds.

use super::world::World;

#[test]
fn a_merge_request_merges_when_the_name_server_holds_it() {
    let world = World::start();
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    let before = world.show(number);
    assert!(world.live().iter().any(|line| line.starts_with("www.") && line.ends_with("A 192.0.2.1")), "nothing is written before the approval");
    world.approve(number);
    world.wait(number, "merged");
    assert!(world.live().iter().any(|line| line.starts_with("www.") && line.ends_with("A 192.0.2.77")), "the name server holds it: {:?}", world.live());
    let after = world.show(number);
    assert_eq!(before["digest"], after["digest"], "what was approved is what ran");
    world.git(&world.work(), &["fetch", "-q", "origin"]).ok();
    let merged = world.git(&world.work(), &["show", &format!("origin/main:{}", world.zone_file())]).ok();
    assert!(merged.contains("192.0.2.77"), "main holds it");
}

#[test]
fn nobody_approves_what_they_pushed_and_the_plan_waits() {
    let world = World::start();
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.78\n"));
    world.wait(number, "awaiting_approval");
    let said = world.trueup("ana", &["mr", "approve", &number.to_string(), "--repo", "dns"]);
    assert!(said.code == 1 && said.err.contains("ana"), "ana is told why: {}{}", said.out, said.err);
    assert_eq!(world.show(number)["phase"], "awaiting_approval");
}

#[test]
fn bad_input_is_refused_with_its_place_and_a_fixing_push_is_planned() {
    let world = World::start();
    let number = world.propose("broken", |world| world.edit_zone("192.0.2.1\n", "192.0.2.999\n"));
    world.wait(number, "refused");
    let shown = world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok();
    assert!(shown.contains(&world.zone_file()) && shown.contains("192.0.2.999"), "file and value are named: {shown}");
    world.edit_zone("192.0.2.999\n", "192.0.2.9\n");
    world.commit("fixed", "ana");
    world.push("broken");
    world.wait_at_head(number, "awaiting_approval");
}

#[test]
fn an_empty_merge_request_is_proven_empty_and_merges_on_approval() {
    let world = World::start();
    let number = world.propose("comment-only", |world| {
        let text = world.read(&world.zone_file());
        world.write(&world.zone_file(), &format!("# nothing but a comment\n{text}"));
    });
    world.wait(number, "empty");
    world.approve(number);
    world.wait(number, "merged");
}

#[test]
fn a_hand_edit_between_plan_and_run_is_found_before_anything_is_written() {
    let world = World::start();
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    let www = format!("www.{}", world.zones[0]);
    world.dns.by_hand(&world.zones[0], &format!("update delete {www} A\nupdate add {www} 300 A 192.0.2.200"));
    world.approve(number);
    world.wait(number, "refused");
    assert!(world.live().iter().any(|line| line.ends_with("A 192.0.2.200")), "the hand's edit still stands: {:?}", world.live());
}

#[test]
fn closing_before_the_approval_leaves_everything_as_it_was() {
    let world = World::start();
    let before = world.live();
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    world.trueup("ana", &["mr", "close", &number.to_string(), "--repo", "dns"]).ok();
    world.wait(number, "closed");
    assert_eq!(world.live(), before);
    world.trueup("ana", &["mr", "reopen", &number.to_string(), "--repo", "dns"]).ok();
    world.wait(number, "awaiting_approval");
}

#[test]
fn base_moving_under_an_approved_plan_keeps_the_approval_when_nothing_it_asks_changed() {
    let world = World::start();
    let first = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    let second = world.propose("move-mail", |world| world.edit_zone("192.0.2.2\n", "192.0.2.78\n"));
    world.wait(first, "awaiting_approval");
    world.wait(second, "awaiting_approval");
    world.approve(first);
    world.approve(second);
    world.wait(first, "merged");
    world.wait(second, "merged");
    let live = world.live();
    assert!(live.iter().any(|line| line.ends_with("192.0.2.77")) && live.iter().any(|line| line.ends_with("192.0.2.78")), "both hold: {live:?}");
}

#[test]
fn main_takes_no_push_but_ours() {
    let world = World::start();
    world.edit_zone("192.0.2.1\n", "192.0.2.99\n");
    world.commit("straight to main", "ana");
    let said = world.git(&world.work(), &["push", &world.url("ana"), "HEAD:main"]);
    assert!(said.code != 0 && said.err.contains("main"), "refused with a sentence: {}", said.err);
}

#[test]
fn a_merge_request_that_conflicts_names_the_paths() {
    let world = World::start();
    let first = world.propose("one", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    let second = world.propose("two", |world| world.edit_zone("192.0.2.1\n", "192.0.2.88\n"));
    world.wait(first, "awaiting_approval");
    world.approve(first);
    world.wait(first, "merged");
    world.wait(second, "conflicted");
    let shown = world.trueup("ana", &["mr", "show", &second.to_string(), "--repo", "dns"]).ok();
    assert!(shown.contains(&world.zone_file()), "{shown}");
}
