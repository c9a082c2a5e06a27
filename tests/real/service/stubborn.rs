//! A story that goes on over the server's deaths: whoever gets no answer starts it again and asks again.

use super::world::{Said, World};
use std::time::{Duration, Instant};

/// A world whose people do not give up.
pub struct Stubborn {
    pub world: World,
    pub deaths: u32,
}

impl Stubborn {
    pub fn over(world: World) -> Self {
        Self { world, deaths: 0 }
    }

    /// Starts the server again where it has died, without the point at which it was to.
    pub fn revive(&mut self) {
        if !self.world.is_up() {
            self.deaths += 1;
            self.world.env.retain(|(key, _)| key != "TRUEUP_KILL_AT");
            self.world.kill();
            self.world.serve();
        }
    }

    /// Runs a command until a living server answered it as `good` wants.
    pub fn until(&mut self, person: &str, args: &[&str], good: impl Fn(&Said) -> bool) -> Said {
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

    /// Commits an edit on a branch off main, pushes it and opens its merge request.
    pub fn propose(&mut self, branch: &str, edit: impl FnOnce(&World)) {
        let work = self.world.work();
        self.world.git(&work, &["fetch", "-q", &self.world.url("ana"), "main:refs/remotes/origin/main"]);
        self.world.git(&work, &["checkout", "-q", "-B", branch, "origin/main"]).ok();
        edit(&self.world);
        self.world.commit(branch, "ana");
        let url = self.world.url("ana");
        loop {
            self.revive();
            if self.world.git(&work, &["push", "-q", &url, &format!("{branch}:{branch}")]).code == 0 {
                break;
            }
        }
        self.until("ana", &["mr", "open", "--repo", "dns", "--source", branch, "--title", branch, "--json"], |said| said.code == 0 || said.err.contains("already"));
    }

    /// Asks until the merge request is in a phase.
    pub fn phase(&mut self, number: u64, phase: &str) {
        let at = |said: &Said| serde_json::from_str::<serde_json::Value>(&said.out).ok().and_then(|json| json["phase"].as_str().map(str::to_owned)).unwrap_or_default();
        self.until("ana", &["mr", "show", &number.to_string(), "--repo", "dns", "--json"], |said| at(said) == phase);
    }

    /// An approval whose answer was lost may have been heard: then asking again comes too late, and the phase tells.
    pub fn say(&mut self, person: &str, args: &[&str]) {
        self.until(person, args, |said| said.code == 0 || ["merged", "verifying", "rolling"].iter().any(|phase| said.err.contains(phase)));
    }

    /// The main branch has just so many merges.
    pub fn merged_once(&mut self, at: &str, merges: u64) {
        let (work, url) = (self.world.work(), self.world.url("ana"));
        // What was told as merged may have died since.
        let started = Instant::now();
        loop {
            self.revive();
            let said = self.world.git(&work, &["fetch", "-q", &url, "+main:refs/remotes/origin/main"]);
            if said.code == 0 {
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(180), "{at}: main is not told: {}", said.err);
        }
        let counted = self.world.git(&work, &["rev-list", "--merges", "--count", "origin/main"]).ok();
        assert_eq!(counted.trim(), merges.to_string(), "{at}: merged exactly once");
    }
}
