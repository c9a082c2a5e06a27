//! A halt that is said to one replica holds for all of them, and for whoever takes over.

use super::house::House;

#[test]
fn a_halt_said_to_one_replica_stops_the_others_and_whoever_takes_over_and_lifted_it_goes_on() {
    let mut house = House::start(2);
    house.fetch_from_here();
    // The key names the host of the record, so it is written after it.
    let number = house.world.propose("keys", |world| {
        let root = world.read("trueup.yaml");
        world.write("trueup.yaml", &root.replace("policy:\n", "  - path: config\n    format: keytree\n    targets: [keys]\n    prefix: /live/\npolicy:\n"));
        world.write(&world.zone_file(), &format!("{}db:\n  ttl: 300\n  type: A\n  value: 192.0.2.9\n", world.read(&world.zone_file())));
        world.write("config/host", &format!("db.{}", world.zones[0].trim_end_matches('.')));
    });
    house.reaches(number, "awaiting_approval");
    let owner = house.owned(number);
    let other = 1 - owner;
    house.replicas[owner].dns.hold();
    house.world.approve(number);
    house.until("the UPDATE is under way", || house.replicas[owner].dns.holds());
    let key = |house: &House| house.etcd.all_bytes().into_iter().find(|(key, _)| key == b"/live/host").map(|(_, value)| value);
    let halted = |house: &House, at: usize| house.world.get_at(house.replicas[at].port, "readyz").1.contains("\"halted\":true");

    house.speak_to(other);
    house.world.trueup("root", &["halt"]).ok();
    house.until("the owner has heard of it", || halted(&house, owner));
    house.replicas[owner].dns.release();
    let proven = |house: &House| house.world.get_as("ana", &format!("api/v1/repos/dns/mrs/{number}/journal")).1.matches("\"proven\"").count();
    house.until("what was on the way is proven", || proven(&house) > 0);
    let waits = |house: &House| house.world.show(number)["waits_for"].as_str().unwrap_or_default().contains("halt");
    assert!(waits(&house), "{}", house.world.show(number)["waits_for"]);
    assert_eq!((house.phase(number), key(&house)), ("rolling".to_owned(), None));

    house.kill(owner);
    house.until("the other has it", || house.owner(number) == Some(other) && waits(&house));
    assert!(halted(&house, other));
    assert_eq!((house.phase(number), key(&house)), ("rolling".to_owned(), None), "whoever takes over writes nothing either");

    // One that starts meanwhile is halted from its first moment.
    house.serve(owner);
    assert!(halted(&house, owner));
    house.speak_to(owner);
    house.world.trueup("root", &["halt", "--lift"]).ok();
    house.reaches(number, "merged");
    assert!(key(&house).is_some_and(|value| value.starts_with(b"db.")));
    house.until("the lift reaches the other", || !halted(&house, other));
}
