//! The health window: a row of samples of what was written, and one of each probe that covers it.

use super::row::Row;
use crate::core::{
    model::{Fingerprint, Policy, Probe, Saw, Span, Str, Time},
    plan::Healthy,
};
use std::collections::BTreeMap;

/// The samples taken of everything a change touched, after its last write, and of all its probes.
///
/// It holds when every row does. Each row has its own interval, length and deadline, so that a slow probe holds up no other. Time is only ever measured between one
/// sample's answer and the next sample's question, and each such stretch counts for at most the gap limit: a clock that jumps forward breaks the row and cannot complete it,
/// nor use up the deadline in one leap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    own: Row,
    probes: BTreeMap<Fingerprint, Watched>,
    /// One good sample of each is enough.
    single: bool,
}

/// One probe and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    pub probe: Probe,
    /// What is wrong with it, since when; none while it answers as it must.
    pub wrong: Option<Wrong>,
    row: Row,
}

/// Why a probe does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub saw: Str,
    /// The first of the answers that were wrong without a good one in between.
    pub since: Time,
    /// Nothing answered; else it answered, and not as it must.
    pub silent: bool,
}

impl Window {
    /// A window as policy wants it, without probes.
    pub fn new(policy: &Policy) -> Self {
        Self { own: Row::new(policy), probes: BTreeMap::new(), single: false }
    }

    /// One good sample is enough: nothing was written, so there is nothing to settle.
    pub fn single(policy: &Policy) -> Self {
        Self { own: Row::new(policy).single(), probes: BTreeMap::new(), single: true }
    }

    /// What a step is asked before others go on: its kind calls it healthy once, and its probes hold their windows. The whole window is for the merge.
    pub fn of_step(policy: &Policy) -> Self {
        Self { own: Row::new(policy).single(), probes: BTreeMap::new(), single: false }
    }

    /// The same with these probes.
    pub fn watching(mut self, health: &[Healthy], policy: &Policy) -> Self {
        self.follow(health, policy);
        self
    }

    /// Asks these probes from here on. A probe that was asked already about the same content keeps its samples; what is no longer asked is forgotten.
    pub fn follow(&mut self, health: &[Healthy], policy: &Policy) {
        let mut known = std::mem::take(&mut self.probes);
        for one in health {
            let key = one.probe.key();
            let row = || if self.single { Row::of_probe(policy, &one.probe).single() } else { Row::of_probe(policy, &one.probe) };
            let watched = known.remove(&key).unwrap_or_else(|| Watched { probe: one.probe.clone(), wrong: None, row: row() });
            self.probes.entry(key).or_insert(watched);
        }
    }

    /// When the next sample of what was written is due; `None` while one is under way.
    pub fn due(&self) -> Option<Time> {
        self.own.due()
    }

    /// When the next probe is due.
    pub fn probe_due(&self) -> Option<Time> {
        self.probes.values().filter_map(|watched| watched.row.due()).min()
    }

    /// The probes that are due now.
    pub fn probes_due(&self, now: Time) -> Vec<Fingerprint> {
        self.probes.iter().filter(|(_, watched)| watched.row.due().is_some_and(|at| at <= now)).map(|(key, _)| *key).collect()
    }

    /// The sample under way.
    pub fn asked(&self) -> Option<u64> {
        self.own.asked()
    }

    /// The probes under way, with the numbers of their questions.
    pub fn probes_asked(&self) -> impl Iterator<Item = (Fingerprint, u64, &Probe)> {
        self.probes.iter().filter_map(|(key, watched)| Some((*key, watched.row.asked()?, &watched.probe)))
    }

    /// Takes note of a question.
    pub fn ask(&mut self, n: u64, at: Time) {
        self.own.ask(n, at);
    }

    /// Takes note of a probe's question; false when there is no such probe, or one is under way.
    pub fn ask_probe(&mut self, key: Fingerprint, n: u64, at: Time) -> bool {
        let Some(watched) = self.probes.get_mut(&key).filter(|watched| watched.row.asked().is_none()) else { return false };
        watched.row.ask(n, at);
        true
    }

    /// Takes an answer: every touched resource was equal and healthy.
    pub fn pass(&mut self, at: Time) {
        self.own.pass(at);
    }

    /// Takes an answer that was not good, or none.
    pub fn miss(&mut self, at: Time) {
        self.own.miss(at);
    }

    /// Takes a probe's answer; false when it was not asked.
    pub fn probed(&mut self, key: Fingerprint, n: u64, saw: &Saw, at: Time) -> bool {
        let Some(watched) = self.probes.get_mut(&key).filter(|watched| watched.row.asked() == Some(n)) else { return false };
        let wrong = match saw {
            Saw::Good(_) => {
                watched.row.pass(at);
                None
            }
            Saw::Bad(saw) => {
                watched.row.miss(at);
                Some((saw, false))
            }
            Saw::Nothing(saw) => {
                watched.row.blank(at);
                Some((saw, true))
            }
        };
        let since = watched.wrong.as_ref().map_or(at, |wrong| wrong.since);
        watched.wrong = wrong.map(|(saw, silent)| Wrong { saw: saw.clone(), since, silent });
        true
    }

    /// The clock went back by `by`: nothing seen before tells how old it is now.
    pub fn clock_back(&mut self, by: Span) {
        self.rows_mut().for_each(|row| row.clock_back(by));
        for wrong in self.probes.values_mut().filter_map(|watched| watched.wrong.as_mut()) {
            wrong.since = Time(wrong.since.0.saturating_sub_unsigned(by.0));
        }
    }

    /// Whether every row held once, and no bad sample came since.
    pub fn held(&self) -> bool {
        self.rows().all(Row::held)
    }

    /// Whether what the last good samples saw is no older than `max_age`.
    pub fn fresh(&self, now: Time, max_age: Span) -> bool {
        self.rows().all(|row| row.fresh(now, max_age))
    }

    /// Whether health took longer than policy, or a probe, allows.
    pub fn expired(&self) -> bool {
        self.rows().any(Row::expired)
    }

    /// The probe whose deadline passed.
    pub fn late(&self) -> Option<&Watched> {
        self.probes.values().find(|watched| watched.row.expired())
    }

    /// The probes that do not hold now.
    pub fn wrong(&self) -> impl Iterator<Item = (&Watched, &Wrong)> {
        self.probes.values().filter_map(|watched| Some((watched, watched.wrong.as_ref()?)))
    }

    /// How many good samples the slowest row has, of `needed`.
    pub fn good(&self) -> u32 {
        self.slowest().good()
    }

    pub fn needed(&self) -> u32 {
        self.slowest().needed()
    }

    pub fn every(&self) -> Span {
        self.slowest().every()
    }

    /// The row with the longest way to go.
    fn slowest(&self) -> &Row {
        let left = |row: &Row| if row.held() { 0 } else { u64::from(row.needed() - row.good()).saturating_mul(row.every().0) };
        self.rows().fold(&self.own, |most, row| if left(row) > left(most) { row } else { most })
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        std::iter::once(&self.own).chain(self.probes.values().map(|watched| &watched.row))
    }

    fn rows_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        std::iter::once(&mut self.own).chain(self.probes.values_mut().map(|watched| &mut watched.row))
    }
}
