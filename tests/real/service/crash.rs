//! `kill -9` of the real process at every point between two durable effects: nothing is lost, nothing is done twice.

use super::world::{Said, World};
use std::time::{Duration, Instant};

/// How many kill points `tests/run` samples; `--all` takes every one.
const SAMPLE: usize = 8;

/// A story that goes on over the server's deaths: whoever gets no answer starts it again and asks again.
struct Stubborn {
    world: World,
    deaths: u32,
}

impl Stubborn {
    fn new(kill_at: Option<u64>, points: Option<&std::path::Path>) -> Self {
        let mut env = Vec::new();
        env.extend(kill_at.map(|n| ("TRUEUP_KILL_AT".to_owned(), n.to_string())));
        env.extend(points.map(|file| ("TRUEUP_POINTS".to_owned(), file.display().to_string())));
        let mut world = World::start();
        // The faults are counted from here: the first commit is part of the world, not of the story.
        world.kill();
        world.env = env;
        world.serve();
        Self { world, deaths: 0 }
    }

    fn revive(&mut self) {
        if !self.world.is_up() {
            self.deaths += 1;
            self.world.env.retain(|(key, _)| key != "TRUEUP_KILL_AT");
            self.world.kill();
            self.world.serve();
        }
    }

    /// Runs a command until a living server answered it as `good` wants.
    fn until(&mut self, person: &str, args: &[&str], good: impl Fn(&Said) -> bool) -> Said {
        let started = Instant::now();
        loop {
            self.revive();
            let said = self.world.trueup(person, args);
            if good(&said) {
                return said;
            }
            assert!(started.elapsed() < Duration::from_secs(180), "`{args:?}` was never answered well: {} {} {}\n{}", said.code, said.out, said.err, self.world.log());
        }
    }

    /// The life of one merge request; the serial of the zone before and after.
    fn live_through(&mut self) -> (u32, u32) {
        let before = self.world.dns.serial(&self.world.zones[0]);
        let work = self.world.work();
        self.world.git(&work, &["checkout", "-q", "-B", "move", "origin/main"]).ok();
        self.world.edit_zone("192.0.2.1\n", "192.0.2.77\n");
        self.world.commit("move", "ana");
        let url = self.world.url("ana");
        loop {
            self.revive();
            if self.world.git(&work, &["push", "-q", &url, "move:move"]).code == 0 {
                break;
            }
        }
        self.until("ana", &["mr", "open", "--repo", "dns", "--source", "move", "--title", "move", "--json"], |said| said.code == 0 || said.err.contains("already"));
        let phase = |said: &Said| serde_json::from_str::<serde_json::Value>(&said.out).ok().and_then(|json| json["phase"].as_str().map(str::to_owned)).unwrap_or_default();
        self.until("ana", &["mr", "show", "1", "--repo", "dns", "--json"], |said| phase(said) == "awaiting_approval");
        // An approval whose answer was lost may have been heard: then asking again comes too late, and the phase tells.
        self.until("ben", &["mr", "approve", "1", "--repo", "dns"], |said| {
            said.code == 0 || said.err.contains("merged") || said.err.contains("verifying") || said.err.contains("rolling")
        });
        self.until("ana", &["mr", "show", "1", "--repo", "dns", "--json"], |said| phase(said) == "merged");
        (before, self.world.dns.serial(&self.world.zones[0]))
    }

    fn check(&self, at: &str, (before, after): (u32, u32)) {
        let live = self.world.live();
        assert!(live.iter().any(|line| line.ends_with("A 192.0.2.77")), "{at}: the change is true: {live:?}");
        assert_eq!(after, before + 1, "{at}: exactly one UPDATE changed the zone");
        self.world.git(&self.world.work(), &["fetch", "-q", "origin"]).ok();
        let merges = self.world.git(&self.world.work(), &["rev-list", "--merges", "--count", "origin/main"]).ok();
        assert_eq!(merges.trim(), "1", "{at}: merged exactly once");
    }
}

#[test]
fn a_kill_between_any_two_durable_effects_loses_nothing_and_repeats_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let points = folder.path().join("points");
    let mut quiet = Stubborn::new(None, Some(&points));
    let serials = quiet.live_through();
    quiet.check("without a kill", serials);
    let names: Vec<String> = std::fs::read_to_string(&points).expect("the points were counted").lines().map(str::to_owned).collect();
    assert!(names.len() >= 10, "a life has many points: {names:?}");
    let all = std::env::var("TRUEUP_TEST_ALL").is_ok_and(|all| all == "1");
    let step = if all { 1 } else { names.len().div_ceil(SAMPLE) };
    let mut killed = 0;
    for at in (1..=names.len()).step_by(step) {
        let mut story = Stubborn::new(Some(at as u64), None);
        let serials = story.live_through();
        killed += story.deaths;
        story.check(&format!("killed at point {}", names[at - 1]), serials);
    }
    println!("{} points between durable effects, {killed} kills, every life ended merged", names.len());
    assert!(killed > 0, "the kills happened");
}
