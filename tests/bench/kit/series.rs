//! Timings of several rounds: the median, and how far the rounds were apart.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// The same work timed again and again.
#[derive(Clone, Debug, Default)]
pub struct Series(Vec<Duration>);

impl Series {
    /// Runs the work once and keeps how long it took.
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let made = work();
        self.push(started.elapsed());
        made
    }

    pub fn push(&mut self, took: Duration) {
        self.0.push(took);
    }

    pub fn median(&self) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }

    fn least(&self) -> Duration {
        self.0.iter().min().copied().unwrap_or_default()
    }

    fn most(&self) -> Duration {
        self.0.iter().max().copied().unwrap_or_default()
    }
}

/// `median (least–most)` in milliseconds.
impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| {
            let ms = time.as_secs_f64() * 1000.0;
            if ms < 10.0 { format!("{ms:.2}") } else { format!("{ms:.0}") }
        };
        f.pad(&format!("{} ({}–{})", ms(self.median()), ms(self.least()), ms(self.most())))
    }
}

/// How many times as long the first takes as the second, by their medians.
pub fn ratio(ours: &Series, theirs: &Series) -> f64 {
    ours.median().as_secs_f64() / theirs.median().as_secs_f64()
}

/// How often each side of a pair runs: `TRUEUP_BENCH_ROUNDS`, or as many as the bench wants.
pub fn rounds(usual: usize) -> usize {
    std::env::var("TRUEUP_BENCH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(usual)
}
