//! What three replicas do together, and what one that was away may not do any more.

use super::house::House;
use crate::harness::EtcdServer;

/// Opens, approves and merges by three different replicas.
#[test]
fn any_replica_takes_events_and_the_owner_alone_acts() {
    let mut house = House::start(3);
    house.fetch_from_here();
    let before = house.world.dns.serial(&house.world.zones[0]);
    let number = house.propose_address("move", "192.0.2.1", "192.0.2.77");
    house.speak_to(1);
    house.reaches(number, "awaiting_approval");
    let owner = house.owned(number);
    // The answer to a command comes from the owner, by whichever replica it was said.
    house.speak_to((owner + 1) % 3);
    house.world.approve(number);
    house.speak_to((owner + 2) % 3);
    let again = house.world.trueup("cleo", &["mr", "approve", &number.to_string(), "--repo", "dns"]);
    assert!(again.code != 0, "cleo may not approve, whoever is asked: {}", again.out);
    house.reaches(number, "merged");
    assert_eq!(house.world.dns.serial(&house.world.zones[0]), before + 1, "one UPDATE changed the zone");
    let updates: Vec<u64> = house.replicas.iter().map(|replica| replica.dns.updates()).collect();
    assert_eq!(updates.iter().filter(|count| **count > 0).count(), 1, "one replica alone wrote: {updates:?}");
    let shown: Vec<String> = (0..3)
        .map(|at| {
            house.speak_to(at);
            house.world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok()
        })
        .collect();
    assert!(shown.iter().all(|text| *text == shown[0]), "every replica shows the same: {shown:#?}");
    house.fetch_from_here();
    assert_eq!(house.merges(), "1");
}

/// Adds the folder `config` as keys of the etcd target; one key and one record change in one merge request.
fn govern_keys(house: &House) -> u64 {
    house.world.propose("keys", |world| {
        let root = world.read("trueup.yaml");
        world.write("trueup.yaml", &root.replace("policy:\n", "  - path: config\n    format: keytree\n    targets: [keys]\n    prefix: /live/\npolicy:\n"));
        world.write("config/host", "db2.example.com");
        world.edit_zone("192.0.2.1\n", "192.0.2.78\n");
    })
}

#[test]
fn a_killed_owner_is_followed_by_another_that_finishes_its_run() {
    let mut house = House::start(3);
    house.fetch_from_here();
    let before = house.world.dns.serial(&house.world.zones[0]);
    let number = govern_keys(&house);
    house.reaches(number, "awaiting_approval");
    let owner = house.owned(number);
    house.replicas[owner].dns.hold();
    house.world.approve(number);
    house.until("the UPDATE is under way", || house.replicas[owner].dns.holds());
    house.kill(owner);
    // What was sent arrives late: after another replica has taken over, or before, it is done once.
    house.replicas[owner].dns.release();
    house.speak_to((owner + 1) % 3);
    house.reaches(number, "merged");
    assert_eq!(house.world.dns.serial(&house.world.zones[0]), before + 1, "exactly one UPDATE changed the zone");
    let key = house.etcd.all_bytes().into_iter().find(|(key, _)| key == b"/live/host").map(|(_, value)| value);
    assert_eq!(key.as_deref(), Some(&b"db2.example.com"[..]));
    let others = [(owner + 1) % 3, (owner + 2) % 3];
    let taken: u64 = others.into_iter().map(|at| house.counted_at(at, "trueup_takeovers_total")).sum();
    assert!(taken >= 1, "the take-over is counted");
    let journal = house.world.get_as("ana", &format!("api/v1/repos/dns/mrs/{number}/journal")).1;
    assert!(journal.matches("carried").count() >= 2, "the journal says who worked on it: {journal}");
    house.serve(owner);
    house.speak_to(owner);
    house.reaches(number, "merged");
    house.fetch_from_here();
    assert_eq!(house.merges(), "1");
}

#[test]
fn a_stopped_owner_that_wakes_after_another_took_over_writes_nothing() {
    let mut house = House::start(3);
    house.fetch_from_here();
    let before = house.world.dns.serial(&house.world.zones[0]);
    let number = house.propose_address("move", "192.0.2.1", "192.0.2.77");
    house.reaches(number, "awaiting_approval");
    let owner = house.owned(number);
    house.replicas[owner].dns.hold();
    house.world.approve(number);
    house.until("the UPDATE is under way", || house.replicas[owner].dns.holds());
    house.signal(owner, "-STOP");
    let other = (owner + 1) % 3;
    house.speak_to(other);
    house.reaches(number, "merged");
    let serial = house.world.dns.serial(&house.world.zones[0]);
    assert_eq!(serial, before + 1);
    let journal = |house: &House| house.world.get_as("ana", &format!("api/v1/repos/dns/mrs/{number}/journal")).1;
    let comments = |house: &House| house.world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok();
    let told = (journal(&house), comments(&house));
    // The packet that was sent before it was stopped arrives now: its prerequisites do not hold any more, and the name server refuses it.
    house.replicas[owner].dns.release();
    house.until("the late UPDATE has arrived", || house.replicas[owner].dns.updates() == 1);
    house.signal(owner, "-CONT");
    house.speak_to(owner);
    // It answers again, with what the other did, and has a session of its own again.
    house.reaches(number, "merged");
    house.until("it is a replica again", || house.counted_at(other, "trueup_replicas") == 3);
    assert_eq!(house.replicas[owner].dns.updates(), 1, "the woken one sent nothing more");
    house.speak_to(other);
    assert_eq!(house.world.dns.serial(&house.world.zones[0]), serial, "nothing changed the zone any more");
    assert_eq!(comments(&house), told.1, "and nothing was written to comment or statuses");
    // The new owner may look at the merge request once more; nobody else may append, and nothing is done again.
    let (now, then) = (journal(&house), told.0.trim_end_matches(']'));
    assert!(now.starts_with(then), "the journal only grew:\n{now}\n{then}");
    let more: Vec<&str> = ["carried", "intended", "acted", "merge_asked"].into_iter().filter(|word| now[then.len()..].contains(word)).collect();
    assert!(more.is_empty(), "nothing was done again: {}", &now[then.len()..]);
    house.fetch_from_here();
    assert_eq!(house.merges(), "1");
}

#[test]
fn a_replica_cut_off_from_the_store_loses_its_changes_and_comes_back_as_another() {
    let mut house = House::start(3);
    let number = house.move_www();
    let owner = house.owned(number);
    let other = (owner + 1) % 3;
    house.replicas[owner].store.cut(true);
    house.until("the session of the one that is cut off runs out", || house.counted_at(other, "trueup_replicas") == 2);
    house.speak_to(other);
    house.world.approve(number);
    house.reaches(number, "merged");
    assert_eq!(house.replicas[owner].dns.updates(), 0, "the one that is cut off wrote nothing");
    house.replicas[owner].store.cut(false);
    house.until("it is back", || house.counted_at(other, "trueup_replicas") == 3);
    house.speak_to(owner);
    house.reaches(number, "merged");
    let next = house.propose_address("again", "192.0.2.77", "192.0.2.79");
    house.reaches(next, "awaiting_approval");
    house.world.approve(next);
    house.reaches(next, "merged");
}

#[test]
fn changes_of_several_replicas_wait_in_one_queue_that_all_show_alike() {
    let mut house = House::start(3);
    house.fetch_from_here();
    // The first holds the record while its UPDATE is held back; the others want the same record, each by another replica.
    let numbers: Vec<u64> = (0..3)
        .map(|at| {
            house.speak_to(at);
            house.fetch_from_here();
            let number = house.propose_address(&format!("move-{at}"), "192.0.2.1", &format!("192.0.2.{}", 100 + at));
            house.reaches(number, "awaiting_approval");
            number
        })
        .collect();
    let owner = house.owned(numbers[0]);
    house.replicas[owner].dns.hold();
    house.world.approve(numbers[0]);
    house.until("the UPDATE is under way", || house.replicas[owner].dns.holds());
    for at in [1, 2] {
        house.speak_to((at + 1) % 3);
        house.world.approve(numbers[at]);
        house.reaches(numbers[at], "queued");
    }
    let waits = |house: &mut House, at: usize| {
        house.speak_to(at);
        numbers.iter().map(|number| house.world.show(*number)["waits_for"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let first = waits(&mut house, 0);
    assert!(first[1].contains(&format!("dns!{}", numbers[0])), "the queue is shown: {first:?}");
    assert_eq!((waits(&mut house, 1), waits(&mut house, 2)), (first.clone(), first));
    house.replicas[owner].dns.release();
    house.reaches(numbers[0], "merged");
    // The others were made for an address that is no more: each hears of the merge, whoever owns it.
    for number in &numbers[1..] {
        house.until("it was planned anew", || house.phase(*number) != "queued");
    }
}

#[test]
fn replicas_whose_clocks_differ_do_each_other_no_harm() {
    let mut house = House::start(2);
    for (at, off) in [(0, "-90000"), (1, "90000")] {
        house.kill(at);
        house.replicas[at].env = vec![("TRUEUP_CLOCK_OFF".to_owned(), off.to_owned())];
        house.serve(at);
    }
    house.fetch_from_here();
    let before = house.world.dns.serial(&house.world.zones[0]);
    let number = house.propose_address("move", "192.0.2.1", "192.0.2.77");
    house.reaches(number, "awaiting_approval");
    let owner = house.owned(number);
    house.replicas[owner].dns.hold();
    house.world.approve(number);
    house.until("the UPDATE is under way", || house.replicas[owner].dns.holds());
    house.kill(owner);
    house.replicas[owner].dns.release();
    house.speak_to(1 - owner);
    house.reaches(number, "merged");
    assert_eq!(house.world.dns.serial(&house.world.zones[0]), before + 1);
    house.fetch_from_here();
    assert_eq!(house.merges(), "1");
}

#[test]
fn a_member_of_etcd_that_restarts_costs_nothing_but_time() {
    let mut house = House::start(2);
    let number = house.move_www();
    house.etcd.restart();
    house.world.approve(number);
    house.reaches(number, "merged");
    house.fetch_from_here();
    assert_eq!(house.merges(), "1");
}

#[test]
fn a_full_quota_of_etcd_stops_intake_and_work_goes_on_once_there_is_room() {
    let mut house = House::start_over(2, EtcdServer::open(&["--quota-backend-bytes", "16777216"]));
    let number = house.move_www();
    house.etcd.fill("/junk/");
    let refused = house.world.trueup("ben", &["mr", "approve", &number.to_string(), "--repo", "dns"]);
    assert!(refused.code != 0 && refused.err.contains("quota"), "it says what is wrong and what to do: {} {}", refused.out, refused.err);
    house.etcd.make_room("/junk/");
    house.until("it can be approved again", || house.world.trueup("ben", &["mr", "approve", &number.to_string(), "--repo", "dns"]).code == 0);
    house.reaches(number, "merged");
    house.speak_to(1);
    house.reaches(number, "merged");
}

#[test]
fn an_override_said_to_one_replica_holds_at_every_other_and_ends_so() {
    let mut house = House::start(3);
    let zone = house.world.zones[0].clone();
    house.world.dns.by_hand(&zone, &format!("update delete www.{zone} A\nupdate add www.{zone} 300 A 192.0.2.200"));
    let id = format!("inside/rrset/{zone}/www/A");
    let codes = |house: &mut House| -> Vec<i32> {
        let said = |at| {
            house.speak_to(at);
            house.world.trueup("ana", &["drift", "--repo", "dns"]).code
        };
        (0..3).map(said).collect()
    };
    assert_eq!(codes(&mut house), [2, 2, 2]);
    house.speak_to(1);
    house.world.trueup("ben", &["override", "claim", &id, "--repo", "dns", "--reason", "tonight", "--until", "1d"]).ok();
    assert_eq!(codes(&mut house), [0, 0, 0]);
    house.speak_to(2);
    house.world.trueup("ben", &["override", "end", &id, "--repo", "dns"]).ok();
    assert_eq!(codes(&mut house), [2, 2, 2]);
}
