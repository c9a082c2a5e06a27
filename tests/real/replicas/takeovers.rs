//! A release that takes over while several replicas work on changes of the one before.

use super::house::House;
use crate::{
    harness::EtcdServer,
    service::branches::{approve, branch, open, releases, wait},
};
use std::collections::BTreeSet;

#[test]
fn a_takeover_is_heard_of_by_the_changes_of_every_replica() {
    let (world, zone) = releases();
    let mut house = House::start_in(world, 2, EtcdServer::open(&[]), |text| format!("{text}limits: {{ sweep: 500ms }}\n"));
    let live = format!("live/{zone}yaml");
    branch(&house.world, "root", "release/202611", "main", |_| {});
    let mut late = Vec::new();
    for n in 0..4 {
        house.speak_to(n % 2);
        let name = format!("late-{n}");
        branch(&house.world, "ana", &name, "release/202611", |world| world.write(&live, &world.read(&live).replace("192.0.2.1\n", &format!("192.0.2.3{n}\n"))));
        late.push(open(&house.world, &name, "release/202611"));
    }
    late.iter().for_each(|number| wait(&house.world, number, "awaiting_approval"));
    let owners: BTreeSet<_> = late.iter().map(|number| house.owner_in("dns@release", number.parse().expect("a number"))).collect();
    assert_eq!(owners.len(), 2, "each replica works on some: {owners:?}");
    branch(&house.world, "root", "release/202612", "release/202611", |_| {});
    branch(&house.world, "ana", "next", "release/202612", |world| world.write(&live, &world.read(&live).replace("192.0.2.1\n", "192.0.2.41\n")));
    let next = open(&house.world, "next", "release/202612");
    wait(&house.world, &next, "awaiting_approval");
    approve(&house.world, &next);
    wait(&house.world, &next, "merged");
    late.iter().for_each(|number| wait(&house.world, number, "refused"));
}
