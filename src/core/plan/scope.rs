//! What a merge request may touch: what it changes and what its own run has written (I11), inside its grants (I10).

use crate::core::{
    diff::Fate,
    model::{Place, Refusal, RefusalKind, ResourceId, Str, Value, Want},
    plan::{CompileError, Scope, pattern::Patterns},
};
use std::collections::{BTreeMap, BTreeSet};

/// One resource in scope.
pub(super) struct Scoped<'a> {
    pub id: &'a ResourceId,
    pub base: Option<&'a Value>,
    pub merged: Option<&'a Value>,
    pub place: Place,
    pub fate: Fate,
}

/// The resources in scope, by id, and those that policy ignores.
pub(super) struct InScope<'a> {
    pub resources: Vec<Scoped<'a>>,
    pub ignored: Vec<&'a ResourceId>,
}

/// The wants to observe for a plan: what the merge request changes, what this change wrote, and nothing else (I11).
///
/// Refuses what lies outside the grants, before anything is read (I10).
pub fn wants(scope: &Scope<'_>) -> Result<Vec<Want>, CompileError> {
    let in_scope = in_scope(scope).map_err(CompileError::Refused)?;
    let want = |of: Scoped<'_>| Want { id: of.id.clone(), base: of.base.cloned(), merged: of.merged.cloned(), ours: scope.ours.get(of.id).copied().flatten() };
    Ok(in_scope.resources.into_iter().map(want).collect())
}

pub(super) fn in_scope<'a>(scope: &Scope<'a>) -> Result<InScope<'a>, Vec<Refusal>> {
    let mut faults = Vec::new();
    let ignore = Patterns::new("policy.ignore", &scope.policy.ignore).map_err(|fault| vec![fault])?;
    let moved_away = moved_away(scope, &mut faults);
    let (mut resources, mut ignored) = (Vec::new(), Vec::new());
    for id in ids(scope) {
        if moved_away.contains(id) {
            continue;
        }
        if ignore.matches(id) {
            ignored.push(id);
            continue;
        }
        let merged = scope.merged.get(id);
        let was = scope.sources.moved.get(id).filter(|_| merged.is_some());
        let base = scope.base.get(was.unwrap_or(id));
        let fate = match was {
            Some(was) => Fate::Moved { was: was.clone() },
            // What is still named, only to be left alone, is given up and never deleted.
            None if merged.is_none() && (scope.sources.released.contains(id) || scope.merged.left.contains_key(id)) => Fate::Released,
            None if scope.sources.fresh.contains(id) => Fate::Fresh,
            None => Fate::Governed,
        };
        let place = merged.or(base).map_or_else(|| Place::file("(written by this change before)"), |wanted| wanted.place.clone());
        resources.push(Scoped { id, base: base.map(|wanted| &wanted.value), merged: merged.map(|wanted| &wanted.value), place, fate });
    }
    outside_grants(scope, &resources, &mut faults);
    if faults.is_empty() { Ok(InScope { resources, ignored }) } else { Err(faults) }
}

/// What differs between base and merged, what this change wrote, and what sources gave up or took.
fn ids<'a>(scope: &Scope<'a>) -> BTreeSet<&'a ResourceId> {
    let (base, merged) = (&scope.base.resources, &scope.merged.resources);
    let differs = merged.iter().filter(|(id, wanted)| base.get(*id).is_none_or(|was| was.value != wanted.value)).map(|(id, _)| id);
    let gone = base.keys().filter(|id| !merged.contains_key(*id));
    let sources = scope.sources.fresh.iter().chain(scope.sources.moved.keys()).filter(|id| merged.contains_key(*id));
    differs.chain(gone).chain(sources).chain(scope.ours.keys()).collect()
}

/// The old ids of `moved:`; their live objects go on under the new ids.
fn moved_away<'a>(scope: &Scope<'a>, faults: &mut Vec<Refusal>) -> BTreeSet<&'a ResourceId> {
    let mut away = BTreeSet::new();
    for (id, was) in scope.sources.moved {
        let Some(wanted) = scope.merged.get(id) else {
            faults.push(
                Refusal::new(RefusalKind::Unknown, format!("`moved:` names `{id}`, which this merge request does not ask for"))
                    .advice("name the resource as it is called after the merge"),
            );
            continue;
        };
        if was == id {
            continue;
        }
        if (scope.kinds)(id).stands_by_name() && (was.kind != id.kind || was.name != id.name) {
            faults.push(
                Refusal::new(RefusalKind::Value, format!("`moved:` says that `{was}` is now `{id}`, but each is where its name says: they are two"))
                    .at(wanted.place.clone())
                    .advice("take it out of `moved:`; the new name is made before the old one is removed"),
            );
            continue;
        }
        if let Some(still) = scope.merged.get(was) {
            faults.push(
                Refusal::new(RefusalKind::Overlap, format!("`moved:` says that `{was}` is now `{id}`, and both are asked for"))
                    .at(wanted.place.clone())
                    .also(still.place.clone())
                    .advice("remove one of the two, or remove it from `moved:`"),
            );
        } else if scope.base.get(was).is_none() {
            faults.push(
                Refusal::new(RefusalKind::Unknown, format!("`moved:` says that `{id}` was `{was}`, which base does not ask for"))
                    .at(wanted.place.clone())
                    .advice("name the resource as base calls it, or remove it from `moved:`"),
            );
        }
        away.insert(was);
    }
    away
}

/// One refusal an area, so that a whole zone outside the grants is one sentence.
fn outside_grants(scope: &Scope<'_>, resources: &[Scoped<'_>], faults: &mut Vec<Refusal>) {
    let mut outside: BTreeMap<(&str, Str), (u64, &Place)> = BTreeMap::new();
    for of in resources.iter().filter(|of| of.fate != Fate::Released) {
        let kind = (scope.kinds)(of.id);
        if !scope.grants.iter().any(|grant| grant.covers(of.id, kind)) {
            outside.entry((&of.id.target, kind.area(of.id))).or_insert((0, &of.place)).0 += 1;
        }
    }
    for ((target, area), (count, place)) in outside {
        let what = format!("`{area}` on target `{target}` is not granted to this repository ({})", super::words::count(count, "resource"));
        faults.push(
            Refusal::new(RefusalKind::Grant, what).at(place.clone()).advice("take it out of this merge request, or ask the operators to grant it in the server's configuration"),
        );
    }
}
