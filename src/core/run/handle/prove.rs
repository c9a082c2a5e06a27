//! Answers of the live systems: pre-images, proofs, waited-for facts, samples.

use super::Pass;
use crate::core::{
    gate::moved,
    model::{FactValue, Health, Observed, Reading, StepId, Value},
    plan::{Proof, Step, Test, Until},
    review::Veil,
    run::{
        Ask, Event, Item, Outcome, PlanWhy, Sample, Verdict, backoff,
        ledger::{At, Doing},
    },
};

impl Pass<'_> {
    pub(super) fn observed(&mut self, ask: &Ask, seen: &Result<Vec<Observed>, String>) {
        let veil = self.change.veil();
        let mut kept;
        let seen = if veil.is_empty() {
            seen
        } else {
            kept = seen.clone();
            kept.iter_mut().flatten().for_each(|one| veil.over(one));
            &kept
        };
        match ask {
            Ask::Start { n } => self.start_seen(*n, seen),
            Ask::Proof { step, attempt } => self.proof_seen(*step, *attempt, seen),
            Ask::Sample { n } => self.sample_seen(*n, seen),
        }
    }

    fn start_seen(&mut self, n: u64, seen: &Result<Vec<Observed>, String>) {
        if self.change.start_asked != Some(n) {
            return;
        }
        let Some(desk) = &self.change.desk else { return };
        match seen {
            Err(why) => {
                let again = self.now + backoff::slow(3);
                self.emit(Event::StartUnread { n, why: why.clone(), again });
            }
            Ok(seen) => {
                let moved = moved(&desk.plan, seen);
                if moved.is_empty() {
                    self.start();
                } else {
                    self.emit(Event::StartMoved { n, moved: moved.clone() });
                    let restore = self.change.is_restore();
                    if restore {
                        let by = self.change.stopped_by.clone().unwrap_or_else(|| crate::core::model::User::new(""));
                        self.replan(PlanWhy::Restore(by));
                    } else {
                        self.replan(PlanWhy::PreImages(moved));
                    }
                }
            }
        }
    }

    fn proof_seen(&mut self, id: StepId, attempt: u32, seen: &Result<Vec<Observed>, String>) {
        let Some(step) = self.change.ledger.frontier.at(id).filter(|_| self.change.running) else { return };
        if self.change.ledger.attempts[step as usize] != attempt {
            return;
        }
        match self.doing(step) {
            Doing::Proving => self.proof(step, id, attempt, seen),
            Doing::Parked => self.waited_for(step, id, attempt, seen),
            // An act that must not happen twice was under way when the process ended: nothing tells whether it happened.
            Doing::Acting => {
                let items = self.change.ledger.of(step).len();
                let outcome = Outcome { items: vec![Item::Unknown; items], report: None };
                self.emit(Event::Acted { step: id, attempt, outcome, at: self.now });
            }
            Doing::Nothing | Doing::Reproving | Doing::Backoff | Doing::Over => {}
        }
    }

    fn proof(&mut self, step: u32, id: StepId, attempt: u32, seen: &Result<Vec<Observed>, String>) {
        let plan = self.change.ledger.plan.clone();
        let Some(spec) = plan.steps.get(&id) else { return };
        let veil = self.change.veil();
        // A cache may take the old answer from a server that lags, so time counts from where all answer with the new one.
        let healthy = self.change.health_first(step);
        let change = &*self.change;
        let verdicts: Vec<(u32, Verdict)> = match seen {
            Err(why) => change.in_doubt(step).map(|item| (item, Verdict::NotYet { why: why.clone() })).collect(),
            Ok(seen) => {
                let mut seen = seen.iter();
                let judge = |(place, item): (usize, u32)| {
                    let read = if spec.writes().is_empty() { seen.as_slice().get(place) } else { seen.next() };
                    (item, read.map_or_else(|| Verdict::NotYet { why: "the target did not answer for it".to_owned() }, |read| verdict(spec, item, read, healthy, &veil)))
                };
                change.in_doubt(step).enumerate().map(judge).collect()
            }
        };
        if verdicts.iter().all(|(_, verdict)| *verdict == Verdict::Proven) {
            self.emit(Event::Proven { step: id, attempt, at: self.now });
        } else {
            self.emit(Event::ProofRead { step: id, attempt, items: verdicts, at: self.now });
        }
    }

    fn waited_for(&mut self, step: u32, id: StepId, attempt: u32, seen: &Result<Vec<Observed>, String>) {
        let ledger = &self.change.ledger;
        if !ledger.waits.get(&step).is_some_and(|wait| wait.asked) {
            return;
        }
        let Some(until) = ledger.plan.steps.get(&id).and_then(Step::waits_on) else { return };
        let (good, why) = match seen {
            Err(why) => (false, why.clone()),
            Ok(seen) => match seen.iter().find(|one| !holds(until, one)) {
                None if seen.len() == until.of.len() => (true, String::new()),
                None => (false, "the target did not answer for all of it".to_owned()),
                Some(one) => (false, format!("{} of {} is {}", until.fact, one.id, one.facts.get(&until.fact).map_or_else(|| "unknown".to_owned(), fact))),
            },
        };
        self.emit(Event::Waited { step: id, attempt, good, why, at: self.now });
    }

    fn sample_seen(&mut self, n: u64, seen: &Result<Vec<Observed>, String>) {
        let change = &*self.change;
        let own = change.window.as_ref().and_then(|window| window.asked()) == Some(n);
        let step = change.ledger.health.iter().find(|(_, window)| window.asked() == Some(n)).map(|(step, _)| *step);
        let asked = match (own, step) {
            (true, _) => change.sampled(),
            (false, Some(step)) => change.step_wants(step).into_iter().map(|want| (want.id, want.merged)).collect(),
            (false, None) => return,
        };
        let sample = match seen {
            Err(why) => Sample::Gap(why.clone()),
            Ok(seen) => sample(asked, seen),
        };
        let drift = match &sample {
            // While the run is under way, whoever waits for the step hears of it.
            Sample::Drift(ids) => own.then(|| ids.clone()),
            Sample::Good | Sample::Unhealthy(_) | Sample::Gap(_) => None,
        };
        self.emit(Event::Sampled { n, sample, at: self.now });
        if let Some(ids) = drift
            && self.change.asked.is_none()
        {
            self.replan(PlanWhy::Drift(ids));
        }
    }
}

/// What a read says of one item.
fn verdict(spec: &Step, item: u32, read: &Observed, healthy: bool, veil: &Veil) -> Verdict {
    let Some(write) = spec.writes().get(item as usize) else {
        return match &spec.proof {
            Proof::Fact(until) if holds(until, read) => Verdict::Proven,
            Proof::Fact(until) => Verdict::NotYet { why: format!("{} does not hold for {}", until.fact, read.id) },
            Proof::NoChange => match &read.reading {
                Reading::Opaque { changes: Some(false), .. } => Verdict::Proven,
                Reading::Opaque { .. } | Reading::Seen { .. } | Reading::Later { .. } => Verdict::NotYet { why: "a second rehearsal still reports changes".to_owned() },
            },
            Proof::Settled | Proof::Cannot(_) => Verdict::Proven,
        };
    };
    let Reading::Seen { live, base, merged } = &read.reading else {
        return Verdict::NotYet { why: "it cannot be read yet".to_owned() };
    };
    // A later write of the same step to the same resource is proof of this one.
    let later = spec.writes()[item as usize + 1..].iter().filter(|later| later.id == write.id);
    let equal = *live == write.to || merged.as_ref().is_ok_and(|merged| merged == live) || later.clone().any(|later| later.to == *live);
    if equal {
        return match (&read.health, healthy) {
            (Health::Current | Health::NotAsked, _) | (_, false) => Verdict::Proven,
            (Health::Failed(why), true) => Verdict::Failed { why: why.to_string() },
            (Health::InProgress(why) | Health::Unknown(why), true) => Verdict::NotYet { why: why.to_string() },
        };
    }
    if *live == write.from || live == base { Verdict::NotHappened } else { Verdict::Moved { found: veil.shown(&write.id, live.as_ref()) } }
}

/// Whether a fact holds for one resource.
fn holds(until: &Until, read: &Observed) -> bool {
    match (&until.test, read.facts.get(&until.fact)) {
        (_, None) => false,
        (Test::Is(want), Some(is)) => want == is,
        (Test::AtLeast(least), Some(FactValue::Int(is))) => is >= least,
        (Test::AtMost(most), Some(FactValue::Int(is))) => is <= most,
        (Test::AtLeast(_) | Test::AtMost(_), Some(FactValue::Bool(_) | FactValue::Text(_))) => false,
    }
}

fn fact(value: &FactValue) -> String {
    match value {
        FactValue::Bool(is) => is.to_string(),
        FactValue::Int(is) => is.to_string(),
        FactValue::Text(is) => is.to_string(),
    }
}

/// Judges one look at everything touched: equal first, healthy second.
fn sample(asked: Vec<(crate::core::model::ResourceId, Option<Value>)>, seen: &[Observed]) -> Sample {
    let (mut drift, mut unhealthy) = (Vec::new(), Vec::new());
    let mut by_id: std::collections::BTreeMap<_, _> = seen.iter().map(|one| (&one.id, one)).collect();
    for (id, to) in asked {
        let Some(one) = by_id.remove(&id) else { return Sample::Gap(format!("{id} was not answered for")) };
        match &one.reading {
            Reading::Seen { live, merged, .. } if *live == to || merged.as_ref().is_ok_and(|merged| merged == live) => {}
            Reading::Seen { .. } => drift.push(id.clone()),
            Reading::Opaque { changes: Some(false), .. } => {}
            Reading::Opaque { .. } => drift.push(id.clone()),
            Reading::Later { .. } => unhealthy.push((id.clone(), "it cannot be read yet".to_owned())),
        }
        match &one.health {
            Health::Current | Health::NotAsked => {}
            Health::InProgress(why) | Health::Failed(why) | Health::Unknown(why) => unhealthy.push((id, why.to_string())),
        }
    }
    match (drift.is_empty(), unhealthy.is_empty()) {
        (false, _) => Sample::Drift(drift),
        (true, false) => Sample::Unhealthy(unhealthy),
        (true, true) => Sample::Good,
    }
}

/// Whether an item's result is read.
pub(super) fn is_open(at: At) -> bool {
    match at {
        At::Pending | At::Applied | At::Unknown => true,
        At::Proven | At::Failed | At::Blocked | At::Skipped => false,
    }
}
