//! The merge among several replicas: made by the owner alone, and one at a time where repositories share what they write.

use super::house::House;
use crate::{
    harness::EtcdServer,
    service::moves::{approve, give, phase, ready, refused, shared, show, take, take_back, until},
};
use std::fs;

#[test]
fn a_replica_stopped_right_before_its_merge_merges_nothing_after_another_took_over_and_restored() {
    let mut house = House::start(2);
    house.kill(1);
    house.holds_at(0, "merge checked");
    let before = house.world.live();
    let number = house.move_www();
    house.world.approve(number);
    house.is_held(0, "merge checked");
    house.signal(0, "-STOP");
    house.let_go(0);
    // Whoever takes over cannot merge either, as with any forge that is away; it writes everything back instead.
    let lock = house.world.dir.path().join("data/repos/dns.git/refs/heads/main.lock");
    fs::write(&lock, "").expect("the folder is writable");
    house.serve(1);
    house.speak_to(1);
    house.until("the other one took over", || house.owner(number) == Some(1));
    house.until("it can be stopped", || house.world.trueup("ben", &["mr", "say", &number.to_string(), "--repo", "dns", "abort"]).code == 0);
    house.reaches(number, "failed");
    house.world.trueup("ben", &["mr", "say", &number.to_string(), "--repo", "dns", "restore"]).ok();
    house.reaches(number, "restored");
    assert_eq!(house.world.live(), before, "it is as it was");
    fs::remove_file(&lock).expect("it is there");
    // Base and head are as they were pinned: nothing but the lease keeps the first from merging what is not true any more.
    house.signal(0, "-CONT");
    house.until("the first is a replica again", || house.counted_at(1, "trueup_replicas") == 2);
    let next = house.propose_address("next", "192.0.2.2", "192.0.2.3");
    house.reaches(next, "awaiting_approval");
    house.world.approve(next);
    house.reaches(next, "merged");
    house.fetch_from_here();
    assert_eq!(house.merges(), "1", "the second merge request alone is merged");
    assert_eq!(house.phase(number), "restored");
}

#[test]
fn of_two_repositories_at_two_replicas_that_claim_a_record_at_once_one_gets_it() {
    let mut house = House::start_in(shared(), 2, EtcdServer::open(&[]), |text| text);
    house.fetch_from_here();
    let given = give(&house.world);
    ready(&house.world, "dns", given);
    approve(&house.world, "dns", given);
    until(&house.world, "dns", given, "merged");
    // Nobody's now. The first replica plans the one, and is held right before it merges it.
    house.kill(1);
    house.holds_at(0, "merge checked");
    let taken = take(&house.world, "take");
    ready(&house.world, "app", taken);
    assert_eq!(house.owner_in("app", taken), Some(0));
    house.serve(1);
    house.speak_to(1);
    house.fetch_from_here();
    let back = take_back(&house.world);
    ready(&house.world, "dns", back);
    house.until("the second works on the other", || house.owner(back) == Some(1));
    approve(&house.world, "app", taken);
    house.is_held(0, "merge checked");
    approve(&house.world, "dns", back);
    let says = |house: &House| show(&house.world, "dns", back)["waits_for"].as_str().unwrap_or_default().to_owned();
    house.until("it says whom it waits for", || says(&house).contains("waits for its turn to merge: `another replica (pid "));
    assert_eq!((phase(&house.world, "dns", back), phase(&house.world, "app", taken)), ("merging".to_owned(), "merging".to_owned()));
    house.let_go(0);
    until(&house.world, "app", taken, "merged");
    let said = refused(&house.world, "dns", back);
    assert!(said.contains("app"), "{said}");
    house.fetch_from_here();
    assert_eq!(house.merges(), "1", "the merge request that gave it up is all that `dns` merged");
}
