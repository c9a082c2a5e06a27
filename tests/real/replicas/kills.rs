//! Replicas killed at random moments while a merge request lives: it merges once, and the zone changes once.

use super::house::House;
use std::time::{Duration, Instant};

/// How many seeds a run takes; `TRUEUP_TEST_ALL=1` takes twenty.
const SEEDS: u64 = 3;

/// A small generator (xorshift), so that a seed tells the whole story.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

#[test]
fn kills_of_random_replicas_at_random_moments_lose_nothing_and_repeat_nothing() {
    let all = std::env::var("TRUEUP_TEST_ALL").is_ok_and(|all| all == "1");
    let mut house = House::start(3);
    house.fetch_from_here();
    let mut from = "192.0.2.1".to_owned();
    let (mut deaths, mut merged) = (0, 0);
    for seed in 1..=if all { 20 } else { SEEDS } {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let before = house.world.dns.serial(&house.world.zones[0]);
        let to = format!("192.0.2.{}", 100 + seed);
        let number = house.propose_address(&format!("seed-{seed}"), &from, &to);
        let (mut approved, mut next) = (false, Instant::now() + Duration::from_millis(chance.below(4000)));
        let end = Instant::now() + Duration::from_secs(240);
        loop {
            let alive = (0..3).find(|at| house.is_up(*at)).expect("two are never down at once");
            house.speak_to(alive);
            let phase = house.phase(number);
            if phase == "merged" {
                break;
            }
            if phase == "awaiting_approval" && !approved {
                approved = house.world.trueup("ben", &["mr", "approve", &number.to_string(), "--repo", "dns"]).code == 0;
            }
            assert!(Instant::now() < end, "seed {seed}: it stays {phase}\n{}", (0..3).map(|at| house.log(at)).collect::<String>());
            if Instant::now() >= next && deaths < 3 * seed {
                // Rather the one that works on it.
                let at = house.owner(number).filter(|_| chance.below(3) > 0).unwrap_or(chance.below(3) as usize);
                house.kill(at);
                house.serve(at);
                deaths += 1;
                next = Instant::now() + Duration::from_millis(500 + chance.below(4000));
            }
        }
        merged += 1;
        let live = house.world.live();
        assert!(live.iter().any(|line| line.ends_with(&format!("A {to}"))), "seed {seed}: the change is true: {live:?}");
        assert_eq!(house.world.dns.serial(&house.world.zones[0]), before + 1, "seed {seed}: exactly one UPDATE changed the zone");
        house.fetch_from_here();
        assert_eq!(house.merges(), merged.to_string(), "seed {seed}: merged exactly once");
        from = to;
    }
    println!("{merged} merge requests lived through {deaths} kills of replicas");
    assert!(deaths > 0, "the kills happened");
}
