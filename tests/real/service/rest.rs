//! Changes at rest: what is over costs nothing, and wakes when there is news.

use super::world::World;

/// Waits until the workers of all changes that are over have ended.
fn until_workers(world: &World, number: u64) {
    world.until(|world| world.number("trueup_workers") == number);
}

#[test]
fn the_worker_of_a_change_that_is_over_ends_and_news_wakes_it() {
    let world = World::start();
    let merged = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(merged, "awaiting_approval");
    world.approve(merged);
    world.wait(merged, "merged");
    until_workers(&world, 0);
    // Asked about, it answers from its journal.
    assert_eq!(world.show(merged)["phase"], "merged");

    let closed = world.propose("move-mail", |world| world.edit_zone("192.0.2.2\n", "192.0.2.78\n"));
    world.wait(closed, "awaiting_approval");
    world.trueup("ana", &["mr", "close", &closed.to_string(), "--repo", "dns"]).ok();
    world.wait(closed, "closed");
    until_workers(&world, 0);
    world.trueup("ana", &["mr", "reopen", &closed.to_string(), "--repo", "dns"]).ok();
    world.wait(closed, "awaiting_approval");
    world.approve(closed);
    world.wait(closed, "merged");
    assert!(world.live().iter().any(|line| line.starts_with("mail.") && line.ends_with("A 192.0.2.78")), "{:?}", world.live());
    until_workers(&world, 0);
}

#[test]
fn a_restored_change_ends_and_a_push_takes_it_up_again() {
    let world = World::start_with("  window: 60s\n");
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "verifying");
    for command in ["abort", "restore"] {
        world.trueup("ben", &["mr", "say", &number.to_string(), "--repo", "dns", command]).ok();
    }
    world.wait(number, "restored");
    until_workers(&world, 0);
    world.edit_zone("192.0.2.77\n", "192.0.2.78\n");
    world.commit("another address", "ana");
    world.push("move-www");
    world.wait_at_head(number, "awaiting_approval");
}

#[test]
fn an_open_change_that_slept_over_a_restart_hears_that_base_moved() {
    let mut world = World::start();
    let first = world.propose("one", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    let second = world.propose("two", |world| world.edit_zone("192.0.2.1\n", "192.0.2.88\n"));
    world.wait(first, "awaiting_approval");
    world.wait(second, "awaiting_approval");
    world.kill();
    world.serve();
    world.approve(first);
    world.wait(first, "merged");
    // Nobody asked about the second one since the start.
    world.wait(second, "conflicted");
}
