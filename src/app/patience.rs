//! How long a forge is asked for the same again: waits that grow, and when it is believed that what it does not know is gone.

use crate::ports::ForgeErrorKind;
use std::time::Duration;

/// How often a forge may say that it knows nothing of something: some say so of everything while a token is wrong, which people mend within minutes.
const UNKNOWN: u32 = 20;

/// The patience with one question.
pub(super) struct Patience {
    wait: Duration,
    most: Duration,
    /// Answers in a row that it knows nothing of it.
    unknown: u32,
}

impl Patience {
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { wait: first, most, unknown: 0 }
    }

    /// How long to wait before the next try; `None`: there will be none, it is gone.
    pub fn after(&mut self, kind: ForgeErrorKind) -> Option<Duration> {
        self.unknown = if kind == ForgeErrorKind::NotFound { self.unknown + 1 } else { 0 };
        let wait = self.wait;
        self.wait = (wait * 2).min(self.most);
        (self.unknown <= UNKNOWN).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_forge_knows_no_more_is_not_asked_for_ever() {
        let mut patience = Patience::new(Duration::from_millis(500), Duration::from_secs(30));
        let waits: Vec<Duration> = std::iter::from_fn(|| patience.after(ForgeErrorKind::NotFound)).take(1000).collect();
        assert_eq!((waits.len(), waits[0], waits[19]), (20, Duration::from_millis(500), Duration::from_secs(30)));
    }

    #[test]
    fn a_forge_that_is_away_is_asked_until_it_is_back() {
        let mut patience = Patience::new(Duration::from_millis(500), Duration::from_secs(30));
        for n in 0..10_000 {
            let kind = if n % 20 == 0 { ForgeErrorKind::Unavailable } else { ForgeErrorKind::NotFound };
            assert!(patience.after(kind).is_some(), "{n}");
        }
    }
}
