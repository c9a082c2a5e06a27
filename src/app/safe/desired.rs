//! Desired state before core sees it: plain values of sensitive resources are hidden, references are resolved for those who may use them.

use super::{Cover, Safe, chest::no_key};
use crate::{
    app::world::Repository,
    core::{
        model::{Desired, Hidden, Kind, MrId, Place, Policy, Refusal, RefusalKind, ResourceId, SecretRef, Str, Value, Want},
        plan::{Note, Written},
    },
    ports::{SecretError, SecretErrorKind, SecretText},
};
use std::collections::{BTreeMap, BTreeSet};

/// What planning knows of sensitive resources while it lasts.
#[derive(Default)]
pub(in crate::app) struct Hiding {
    pub cover: Cover,
    pub plain: Plain,
    /// References that lead nowhere, and why.
    nowhere: BTreeMap<SecretRef, Refusal>,
}

/// The plain values behind what was hidden; they live as long as the planning of one change.
#[derive(Default)]
pub(in crate::app) struct Plain {
    values: BTreeMap<Str, Value>,
    secrets: BTreeMap<SecretRef, SecretText>,
}

impl Plain {
    pub fn of_mac(&self, hidden: &Hidden) -> Option<&Value> {
        self.values.get(&hidden.mac)
    }

    pub fn of_secret(&self, secret: &SecretRef) -> Option<&SecretText> {
        self.secrets.get(secret)
    }
}

/// What the repository asks for, on both sides.
pub(in crate::app) struct Sides<'a> {
    pub base: &'a mut Desired,
    pub merged: &'a mut Desired,
}

type KindOf<'a> = &'a dyn Fn(&ResourceId) -> &'static dyn Kind;
type PlaceOf<'a> = &'a (dyn Fn(&ResourceId) -> Place + Sync);

impl Hiding {
    /// Hides both sides. Comes back with the plain secrets that the merge request itself writes where only references belong.
    pub fn new(safe: &Safe, policy: &Policy, repo: &Repository, kinds: KindOf<'_>, sides: Sides<'_>) -> (Self, Vec<Refusal>) {
        let mut hiding = Self { cover: Cover::new(policy, &repo.grants), plain: Plain::default(), nowhere: BTreeMap::new() };
        let refers = |side: &Desired| side.resources.iter().filter(|(_, wanted)| matches!(wanted.value, Value::Secret(_))).map(|(id, _)| id.clone()).collect::<Vec<_>>();
        refers(sides.base).into_iter().chain(refers(sides.merged)).for_each(|id| hiding.cover.add(id));
        if hiding.cover.is_empty() {
            return (hiding, Vec::new());
        }
        let faults = plain_secrets(&hiding.cover, kinds, &sides);
        for side in [sides.base, sides.merged] {
            for (id, wanted) in &mut side.resources {
                let kind = kinds(id);
                if !matches!(wanted.value, Value::Secret(_)) && hiding.cover.hides(id, kind) {
                    // In its one form, so that what asks for the same is the same; what its kind refuses is refused by whoever brings it into that form.
                    let form = kind.canon(id, wanted.value.clone()).unwrap_or_else(|_| wanted.value.clone());
                    let hidden = safe.hide(&form);
                    let plain = std::mem::replace(&mut wanted.value, hidden);
                    if let Some(hidden) = wanted.value.hidden() {
                        hiding.plain.values.insert(hidden.mac.clone(), plain);
                    }
                }
            }
        }
        (hiding, faults)
    }

    /// Resolves the references of what is planned. Only what the merged tree asks for must be there; a reference of base that leads nowhere any more is told.
    pub async fn resolve(&mut self, safe: &Safe, repo: &Repository, wants: &[Want], place: PlaceOf<'_>) -> Result<Vec<Note>, Unresolved> {
        let (mut faults, mut notes) = (Vec::new(), Vec::new());
        for want in wants {
            for (value, asked) in [(&want.base, false), (&want.merged, true)] {
                let Some(Value::Secret(secret)) = value else { continue };
                if self.plain.of_secret(secret).is_none() && !self.nowhere.contains_key(secret) {
                    let fault = self.one(safe, repo, secret).await.map_err(|error| Unresolved::World { place: place(&want.id), error })?;
                    fault.into_iter().for_each(|fault| drop(self.nowhere.insert(secret.clone(), fault)));
                }
                match self.nowhere(secret).cloned() {
                    None => {}
                    Some(refusal) if asked => faults.push(refusal.at(place(&want.id))),
                    Some(refusal) => {
                        let text = format!("base asks for `{}` to be {secret}, which is not known any more ({}); what is live was taken for it", want.id, refusal.what);
                        notes.push(Note::Remark { text: text.into() });
                    }
                }
                if let (true, Some(text)) = (asked && secret.version.is_none(), self.plain.of_secret(secret))
                    && let Some(version) = text.version()
                {
                    let text = format!(
                        "{} is planned in its version {version}, and the file does not say which; write `{}@{version}` to have later versions come by merge request",
                        secret.uri, secret.uri
                    );
                    notes.push(Note::Remark { text: text.into() });
                }
            }
        }
        if faults.is_empty() { Ok(notes) } else { Err(Unresolved::Refused(faults)) }
    }

    /// Why nobody can say what a reference stands for; none where it was resolved.
    pub fn nowhere(&self, secret: &SecretRef) -> Option<&Refusal> {
        self.nowhere.get(secret)
    }

    async fn one(&mut self, safe: &Safe, repo: &Repository, secret: &SecretRef) -> Result<Option<Refusal>, SecretError> {
        if !safe.gives(&repo.secrets, secret) {
            let advice = "ask the operators to name it under the repository's `secrets` in the server's configuration, or use one that is named there";
            return Ok(Some(Refusal::new(RefusalKind::Grant, format!("`{}` is not given to this repository", secret.uri)).advice(advice)));
        }
        match safe.resolve(secret).await {
            Ok(text) => {
                self.plain.secrets.insert(secret.clone(), text);
                Ok(None)
            }
            Err(error) => match error.kind {
                SecretErrorKind::Unavailable => Err(error),
                SecretErrorKind::Missing | SecretErrorKind::Denied => {
                    Ok(Some(Refusal::new(RefusalKind::Unknown, error.to_string()).advice("correct the reference, or put the secret where it points")))
                }
            },
        }
    }

    /// What base asks for by now, to be compared with what a change wrote. A reference that leads nowhere stays one, and so equals nothing.
    pub async fn now(&mut self, safe: &Safe, repo: &Repository, kind: &dyn Kind, id: &ResourceId, asks: Option<Value>) -> Option<Value> {
        let asks = asks?;
        let Value::Secret(secret) = &asks else { return Some(asks) };
        if !safe.gives(&repo.secrets, secret) {
            return Some(asks);
        }
        let resolved = safe.resolve(secret).await.ok().and_then(|text| kind.canon(id, Value::str(text.expose())).ok());
        Some(resolved.map_or_else(|| asks.clone(), |value| safe.hide(&value)))
    }

    /// Refuses to plan what could not be sealed.
    pub fn sealable(&self, safe: &Safe, wants: &[Want], kinds: KindOf<'_>, place: PlaceOf<'_>) -> Option<Refusal> {
        let first = wants.iter().find(|want| self.cover.hides(&want.id, kinds(&want.id))).filter(|_| !safe.is_kept())?;
        Some(no_key(format!("`{}` is sensitive, and the server has no key to seal its values with", first.id)).at(place(&first.id)))
    }
}

/// Why references led nowhere.
pub(in crate::app) enum Unresolved {
    Refused(Vec<Refusal>),
    /// The provider did not answer; it is asked again.
    World {
        place: Place,
        error: SecretError,
    },
}

/// Plain values that a merge request writes at sensitive places of kinds that take references.
fn plain_secrets(cover: &Cover, kinds: KindOf<'_>, sides: &Sides<'_>) -> Vec<Refusal> {
    let new = sides.merged.resources.iter().filter(|(id, wanted)| sides.base.get(id).is_none_or(|was| was.value != wanted.value));
    let plain = new.filter(|(id, wanted)| !matches!(wanted.value, Value::Secret(_)) && kinds(id).takes_references() && cover.hides(id, kinds(id)));
    let fault = |(id, wanted): (&ResourceId, &crate::core::model::Wanted)| {
        Refusal::new(RefusalKind::Value, format!("`{}` is sensitive, and a plain value stands here", kinds(id).title(id)))
            .at(wanted.place.clone())
            .advice("write a reference such as `secret://vault/kv/app#password` instead, and rotate the secret: git has kept it")
    };
    plain.map(fault).collect()
}

/// What a change wrote that the server's keys do not open or know any more: neither its way back nor its drift can be told.
pub(in crate::app) fn lost(
    safe: &Safe,
    written: &BTreeMap<ResourceId, Written>,
    ahead: &BTreeMap<ResourceId, (MrId, Option<Value>)>,
    wants: &[Want],
    place: PlaceOf<'_>,
) -> Vec<Refusal> {
    let mut faults = Vec::new();
    let back = "put the key it was sealed with back behind the first in `seal_key`, restart the server and try again, or leave all as it is with `/trueup free REASON`";
    for (id, of) in written {
        let closed = of.before.as_ref().and_then(Value::hidden).and_then(|hidden| match safe.open(id, hidden) {
            Some(Ok(_)) => None,
            Some(Err(error)) => Some(error.to_string()),
            None => Some("it was not sealed".to_owned()),
        });
        let unknown = of.after.as_ref().and_then(Value::hidden).is_some_and(|hidden| !safe.knows(hidden));
        let why = closed.or_else(|| unknown.then(|| "the server's `seal_key` does not hold the key any more by which it is compared".to_owned()));
        if let Some(why) = why {
            faults.push(Refusal::new(RefusalKind::Unknown, format!("what `{id}` was before this change cannot be put back: {why}")).at(place(id)).advice(back));
        }
    }
    let asked: BTreeSet<&ResourceId> = wants.iter().map(|want| &want.id).collect();
    for (id, (change, applied)) in ahead.iter().filter(|(id, _)| asked.contains(id)) {
        if applied.as_ref().and_then(Value::hidden).is_some_and(|hidden| !safe.knows(hidden)) {
            let what = format!("`{id}` was written by {change}, an open change, and the server's `seal_key` does not hold the key any more by which it is compared");
            faults.push(Refusal::new(RefusalKind::Unknown, what).at(place(id)).advice(back));
        }
    }
    faults
}
