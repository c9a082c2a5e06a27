//! What every rung does: ask for something, plan the difference, act, and look again.

use super::world::World;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use trueup::{
    core::{
        model::{Observed, Reading, ResourceId, Value, Want},
        plan::{Act, Undo, Write},
        run::{Item, Outcome},
    },
    ports::{Cancel, Cx, Fut, ObserveError, SecretError, SecretText, Secrets},
};

/// Long enough for any rung on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Knows no secret; drivers under test get theirs in their configuration.
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve<'a>(&'a self, reference: &'a trueup::core::model::SecretRef) -> Fut<'a, Result<SecretText, SecretError>> {
        Box::pin(async move { Err(SecretError { uri: reference.uri.to_string(), what: "this test has no secrets".into(), kind: trueup::ports::SecretErrorKind::Missing }) })
    }
}

pub fn cx() -> Cx<'static> {
    Cx { fence: None, deadline: Instant::now() + PATIENCE, cancel: Cancel::default(), together: false, sensitive: &[], secrets: &NoSecrets }
}

/// What shall be: ids with their values, `None` for absent.
pub type Desired = Vec<(ResourceId, Option<Value>)>;

pub fn wants(desired: &Desired) -> Vec<Want> {
    desired.iter().map(|(id, value)| Want { id: id.clone(), base: None, merged: value.clone(), ours: None }).collect()
}

pub async fn observe(world: &dyn World, desired: &Desired) -> Vec<Observed> {
    try_observe(world, desired).await.expect("the server can be read")
}

pub async fn try_observe(world: &dyn World, desired: &Desired) -> Result<Vec<Observed>, ObserveError> {
    world.driver().observe(&cx(), &wants(desired), &[]).await
}

/// The live value of a reading.
pub fn live(observed: &Observed) -> Option<Value> {
    match &observed.reading {
        Reading::Seen { live, .. } => live.clone(),
        Reading::Opaque { .. } | Reading::Later { .. } => panic!("{} was not seen", observed.id),
    }
}

/// The writes that are missing: an empty list says that the world is as desired.
pub async fn plan(world: &dyn World, desired: &Desired) -> Vec<Write> {
    let seen = observe(world, desired).await;
    let mut writes = Vec::new();
    for observed in seen {
        let Reading::Seen { live, merged, .. } = observed.reading else { panic!("{} was not seen", observed.id) };
        let to = merged.unwrap_or_else(|refusal| panic!("{} is refused: {refusal}", observed.id));
        if live != to {
            writes.push(Write { id: observed.id, undo: Undo::To(live.clone()), from: live, to });
        }
    }
    writes
}

pub async fn act(world: &dyn World, writes: &[Write]) -> Outcome {
    act_without(world, writes, &[]).await
}

pub async fn act_without(world: &dyn World, writes: &[Write], skip: &[u32]) -> Outcome {
    let skip: BTreeSet<u32> = skip.iter().copied().collect();
    let outcome = world.driver().act(&cx(), &Act::Write(writes.to_vec()), &skip, &[]).await;
    assert_eq!(outcome.items.len(), writes.len(), "one answer an item");
    outcome
}

/// Acts on writes that are all done or none.
pub async fn act_together(world: &dyn World, writes: &[Write]) -> Outcome {
    let cx = Cx { together: true, ..cx() };
    world.driver().act(&cx, &Act::Write(writes.to_vec()), &BTreeSet::new(), &[]).await
}

/// Plans and acts; every item must be done.
pub async fn apply(world: &dyn World, desired: &Desired) -> Vec<Write> {
    let writes = plan(world, desired).await;
    let outcome = act(world, &writes).await;
    assert!(outcome.items.iter().all(|item| *item == Item::Done), "{outcome:?}");
    writes
}

pub async fn assert_settled(world: &dyn World, desired: &Desired) {
    let rest = plan(world, desired).await;
    assert!(rest.is_empty(), "a second plan is not empty: {rest:?}");
}

/// What an engine does with unknown and failed items: look again, and act on what is missing.
pub async fn converge(world: &dyn World, desired: &Desired) {
    for _ in 0..5 {
        let writes = plan(world, desired).await;
        if writes.is_empty() {
            return;
        }
        act(world, &writes).await;
    }
    panic!("{} does not converge", world.name());
}

/// The first `n` resources with their `v`-th values.
pub fn some(world: &dyn World, n: usize, v: usize) -> Desired {
    (0..n).map(|at| (world.id(at), Some(world.value(at, v)))).collect()
}

pub fn none(world: &dyn World, n: usize) -> Desired {
    (0..n).map(|at| (world.id(at), None)).collect()
}
