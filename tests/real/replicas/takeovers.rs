//! A release that takes over while several replicas work on changes of the one before, and one whose replica dies before it tells.

use super::house::House;
use crate::{
    harness::EtcdServer,
    service::{
        branches::{approve, branch, holds, open, page, releases, wait},
        world::World,
    },
};
use std::collections::BTreeSet;

/// Requests into a release, through one replica after the other; their numbers.
fn into(house: &mut House, release: &str, edit: impl Fn(&World, usize)) -> Vec<String> {
    let opened: Vec<String> = (0..4)
        .map(|n| {
            house.speak_to(n % 2);
            house.fetch_from_here();
            let name = format!("{}-{n}", release.replace('/', "-"));
            branch(&house.world, "ana", &name, release, |world| edit(world, n));
            open(&house.world, &name, release)
        })
        .collect();
    opened.iter().for_each(|number| wait(&house.world, number, "awaiting_approval"));
    let owners: BTreeSet<_> = opened.iter().map(|number| house.owner_in("dns@release", number.parse().expect("a number"))).collect();
    assert_eq!(owners, BTreeSet::from([Some(0), Some(1)]), "each replica works on some");
    opened
}

#[test]
fn a_takeover_is_heard_of_by_the_changes_of_every_replica_though_the_one_that_merged_it_dies_before_it_tells() {
    let (world, zone) = releases();
    let mut house = House::start_in(world, 2, EtcdServer::open(&[]), |text| format!("{text}limits: {{ sweep: 500ms }}\n"));
    let live = format!("live/{zone}yaml");
    let sends = |world: &World, to: &str| world.write(&live, &world.read(&live).replace("192.0.2.1\n", &format!("{to}\n")));
    house.fetch_from_here();
    branch(&house.world, "root", "release/202611", "main", |_| {});
    let late = into(&mut house, "release/202611", |world, n| sends(world, &format!("192.0.2.3{n}")));
    branch(&house.world, "root", "release/202612", "release/202611", |_| {});
    branch(&house.world, "ana", "next", "release/202612", |world| sends(world, "192.0.2.41"));
    let next = open(&house.world, "next", "release/202612");
    wait(&house.world, &next, "awaiting_approval");
    approve(&house.world, &next);
    wait(&house.world, &next, "merged");
    late.iter().for_each(|number| wait(&house.world, number, "refused"));

    // The next one is merged by a replica that dies before it keeps that, or says so to anybody.
    for at in 0..2 {
        house.holds_at(at, "taken over");
    }
    house.until("both are back", || (0..2).all(|at| house.counted_at(at, "trueup_replicas") == 2));
    house.fetch_from_here();
    let late = into(&mut house, "release/202612", |world, n| world.write(&live, &world.read(&live).replace("192.0.2.2\n", &format!("192.0.2.5{n}\n"))));
    branch(&house.world, "root", "release/202701", "release/202612", |_| {});
    branch(&house.world, "ana", "after", "release/202701", |world| world.write(&live, &world.read(&live).replace("192.0.2.2\n", "192.0.2.61\n")));
    let after = open(&house.world, "after", "release/202701");
    wait(&house.world, &after, "awaiting_approval");
    let dies = house.owner_in("dns@release", after.parse().expect("a number")).expect("somebody works on it");
    approve(&house.world, &after);
    house.is_held(dies, "taken over");
    house.kill(dies);
    house.speak_to(1 - dies);
    wait(&house.world, &after, "merged");
    late.iter().for_each(|number| wait(&house.world, number, "refused"));
    assert!(page(&house.world, &late[0]).contains("`release/202701` took over from it"), "{}", page(&house.world, &late[0]));
    assert!(holds(&house.world, &zone, "mail", "192.0.2.61") && holds(&house.world, &zone, "www", "192.0.2.41"), "{:?}", house.world.dns.records(&zone));
    // Whoever comes back has heard of it too.
    house.let_go(dies);
    house.serve(dies);
    house.speak_to(dies);
    house.fetch_from_here();
    branch(&house.world, "ana", "later", "release/202612", |world| world.write(&live, &world.read(&live).replace("192.0.2.2\n", "192.0.2.71\n")));
    let later = open(&house.world, "later", "release/202612");
    wait(&house.world, &later, "refused");
}
