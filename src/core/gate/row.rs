//! One row of samples: a number of good ones without a gap, never elapsed time.

use crate::core::model::{Policy, Probe, Span, Time};

/// The samples of one question, all taken after the last write of what it is about.
///
/// Time is only ever measured between one sample's answer and the next sample's question, and each such stretch counts for at most
/// the gap limit: a clock that jumps forward breaks the row and cannot complete it, nor use up the deadline in one leap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    every: Span,
    max_age: Span,
    deadline: Span,
    needed: u32,
    /// Good samples in a row.
    good: u32,
    /// The window held once, and no bad sample came since.
    held: bool,
    /// When the last sample was answered, good or not.
    last: Option<Time>,
    /// When the last good sample was asked for: what it saw is no older.
    seen: Option<Time>,
    /// When it was answered.
    good_at: Option<Time>,
    /// The question under way.
    asked: Option<(u64, Time)>,
    spent: Span,
}

/// A window whose interval is shorter would only ask as fast as targets answer.
const LEAST_INTERVAL: Span = Span(10);

impl Row {
    /// A row as policy wants it: as many samples as cover `window`, one every `every`.
    pub fn new(policy: &Policy) -> Self {
        Self::of(policy, policy.every, policy.window, policy.deadline)
    }

    /// A probe's row: its own times, or policy's; longer by what its answers lie behind, so that a window of them is of after the write.
    pub fn of_probe(policy: &Policy, probe: &Probe) -> Self {
        let every = probe.every.unwrap_or(policy.every);
        let window = probe.window.unwrap_or(policy.window);
        Self::of(policy, every, Span(window.0.saturating_add(probe.lag().0)), probe.deadline.unwrap_or(policy.deadline))
    }

    fn of(policy: &Policy, every: Span, window: Span, deadline: Span) -> Self {
        let every = Span(every.0.max(LEAST_INTERVAL.0));
        let needed = u32::try_from(window.0.div_ceil(every.0)).unwrap_or(u32::MAX).saturating_add(1);
        Self { every, max_age: policy.max_age, deadline, needed, good: 0, held: false, last: None, seen: None, good_at: None, asked: None, spent: Span(0) }
    }

    /// One good sample is enough: nothing was written, so there is nothing to settle.
    pub fn single(self) -> Self {
        Self { needed: 1, ..self }
    }

    /// When the next sample is due; `None` while one is under way.
    pub fn due(&self) -> Option<Time> {
        match (self.asked, self.last) {
            (Some(_), _) => None,
            (None, None) => Some(Time(i64::MIN)),
            // Once held it is only kept fresh, which an interval beyond `max_age` would not do.
            (None, Some(last)) if self.held => Some(last + self.every.min(self.max_age)),
            (None, Some(last)) => Some(last + self.every),
        }
    }

    /// The sample under way.
    pub fn asked(&self) -> Option<u64> {
        self.asked.map(|(n, _)| n)
    }

    /// Takes note of a question.
    pub fn ask(&mut self, n: u64, at: Time) {
        if let Some(last) = self.last {
            let since = at - last;
            self.spend(since);
            // A held window is only refreshed before the merge; the wait for people in between is no gap.
            if since.0 > self.gap().0 && !self.held {
                self.good = 0;
            }
        }
        self.asked = Some((n, at));
    }

    /// Takes an answer: every touched resource was equal and healthy.
    pub fn pass(&mut self, at: Time) {
        let Some((_, asked)) = self.asked.take() else { return };
        self.spend(at - asked);
        self.last = Some(at);
        if (at - asked).0 > self.max_age.0.max(self.gap().0) {
            // What it saw is too old to say anything about now.
            return self.lose();
        }
        // Two silences, neither of them too long, are a gap together; one is none, however late the timers are.
        if !self.held && self.good_at.is_some_and(|last| (asked - last).0 > self.gap().0.saturating_add(self.every.0 / 2)) {
            self.good = 0;
        }
        self.good_at = Some(at);
        self.seen = Some(asked);
        self.good = self.good.saturating_add(1);
        self.held |= self.good >= self.needed;
    }

    /// Takes an answer that was not good, or none.
    pub fn miss(&mut self, at: Time) {
        let Some((_, asked)) = self.asked.take() else { return };
        self.spend(at - asked);
        self.last = Some(at);
        self.lose();
    }

    /// Takes it that nothing answered: a hole, which ends the row only when it is wider than a gap may be.
    pub fn blank(&mut self, at: Time) {
        let Some((_, asked)) = self.asked.take() else { return };
        // The next question is due an interval after this one, not after its silence, and counts the stretch since then.
        self.last = Some(asked);
        let most = if self.held { self.gap().max(self.max_age) } else { self.gap() };
        if self.seen.is_none_or(|seen| (at - seen).0 > most.0) {
            self.lose();
        }
    }

    fn lose(&mut self) {
        (self.good, self.held, self.seen, self.good_at) = (0, false, None, None);
    }

    fn spend(&mut self, stretch: Span) {
        if !self.held {
            self.spent = Span(self.spent.0 + stretch.0.min(self.gap().0));
        }
    }

    /// The clock went back by `by`: nothing seen before tells how old it is now.
    pub fn clock_back(&mut self, by: Span) {
        self.lose();
        self.last = self.last.map(|last| Time(last.0.saturating_sub_unsigned(by.0)));
        self.asked = self.asked.map(|(n, at)| (n, Time(at.0.saturating_sub_unsigned(by.0))));
    }

    /// Twice the interval.
    fn gap(&self) -> Span {
        Span(self.every.0.saturating_mul(2))
    }

    pub fn held(&self) -> bool {
        self.held
    }

    /// Whether what the last good sample saw is no older than `max_age`.
    pub fn fresh(&self, now: Time, max_age: Span) -> bool {
        self.seen.is_some_and(|seen| now >= seen && (now - seen).0 <= max_age.0)
    }

    /// Whether health took longer than policy allows.
    pub fn expired(&self) -> bool {
        !self.held && self.spent.0 > self.deadline.0.max(self.every.0.saturating_mul(u64::from(self.needed) + 1))
    }

    pub fn good(&self) -> u32 {
        self.good.min(self.needed)
    }

    pub fn needed(&self) -> u32 {
        self.needed
    }

    pub fn every(&self) -> Span {
        self.every
    }
}
