//! Health in a run: the windows, the probes they ask, and steps whose health others wait for.

use super::{
    Change, Sample,
    due::Due,
    evolve::{Fold, must},
    ledger::{At, Doing, Ledger, Timer},
};
use crate::core::{
    gate::{Watched, Window, Wrong},
    model::{Fingerprint, Probe, ResourceId, Saw, StepId, Time, Want},
    plan::{Act, Healthy, Needs},
    review::{FailureKind, Phase, words::when},
};
use std::collections::BTreeMap;

impl Change {
    /// The window of a step, or the change's own.
    fn window_of(&mut self, step: Option<StepId>) -> Result<&mut Window, &'static str> {
        let Some(id) = step else { return self.window.as_mut().ok_or("there is no window") };
        let at = self.ledger.frontier.at(id).ok_or("the plan has no such step")?;
        self.ledger.health.get_mut(&at).ok_or("nobody waits for that step's health")
    }

    pub(super) fn sample_asked(&mut self, n: u64, step: Option<StepId>, at: Time) -> Fold {
        must(n == self.samples + 1, "samples are numbered one by one")?;
        self.window_of(step)?.ask(n, at);
        self.tell(at);
        self.samples = n;
        Ok(())
    }

    pub(super) fn probe_asked(&mut self, probe: Fingerprint, n: u64, step: Option<StepId>, at: Time) -> Fold {
        must(n == self.probes_asked + 1, "probes are numbered one by one")?;
        match step.and_then(|id| self.ledger.parked_on_a_probe(id)) {
            Some(place) => self.ledger.ask_waited(place, n)?,
            None => must(self.window_of(step)?.ask_probe(probe, n, at), "that probe is not asked, or is under way")?,
        }
        self.tell(at);
        self.probes_asked = n;
        Ok(())
    }

    pub(super) fn probed(&mut self, probe: Fingerprint, n: u64, saw: &Saw, at: Time) -> Fold {
        self.tell(at);
        if self.window.as_mut().is_some_and(|window| window.probed(probe, n, saw, at)) {
            self.fall_back();
            return Ok(());
        }
        let step = self.ledger.health.iter_mut().find_map(|(step, window)| window.probed(probe, n, saw, at).then_some(*step)).ok_or("that probe was not asked")?;
        self.ledger.judge_health(step, at);
        Ok(())
    }

    /// A sample of what one step wrote.
    pub(super) fn step_sampled(&mut self, n: u64, sample: &Sample, at: Time) -> Fold {
        let found = self.ledger.health.iter_mut().find(|(_, window)| window.asked() == Some(n));
        let (step, window) = found.map(|(step, window)| (*step, window)).ok_or("that sample was not asked for")?;
        let why = match sample {
            Sample::Good => None,
            Sample::Unhealthy(which) => which.first().map(|(id, why)| format!("{id} is not healthy: {why}")),
            Sample::Drift(ids) => ids.first().map(|id| format!("{id} is not what was written any more")),
            Sample::Gap(why) => Some(why.clone()),
        };
        if *sample == Sample::Good {
            window.pass(at);
        } else {
            window.miss(at);
        }
        match why {
            Some(why) => drop(self.ledger.slow.insert(step, why)),
            None => drop(self.ledger.slow.remove(&step)),
        }
        self.ledger.judge_health(step, at);
        Ok(())
    }

    /// A window that was lost while merging runs again.
    pub(super) fn fall_back(&mut self) {
        if self.stage == Phase::Merging && !self.window.as_ref().is_some_and(Window::held) {
            self.stage = if self.wrote() { Phase::Verifying } else { Phase::Empty };
        }
    }

    /// Everything that is under way for the windows, as names.
    pub(super) fn health_dues(&self) -> Vec<Due> {
        let probes = |step: Option<u32>, window: &Window| window.probes_asked().map(|(key, _, _)| Due::Probe(step, key)).collect::<Vec<_>>();
        let mut all: Vec<Due> = self.window.iter().flat_map(|window| probes(None, window)).collect();
        for (step, window) in &self.ledger.health {
            all.push(Due::StepSample(*step));
            all.extend(probes(Some(*step), window));
        }
        for (step, wait) in &self.ledger.waits {
            let probe = self.ledger.waited_probe(*step).filter(|_| wait.question.is_some());
            all.extend(probe.map(|probe| Due::Probe(Some(*step), probe.key())));
        }
        all
    }

    /// The question of a probe that is under way.
    pub(super) fn probe_under_way(&self, step: Option<u32>, key: Fingerprint) -> Option<(u64, Probe)> {
        if let Some(step) = step
            && let Some(n) = self.ledger.waits.get(&step).and_then(|wait| wait.question)
        {
            return Some((n, self.ledger.waited_probe(step).filter(|probe| probe.key() == key)?.clone()));
        }
        let window = step.map_or(self.window.as_ref(), |step| self.ledger.health.get(&step))?;
        window.probes_asked().find(|(known, _, _)| *known == key).map(|(_, n, probe)| (n, probe.clone()))
    }

    /// When the windows of steps have something to ask next.
    pub(super) fn step_health_at(&self) -> Option<Time> {
        if !self.running || self.stopping.is_some() {
            return None;
        }
        self.ledger.health.values().flat_map(|window| [window.due(), window.probe_due()]).flatten().min()
    }

    /// What a sample of one step's health reads: each resource it wrote and proved, as its last write left it.
    pub(super) fn step_wants(&self, step: u32) -> Vec<Want> {
        self.ledger.proven_writes(step).into_iter().map(|(id, (from, to))| Want { id: id.clone(), base: from.clone(), merged: to.clone(), ours: None }).collect()
    }

    /// Whether a step's kind must call it healthy before it is proven: the time that others wait after it counts from there.
    pub(super) fn health_first(&self, step: u32) -> bool {
        let frontier = &self.ledger.frontier;
        frontier.leaving(step).any(|place| matches!(frontier.out(place).1, Needs::Elapsed(_)))
    }

    /// The probes that do not hold now, each with the resources it covers.
    pub(super) fn unhealthy_probes(&self) -> Vec<(ResourceId, String)> {
        let Some(window) = &self.window else { return Vec::new() };
        let one = |(watched, wrong): (&Watched, &Wrong)| {
            let mut of = self.desk.iter().flat_map(|desk| &desk.plan.health).filter(|one| one.probe == watched.probe).flat_map(|one| &one.of);
            let first = of.next()?.clone();
            let more = of.count();
            let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
            Some((first, format!("{}{more}", sentence(watched, wrong))))
        };
        window.wrong().filter_map(one).collect()
    }
}

/// Which probe, what it saw, since when.
pub(super) fn sentence(watched: &Watched, wrong: &Wrong) -> String {
    let Wrong { saw, since, silent } = wrong;
    if *silent {
        format!("nothing tells whether {} ({saw}) since {}", watched.probe.ask, when(*since))
    } else {
        format!("{} is not so ({saw}) since {}", watched.probe.ask, when(*since))
    }
}

impl Ledger {
    /// The probe that a parked step waits for.
    pub(super) fn waited_probe(&self, step: u32) -> Option<&Probe> {
        let parked = self.doing[step as usize] == Doing::Parked && self.waits.contains_key(&step);
        self.plan.steps.get(&self.frontier.id(step)).filter(|_| parked)?.waits_on()?.probe.as_deref()
    }

    /// The position of a step that is parked on a probe.
    fn parked_on_a_probe(&self, id: StepId) -> Option<u32> {
        self.frontier.at(id).filter(|step| self.waited_probe(*step).is_some())
    }

    fn ask_waited(&mut self, step: u32, n: u64) -> Result<(), &'static str> {
        self.disarm(Timer::Sample(step));
        let wait = self.waits.get_mut(&step).filter(|wait| wait.question.is_none()).ok_or("that probe is under way")?;
        wait.question = Some(n);
        Ok(())
    }

    /// Begins to ask for a step's health, where steps that are not over wait for it; false when nothing does.
    pub(super) fn begin_health(&mut self, step: u32) -> bool {
        let waits = |place| {
            let (edge, needs, open) = self.frontier.out(place);
            open && needs == Needs::Healthy && self.doing[self.frontier.after(edge) as usize] != Doing::Over
        };
        if !self.frontier.leaving(step).any(waits) {
            return false;
        }
        let written: Vec<ResourceId> = self.proven_writes(step).into_keys().cloned().collect();
        if written.is_empty() {
            return false;
        }
        let covers = |one: &&Healthy| written.iter().any(|id| one.of.contains(id));
        let health: Vec<Healthy> = self.plan.health.iter().filter(covers).cloned().collect();
        self.health.insert(step, Window::of_step(&self.policy).watching(&health, &self.policy));
        true
    }

    /// What a step wrote and proved: each resource with what was there before its first write and after its last.
    fn proven_writes(&self, step: u32) -> BTreeMap<&ResourceId, (&Option<crate::core::model::Value>, &Option<crate::core::model::Value>)> {
        let mut found: BTreeMap<&ResourceId, (_, _)> = BTreeMap::new();
        let Some(spec) = self.plan.steps.get(&self.frontier.id(step)) else { return found };
        if let Act::Earlier(wrote) = &spec.act {
            return self.earlier_writes(step, spec, wrote).into_iter().map(|(id, earlier)| (id, (&earlier.from, &earlier.to))).collect();
        }
        for (write, _) in spec.writes().iter().zip(self.of(step)).filter(|(_, at)| **at == At::Proven) {
            found.entry(&write.id).and_modify(|(_, to)| *to = &write.to).or_insert((&write.from, &write.to));
        }
        found
    }

    /// Lets go of what waits for a step's health, once it held or cannot hold in time.
    fn judge_health(&mut self, step: u32, at: Time) {
        let Some(window) = self.health.get(&step) else { return };
        if !window.held() {
            if !window.expired() {
                return;
            }
            let probe = window.late().and_then(|late| Some(sentence(late, late.wrong.as_ref()?)));
            let why = probe.or_else(|| self.slow.get(&step).cloned()).unwrap_or_else(|| "its health could not be seen for the whole window in time".to_owned());
            for item in 0..self.of(step).len() as u32 {
                if self.of(step)[item as usize] == At::Proven {
                    self.fail(step, item, FailureKind::Unhealthy, why.clone());
                }
            }
        }
        if self.health.remove(&step).is_some_and(|window| window.held()) {
            self.held.insert(step);
        }
        self.slow.remove(&step);
        self.release(step, |needs| needs == Needs::Healthy, at);
    }
}
