//! Reading: drivers are handed plain values, and what they read is hidden before anybody sees it.

use super::{Hiding, Safe, Scrub};
use crate::{
    core::model::{FactValue, Health, Kind, Observed, Reading, SecretRef, Value, Want},
    ports::ObserveError,
};

/// How one look hides what it sees.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    pub safe: &'a Safe,
    /// What planning knows of sensitive resources; without it those count that the wants themselves hide.
    hiding: Option<&'a Hiding>,
}

/// A want as a driver takes it, and what becomes of the answer.
pub(in crate::app) struct Opened {
    pub want: Want,
    given: Want,
    hides: bool,
    base: Side,
    merged: Side,
}

/// What was made of one side of a want.
enum Side {
    /// Nothing: it is plain.
    Plain,
    /// Opened; where it comes from.
    Opened(Option<SecretRef>),
    /// It cannot be opened here, or need not be: the driver compares nothing with it.
    Closed,
    /// A reference that leads nowhere any more: what is live is taken for it.
    Lost,
}

impl<'a> Look<'a> {
    /// For what a plan said already: what is hidden there stays so, nothing is sealed again, no provider is asked.
    pub fn again(safe: &'a Safe) -> Self {
        Self { safe, hiding: None }
    }

    /// For a plan that is being made.
    pub(in crate::app) fn planning(safe: &'a Safe, hiding: &'a Hiding) -> Self {
        Self { safe, hiding: Some(hiding) }
    }

    pub(in crate::app) fn open(&self, want: &Want, kind: &dyn Kind) -> Opened {
        let (base, from) = self.side(want, want.base.as_ref());
        let (merged, to) = self.side(want, want.merged.as_ref());
        let secret = |value: &Option<Value>| matches!(value, Some(Value::Hidden(_) | Value::Secret(_)));
        let hides = secret(&want.base) || secret(&want.merged) || self.hiding.is_some_and(|hiding| hiding.cover.hides(&want.id, kind));
        Opened { want: Want { base, merged, ..want.clone() }, given: want.clone(), hides, base: from, merged: to }
    }

    fn side(&self, want: &Want, value: Option<&Value>) -> (Option<Value>, Side) {
        match value {
            Some(Value::Hidden(hidden)) => {
                let known = self.hiding.and_then(|hiding| hiding.plain.of_mac(hidden)).cloned();
                match known.or_else(|| self.safe.open(&want.id, hidden).and_then(Result::ok)) {
                    Some(plain) => (Some(plain), Side::Opened(hidden.secret.clone())),
                    // It is there, and that is all the driver needs to know.
                    None => (Some(Value::str("")), Side::Closed),
                }
            }
            Some(Value::Secret(secret)) => match self.hiding.and_then(|hiding| hiding.plain.of_secret(secret)) {
                Some(text) => (
                    Some(Value::str(text.expose())),
                    Side::Opened(Some(SecretRef { uri: secret.uri.clone(), version: text.version().cloned().or_else(|| secret.version.clone()) })),
                ),
                None => (None, Side::Lost),
            },
            plain => (plain.cloned(), Side::Plain),
        }
    }

    /// What a driver answered, as everybody else may have it.
    pub(in crate::app) fn close(&self, opened: &Opened, seen: Observed) -> Observed {
        if !opened.hides {
            return seen;
        }
        // Most looks say nothing in words, and knowing all forms of a large value has its price.
        let scrub = if speaks(&seen) { self.scrub(opened, &seen) } else { Scrub::default() };
        let Observed { id, reading, mut facts, mut health, token, at } = seen;
        let reading = match reading {
            Reading::Seen { live, base, merged } => {
                let live = live.map(|live| if self.hiding.is_some() { self.safe.seal(&id, &live) } else { self.safe.hide(&live) });
                let base = match &opened.base {
                    Side::Plain | Side::Opened(None) => base.map(|base| self.safe.hide(&base)),
                    Side::Opened(Some(secret)) => base.map(|base| self.safe.label(&base, secret.clone())),
                    Side::Closed => opened.given.base.clone(),
                    Side::Lost => live.clone(),
                };
                let merged = match (&opened.merged, merged) {
                    (Side::Closed, _) => Ok(opened.given.merged.clone()),
                    (_, Err(refusal)) => Err(scrub.clean_refusal(refusal)),
                    (Side::Opened(Some(secret)), Ok(merged)) => Ok(merged.map(|merged| self.safe.label(&merged, secret.clone()))),
                    (Side::Plain | Side::Opened(None) | Side::Lost, Ok(merged)) => {
                        Ok(merged.map(|merged| if self.hiding.is_some() { self.safe.seal(&id, &merged) } else { self.safe.hide(&merged) }))
                    }
                };
                Reading::Seen { live, base, merged }
            }
            Reading::Opaque { changes, covers, report } => Reading::Opaque { changes, covers, report: scrub.clean(report) },
            later @ Reading::Later { .. } => later,
        };
        match &mut health {
            Health::InProgress(why) | Health::Failed(why) | Health::Unknown(why) => *why = scrub.clean(why.to_string()).into(),
            Health::NotAsked | Health::Current => {}
        }
        for fact in facts.values_mut() {
            if let FactValue::Text(text) = fact {
                *text = scrub.clean(text.to_string()).into();
            }
        }
        Observed { id, reading, facts, health, token, at }
    }

    /// A fault of reading, without what it may quote.
    pub(in crate::app) fn close_error(&self, opened: &[Opened], error: ObserveError) -> ObserveError {
        let mut all = Scrub::default();
        opened.iter().filter(|one| one.hides).flat_map(plain).for_each(|value| all.add(value));
        ObserveError { what: all.clean(error.what), ..error }
    }

    fn scrub(&self, opened: &Opened, seen: &Observed) -> Scrub {
        let mut scrub = Scrub::default();
        plain(opened).for_each(|value| scrub.add(value));
        if let Reading::Seen { live, base, merged } = &seen.reading {
            live.iter().chain(base).chain(merged.iter().flatten()).for_each(|value| scrub.add(value));
        }
        scrub
    }
}

/// Whether anything of a look is a sentence.
fn speaks(seen: &Observed) -> bool {
    let said = match &seen.reading {
        Reading::Seen { merged, .. } => merged.is_err(),
        Reading::Opaque { .. } => true,
        Reading::Later { .. } => false,
    };
    let healthy = matches!(seen.health, Health::NotAsked | Health::Current);
    said || !healthy || seen.facts.values().any(|fact| matches!(fact, FactValue::Text(_)))
}

fn plain(opened: &Opened) -> impl Iterator<Item = &Value> {
    opened.want.base.iter().chain(&opened.want.merged)
}
