//! Sweeps among several replicas: each repository is swept by one, and by another when that one is gone.

use super::house::House;
use crate::{
    harness::EtcdServer,
    service::{moves::shared, world::World},
};

/// How often each replica has swept a repository, for news from the forge or for drift; 0 for one that is down.
fn sweeps(house: &House, repo: &str, of: &str) -> Vec<u64> {
    let name = |first, second| format!("trueup_sweeps_total{{{first},{second}}}");
    let (repo, of) = (format!("repo=\"{repo}\""), format!("of=\"{of}\""));
    let count = |at| if house.is_up(at) { house.counted_at(at, &name(&repo, &of)) + house.counted_at(at, &name(&of, &repo)) } else { 0 };
    (0..house.replicas.len()).map(count).collect()
}

/// Who sweeps it: one alone, several times in a row. Each asks with its next round who is there, and one that has begun may end.
fn sweeper(house: &House, repo: &str, of: &str) -> usize {
    let (mut before, mut who) = (sweeps(house, repo, of), None);
    house.until(&format!("one replica alone sweeps {repo} for {of}"), || {
        let now = sweeps(house, repo, of);
        let since: Vec<u64> = now.iter().zip(&before).map(|(now, then)| now.saturating_sub(*then)).collect();
        if since.iter().filter(|count| **count > 0).count() > 1 {
            before = now;
        }
        who = since.iter().position(|count| *count >= 5);
        who.is_some() && since.iter().filter(|count| **count > 0).count() == 1
    });
    who.expect("it was found")
}

#[test]
fn each_repository_is_swept_by_one_replica_and_by_another_when_that_one_dies() {
    let often = |text: String| format!("{text}limits: {{ sweep: 300ms }}\ndrift:\n  every: 1s\n");
    let mut house = House::start_in(shared(), 3, EtcdServer::open(&[]), often);
    let who: Vec<usize> = ["dns", "app"].iter().map(|repo| sweeper(&house, repo, "forge")).collect();
    // Drift is divided the same way; `app` governs nothing that could drift.
    assert_eq!(sweeper(&house, "dns", "drift"), who[0]);
    house.kill(who[0]);
    let left = (who[0] + 1) % 3;
    house.speak_to(left);
    house.until("the others know", || house.counted_at(left, "trueup_replicas") == 2);
    let next = sweeper(&house, "dns", "forge");
    assert_ne!(next, who[0], "another took it over");
    assert_eq!(sweeper(&house, "dns", "drift"), next);
    let of_app = sweeper(&house, "app", "forge");
    assert!(who[1] == who[0] || of_app == who[1], "what another one sweeps stays its own");
}

#[test]
fn what_is_claimed_or_ended_at_one_replica_is_looked_at_again_by_the_one_that_sweeps() {
    let world = World::start();
    let www = format!("www.{}", world.zones[0]);
    world.dns.by_hand(&world.zones[0], &format!("update delete {www} A\nupdate add {www} 300 A 192.0.2.200"));
    let id = format!("inside/rrset/{}/www/A", world.zones[0]);
    let once = |text: String| format!("{text}limits: {{ sweep: 300ms }}\ndrift: {{ every: 1d, reads: 6000 }}\n");
    let mut house = House::start_in(world, 2, EtcdServer::open(&[]), once);
    let sweeps = sweeper(&house, "dns", "forge");
    let other = 1 - sweeps;
    let told = |house: &House, n: u64| {
        let drift = |at| house.counted_at(at, "trueup_drift{repo=\"dns\",target=\"inside\"}");
        house.until(&format!("both tell of {n} drifted"), || (drift(sweeps), drift(other)) == (n, n));
    };
    told(&house, 1);
    house.speak_to(other);
    house.world.trueup("ben", &["override", "claim", &id, "--repo", "dns", "--reason", "tonight", "--until", "1d"]).ok();
    told(&house, 0);
    house.world.trueup("ben", &["override", "end", &id, "--repo", "dns"]).ok();
    told(&house, 1);
}
