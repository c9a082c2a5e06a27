//! The one source of time.

use crate::core::model::Time;
use std::sync::atomic::{AtomicI64, Ordering};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch; may go back when the machine's clock does.
    fn now(&self) -> Time;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_add(wrong_by()))
    }
}

/// How many milliseconds a test lets this machine's clock be wrong by: `TRUEUP_CLOCK_OFF`, with the feature `faults` alone.
#[cfg(feature = "faults")]
fn wrong_by() -> i64 {
    static OFF: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
    *OFF.get_or_init(|| std::env::var("TRUEUP_CLOCK_OFF").ok().and_then(|off| off.parse().ok()).unwrap_or_default())
}

#[cfg(not(feature = "faults"))]
fn wrong_by() -> i64 {
    0
}

/// A clock that tests set.
#[derive(Debug, Default)]
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn at(now: Time) -> Self {
        Self(AtomicI64::new(now.0))
    }

    pub fn set(&self, now: Time) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }
}
