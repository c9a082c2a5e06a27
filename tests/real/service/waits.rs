//! Stories of waits for caches: what is left of one survives a push and a crash; what moves to a new name waits until nobody remembers that it was not there.

use super::world::World;
use std::time::{Duration, Instant};

/// Long enough that a push is planned while caches still lead to the old name, on a machine that is busy with other tests too.
const TTL: u64 = 60;

fn line(world: &World, name: &str, text: &str) {
    let zone = world.read(&world.zone_file());
    let zone: String = zone.split_inclusive('\n').filter(|line| !line.starts_with(&format!("{name}:"))).collect();
    let new = if text.is_empty() { String::new() } else { format!("{name}: {{{text}}}\n") };
    world.write(&world.zone_file(), &format!("{zone}{new}"));
}

fn leads_to(world: &World, host: &str) {
    let zone = world.zones[0].clone();
    line(world, "api", &format!("ttl: {TTL}, type: CNAME, value: {host}.{zone}"));
}

/// What the name server says that `api` points at: the first label.
fn pointed(world: &World) -> String {
    let said = world.dns.dig(&[&format!("api.{}", world.zones[0]), "CNAME", "+short"]);
    said.split('.').next().unwrap_or_default().to_owned()
}

/// Approves the change that points `api` away from `old`, and waits for that; when `old` was last answered.
fn approve_and_wait_for_the_move(world: &mut World, number: u64) -> Instant {
    let mut asked_old = Instant::now();
    world.approve(number);
    world.until(|world| {
        let asked = Instant::now();
        let old = pointed(world) == "old";
        if old {
            asked_old = asked;
        }
        !old
    });
    asked_old
}

fn push(world: &World, branch: &str, edit: impl FnOnce(&World)) {
    edit(world);
    world.commit("more", "ana");
    world.push(branch);
}

#[test]
fn a_push_and_a_crash_in_the_middle_of_a_wait_for_caches_take_nothing_off_it() {
    let mut world = World::start();
    let govern = world.propose("govern", |world| {
        line(world, "old", "ttl: 60, type: A, value: 192.0.2.10");
        leads_to(world, "old");
    });
    world.wait(govern, "awaiting_approval");
    world.approve(govern);
    world.wait(govern, "merged");

    let number = world.propose("move", |world| {
        line(world, "old", "");
        line(world, "new", "ttl: 60, type: A, value: 192.0.2.20");
        leads_to(world, "new");
    });
    world.wait(number, "awaiting_approval");
    let asked_old = approve_and_wait_for_the_move(&mut world, number);

    // Nothing of what was approved changes, so what is left goes on by itself.
    push(&world, "move", |world| line(world, "more", "ttl: 60, type: TXT, value: beside it"));
    let shown = || world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    world.wait_at_head(number, "awaiting_approval");
    let plan = shown();
    for said in ["1 write of an earlier run", "lets go of", &format!("{}m after that was written at", TTL / 60), "not before", "when no cache leads there any more"] {
        assert!(plan.contains(said), "the plan says `{said}`: {plan}");
    }
    world.approve(number);
    world.until(|world| world.live().iter().any(|line| line.starts_with("more.")));
    world.kill();
    world.serve();
    world.until(|world| {
        let gone = world.dns.dig(&[&format!("old.{}", world.zones[0]), "A", "+short"]).is_empty();
        assert!(!gone || asked_old.elapsed() >= Duration::from_secs(TTL), "it went after {:?}, while caches still lead there", asked_old.elapsed());
        gone
    });
    world.wait(number, "merged");
}

/// What the merge request before pointed elsewhere, caches remember after it is merged; the next one may not know, and waits.
#[test]
fn the_next_merge_request_removes_what_the_last_one_let_go_of_only_when_no_cache_leads_there() {
    let mut world = World::start();
    let govern = world.propose("govern", |world| {
        line(world, "old", "ttl: 60, type: A, value: 192.0.2.10");
        line(world, "new", "ttl: 60, type: A, value: 192.0.2.20");
        leads_to(world, "old");
    });
    world.wait(govern, "awaiting_approval");
    world.approve(govern);
    world.wait(govern, "merged");
    let moves = world.propose("move", |world| leads_to(world, "new"));
    world.wait(moves, "awaiting_approval");
    let asked_old = approve_and_wait_for_the_move(&mut world, moves);
    world.wait(moves, "merged");
    // Somebody else tidies up, in time for a cache that still leads there; on a machine that is too busy for that there is nothing to wait for, and nothing is said.
    let number = world.propose("tidy", |world| line(world, "old", ""));
    world.wait(number, "awaiting_approval");
    let plan = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    if asked_old.elapsed() < Duration::from_secs(TTL) {
        for said in [&*format!("1 write of dns!{moves}"), "lets go of", "1m after that was written at", "not before", "when no cache leads there any more"] {
            assert!(plan.contains(said), "the plan says `{said}`: {plan}");
        }
    }
    world.approve(number);
    // It is remembered by the store, not by the process.
    world.kill();
    world.serve();
    world.until(|world| {
        let gone = world.dns.dig(&[&format!("old.{}", world.zones[0]), "A", "+short"]).is_empty();
        assert!(!gone || asked_old.elapsed() >= Duration::from_secs(TTL), "it went after {:?}, while caches still lead there", asked_old.elapsed());
        gone
    });
    world.wait(number, "merged");
    // What is forgotten is waited for no more.
    let number = world.propose("again", |world| line(world, "old", "ttl: 60, type: A, value: 192.0.2.10"));
    world.wait(number, "awaiting_approval");
    let plan = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    assert!(!plan.contains("write of dns!"), "{plan}");
}

#[test]
fn what_moves_to_a_new_name_waits_until_no_resolver_remembers_that_it_was_not_there() {
    let world = World::start_with("  rollout: expand\n");
    let govern = world.propose("govern", |world| {
        line(world, "old", "ttl: 60, type: A, value: 192.0.2.10");
        leads_to(world, "old");
    });
    world.wait(govern, "awaiting_approval");
    world.approve(govern);
    world.wait(govern, "merged");
    let zone = world.zones[0].clone();
    let serial = world.dns.serial(&zone) + 1;
    world.dns.by_hand(&zone, &format!("update add {zone} 3600 SOA ns1.{zone} hostmaster.{zone} {serial} 3600 600 86400 4"));
    let number = world.propose("move", |world| {
        line(world, "new", "ttl: 60, type: A, value: 192.0.2.20");
        leads_to(world, "new");
    });
    world.wait(number, "awaiting_approval");
    let plan = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    assert!(plan.contains("4s later, when no cache remembers that it was not there"), "{plan}");
    world.approve(number);
    let mut asked_missing = Instant::now();
    world.until(|world| {
        let asked = Instant::now();
        if world.dns.dig(&[&format!("new.{zone}"), "A", "+short"]).is_empty() {
            asked_missing = asked;
        }
        let moved = pointed(world) == "new";
        assert!(!moved || asked_missing.elapsed() >= Duration::from_secs(4), "it moved {:?} after resolvers could learn that new is not there", asked_missing.elapsed());
        moved
    });
    world.wait(number, "merged");
}
