//! `kill -9` of the real process at every point between two durable effects: nothing is lost, nothing is done twice.

use super::{stubborn::Stubborn, world::World};

/// How many kill points `tests/run` samples; `--all` takes every one.
const SAMPLE: usize = 8;

/// A world that dies at one point, or one that lives and counts them; counted from here: the first commit is part of the world, not of the story.
fn begin(kill_at: Option<u64>, points: Option<&std::path::Path>) -> Stubborn {
    let mut env = Vec::new();
    env.extend(kill_at.map(|n| ("TRUEUP_KILL_AT".to_owned(), n.to_string())));
    env.extend(points.map(|file| ("TRUEUP_POINTS".to_owned(), file.display().to_string())));
    let mut world = World::start();
    world.kill();
    world.env = env;
    world.serve();
    Stubborn::over(world)
}

/// The life of one merge request; the serial of the zone before and after.
fn live_through(story: &mut Stubborn) -> (u32, u32) {
    let before = story.world.dns.serial(&story.world.zones[0]);
    story.propose("move", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    story.phase(1, "awaiting_approval");
    story.say("ben", &["mr", "approve", "1", "--repo", "dns"]);
    story.phase(1, "merged");
    (before, story.world.dns.serial(&story.world.zones[0]))
}

fn check(story: &mut Stubborn, at: &str, (before, after): (u32, u32)) {
    let live = story.world.live();
    assert!(live.iter().any(|line| line.ends_with("A 192.0.2.77")), "{at}: the change is true: {live:?}");
    assert_eq!(after, before + 1, "{at}: exactly one UPDATE changed the zone");
    story.merged_once(at, 1);
}

#[test]
fn a_kill_between_any_two_durable_effects_loses_nothing_and_repeats_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let points = folder.path().join("points");
    let mut quiet = begin(None, Some(&points));
    let serials = live_through(&mut quiet);
    check(&mut quiet, "without a kill", serials);
    let names: Vec<String> = std::fs::read_to_string(&points).expect("the points were counted").lines().map(str::to_owned).collect();
    assert!(names.len() >= 10, "a life has many points: {names:?}");
    let all = std::env::var("TRUEUP_TEST_ALL").is_ok_and(|all| all == "1");
    let step = if all { 1 } else { names.len().div_ceil(SAMPLE) };
    let mut killed = 0;
    for at in (1..=names.len()).step_by(step) {
        let mut story = begin(Some(at as u64), None);
        let serials = live_through(&mut story);
        killed += story.deaths;
        check(&mut story, &format!("killed at point {}", names[at - 1]), serials);
    }
    println!("{} points between durable effects, {killed} kills, every life ended merged", names.len());
    assert!(killed > 0, "the kills happened");
}

#[test]
fn a_round_that_was_owed_when_the_process_died_is_made_up_for_by_the_first_sweep() {
    // No sweep but the first.
    let mut world = World::start_knowing("", "limits: { sweep: 1h }\n");
    let first = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    let second = world.propose("move-mail", |world| world.edit_zone("192.0.2.2\n", "192.0.2.78\n"));
    world.wait(first, "awaiting_approval");
    world.wait(second, "awaiting_approval");
    world.kill();
    let hold = world.dir.path().join("hold");
    std::fs::write(&hold, "").expect("the folder is writable");
    world.env = vec![("TRUEUP_HOLD_AT".to_owned(), "before round".to_owned()), ("TRUEUP_HOLD_WHILE".to_owned(), hold.display().to_string())];
    world.serve();
    world.approve(first);
    world.wait(first, "merged");
    let merged = world.show(first)["merged"].clone();
    assert!(merged.is_string() && world.show(second)["base"] != merged, "nobody told the second: {}", world.show(second));
    world.kill();
    world.env.clear();
    world.serve();
    world.until(|world| world.show(second)["base"] == merged && world.show(second)["phase"] == "awaiting_approval");
}
