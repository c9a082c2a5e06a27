//! A target that costs nothing: it holds base until it is told otherwise.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};
use trueup::{
    core::{
        model::{Fact, Health, Kind, Observed, Reading, ResourceId, SecretRef, Time, Token, Value, Want},
        plan::Act,
        run::{Item, Outcome},
    },
    ports::{Cx, Driver, Fut, ObserveError, Precondition, SecretError, SecretText, Secrets},
};

/// A driver of any kind without a wire.
pub struct Null {
    kind: &'static dyn Kind,
    written: Mutex<BTreeMap<ResourceId, Option<Value>>>,
}

impl Null {
    pub fn new(kind: &'static dyn Kind) -> Self {
        Self { kind, written: Mutex::default() }
    }
}

impl Driver for Null {
    fn kind(&self) -> &'static dyn Kind {
        self.kind
    }

    fn precondition(&self) -> Precondition {
        Precondition::Token
    }

    fn observe<'a>(&'a self, _: &'a Cx<'a>, wants: &'a [Want], _: &'a [Fact]) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let look = |want: &Want| Observed {
            id: want.id.clone(),
            reading: Reading::Seen { live: written.get(&want.id).unwrap_or(&want.base).clone(), base: want.base.clone(), merged: Ok(want.merged.clone()) },
            facts: BTreeMap::new(),
            health: Health::NotAsked,
            token: Token(None),
            at: Time::default(),
        };
        let seen = wants.iter().map(look).collect();
        Box::pin(async { Ok(seen) })
    }

    fn act<'a>(&'a self, _: &'a Cx<'a>, act: &'a Act, _: &'a BTreeSet<u32>, _: &'a [Token]) -> Fut<'a, Outcome> {
        let Act::Write(writes) = act else { return Box::pin(async { Outcome::all(1, Item::Done) }) };
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.extend(writes.iter().map(|write| (write.id.clone(), write.to.clone())));
        let outcome = Outcome::all(writes.len(), Item::Done);
        Box::pin(async { outcome })
    }
}

/// No reference resolves.
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve<'a>(&'a self, reference: &'a SecretRef) -> Fut<'a, Result<SecretText, SecretError>> {
        Box::pin(async move { Err(SecretError { uri: reference.uri.to_string(), what: "a bench has no secrets".into(), kind: trueup::ports::SecretErrorKind::Missing }) })
    }
}
