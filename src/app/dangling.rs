//! What is left pointing at names that a merge request deletes, wherever in the repository it stands.

use super::{mapped::Mapped, targets::Targets, world::Repository};
use crate::{
    core::{
        model::{Desired, Kind, Late, Mention, Place, Policy, ResourceId, Str, TreeId, Value},
        plan::Note,
    },
    formats::trueup_yaml::Source,
    kinds,
    ports::RepoError,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// So many are told one by one; who deletes more has other worries.
const TOLD: usize = 20;

/// Both sides of a merge request as far as they were read.
pub(super) struct Sides<'a> {
    pub base: &'a Desired,
    pub merged: &'a Desired,
    pub released: &'a BTreeSet<ResourceId>,
}

/// A note for each resource of the merged tree that speaks of what is deleted.
pub(super) fn dangling(repo: &Repository, targets: &Targets, sources: &[Source], policy: &Arc<Policy>, tree: &TreeId, sides: &Sides<'_>) -> Result<Vec<Note>, RepoError> {
    let kind = |id: &ResourceId| -> &dyn Kind { targets.get(&id.target).map_or_else(|| kinds::of(id), |target| target.kind()) };
    let gone = gone(sides, &kind);
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    // Of what is written as a reference the text around it says what it says, and other values beside it; the reference itself cannot be left dangling.
    let speaks = |id: &ResourceId, value: &Value, late: Option<&Late>| -> Vec<Mention> {
        let around = late.filter(|_| matches!(value, Value::Unknown(_))).map(|late| Value::str(late.around()));
        kind(id).mentions(id, around.as_ref().unwrap_or(value))
    };
    // A record for several targets points once.
    let mut found: BTreeMap<(Place, Str), (ResourceId, Str)> = BTreeMap::new();
    let mut notes = Vec::new();
    for source in sources {
        let Some(mapped) = Mapped::of(source, policy) else { continue };
        match repo.pointers.at(&repo.units, &*repo.state, &mapped.git(), tree, &gone, &speaks)? {
            Some(pointers) => found.extend(pointers.into_iter().map(|pointer| ((pointer.place, pointer.key), (pointer.id, pointer.rule)))),
            None => {
                let text = format!("`{}` is too large to be searched for what points at the names deleted: only what was read for this plan was", source.path);
                notes.push(Note::Remark { text: text.into() });
            }
        }
    }
    for (id, wanted) in &sides.merged.resources {
        let here = speaks(id, &wanted.value, None).into_iter().filter(|mention| gone.contains(&mention.key));
        found.extend(here.map(|mention| ((wanted.place.clone(), mention.key), (id.clone(), mention.rule))));
    }
    if found.len() > TOLD {
        notes.push(Note::Remark { text: format!("{} more point at names that this deletes", found.len() - TOLD).into() });
    }
    notes.extend(found.iter().take(TOLD).map(|((place, key), (id, rule))| {
        let name = key.split_once(':').map_or(&**key, |(_, name)| name);
        Note::Remark { text: format!("{} at {place} still points at {name}, which this deletes ({rule})", kind(id).title(id)).into() }
    }));
    Ok(notes)
}

/// The keys that base provides and nobody does after the merge. What is given up stays live, so nothing is left pointing at nothing.
fn gone<'k>(sides: &Sides<'_>, kind: &impl Fn(&ResourceId) -> &'k dyn Kind) -> BTreeSet<Str> {
    let deleted = |id: &ResourceId| !sides.merged.resources.contains_key(id) && !sides.released.contains(id) && !sides.merged.left.contains_key(id);
    let mut gone: BTreeSet<Str> = sides.base.resources.iter().filter(|(id, _)| deleted(id)).flat_map(|(id, wanted)| kind(id).provides(id, &wanted.value)).collect();
    if !gone.is_empty() {
        for (id, wanted) in &sides.merged.resources {
            for key in kind(id).provides(id, &wanted.value) {
                gone.remove(&key);
            }
        }
    }
    gone
}
