//! The configured live systems: each behind its driver, with one dispatcher that owns how much is in flight there.

use crate::{
    core::{
        model::{Fact, Kind, Observed, ResourceId, Str, Token, Unit, Want},
        plan::Step,
        run::{Item, Outcome},
    },
    ports::{Cancel, Cx, Driver, Exam, Fence, ObserveError, ObserveErrorKind, Secrets},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// How long one read of a target may take, all its round trips together.
pub const READ_DEADLINE: Duration = Duration::from_secs(60);

/// One configured target. All changes share it, so its dispatcher is fair between them: waiters are served in the order they came.
pub struct Target {
    pub name: Str,
    driver: Arc<dyn Driver>,
    slots: Semaphore,
}

/// All targets by name.
pub type Targets = BTreeMap<Str, Arc<Target>>;

impl Target {
    /// `in_flight`: how many calls the target takes at once.
    pub fn new(name: impl Into<Str>, driver: Arc<dyn Driver>, in_flight: usize) -> Self {
        Self { name: name.into(), driver, slots: Semaphore::new(in_flight.max(1)) }
    }

    pub fn kind(&self) -> &'static dyn Kind {
        self.driver.kind()
    }

    pub fn driver(&self) -> &dyn Driver {
        &*self.driver
    }

    /// Reads; one `Observed` a want, in the order asked.
    pub async fn observe(&self, secrets: &dyn Secrets, wants: &[Want], facts: &[Fact]) -> Result<Vec<Observed>, ObserveError> {
        let _slot = self.slots.acquire().await;
        let cx = Cx { fence: None, deadline: Instant::now() + READ_DEADLINE, cancel: Cancel::default(), secrets };
        match tokio::time::timeout(READ_DEADLINE, self.driver.observe(&cx, wants, facts)).await {
            Ok(answer) => answer,
            Err(_) => Err(ObserveError {
                target: self.name.to_string(),
                what: format!("no answer within {}s; check that it is up and reachable", READ_DEADLINE.as_secs()),
                kind: ObserveErrorKind::Unreachable,
                about: Vec::new(),
            }),
        }
    }

    /// Lists everything in a unit, wanted or not.
    pub async fn list(&self, secrets: &dyn Secrets, unit: &Unit) -> Result<Vec<Observed>, ObserveError> {
        let fault = |what: String, kind| ObserveError { target: self.name.to_string(), what, kind, about: Vec::new() };
        let census = self.driver.census().ok_or_else(|| fault("this kind of target cannot list what it holds".into(), ObserveErrorKind::Broken))?;
        let _slot = self.slots.acquire().await;
        let cx = Cx { fence: None, deadline: Instant::now() + READ_DEADLINE, cancel: Cancel::default(), secrets };
        census.list(&cx, unit).await
    }

    /// Examines the target as `doctor` does; writes nothing.
    pub async fn probe(&self, secrets: &dyn Secrets, units: &[Unit]) -> Vec<Exam> {
        let about = format!("target {}", self.name);
        let Some(prober) = self.driver.prober() else { return vec![Exam::warn(about, "this kind of target cannot be examined", "make a plan to see whether it answers")] };
        let cx = Cx { fence: None, deadline: Instant::now() + READ_DEADLINE, cancel: Cancel::default(), secrets };
        prober.probe(&cx, units).await
    }

    /// Does one step. An act that outlives its deadline has an unknown outcome: only observing tells.
    pub async fn act(&self, secrets: &dyn Secrets, fence: &Fence, step: &Step, skip: &BTreeSet<u32>, tokens: &[Token]) -> Outcome {
        let deadline = step.deadline.std();
        let _slot = self.slots.acquire().await;
        let cx = Cx { fence: Some(fence), deadline: Instant::now() + deadline, cancel: Cancel::default(), secrets };
        match tokio::time::timeout(deadline, self.driver.act(&cx, &step.act, skip, tokens)).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome { items: vec![Item::Unknown; step.items() as usize], report: Some(format!("no answer within {}s", deadline.as_secs())) },
        }
    }
}

/// Reads wants of several targets at once and gives the answers back in the order asked. `health`: with the facts that are health for each target's kind.
pub async fn observe_all(targets: &Targets, secrets: &dyn Secrets, wants: &[Want], facts: &[Fact], health: bool) -> Result<Vec<Observed>, ObserveError> {
    let mut by_target: BTreeMap<&Str, Vec<&Want>> = BTreeMap::new();
    for want in wants {
        by_target.entry(&want.id.target).or_default().push(want);
    }
    let asks = by_target.into_iter().map(|(name, wants)| async move {
        let target = targets.get(name).ok_or_else(|| unknown(name))?;
        let owned: Vec<Want> = wants.into_iter().cloned().collect();
        let of_kind: &[&str] = if health { target.kind().health() } else { &[] };
        let facts: Vec<Fact> = facts.iter().cloned().chain(of_kind.iter().map(|fact| (*fact).into())).collect();
        target.observe(secrets, &owned, &facts).await
    });
    let mut found: BTreeMap<ResourceId, Observed> = BTreeMap::new();
    for answer in futures::future::join_all(asks).await {
        found.extend(answer?.into_iter().map(|seen| (seen.id.clone(), seen)));
    }
    wants.iter().map(|want| found.get(&want.id).cloned().ok_or_else(|| incomplete(&want.id))).collect()
}

fn unknown(name: &Str) -> ObserveError {
    ObserveError { target: name.to_string(), what: "no such target in the server's configuration".into(), kind: ObserveErrorKind::Missing, about: Vec::new() }
}

fn incomplete(id: &ResourceId) -> ObserveError {
    ObserveError { target: id.target.to_string(), what: format!("the driver did not answer for {id}"), kind: ObserveErrorKind::Broken, about: vec![id.clone()] }
}
