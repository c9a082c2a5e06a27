//! The reverse index over unchanged units: which resources of a source speak of a key.
//!
//! Only keys that somebody asked about are indexed, so memory grows with the questions and not with the repository. A key's first
//! question reads the source once; after that the index follows the branch by what differs.

use super::units::{Source, UnitCache, fingerprint, side_once};
use crate::{
    core::model::{Fingerprint, Mention, Place, ResourceId, Str, TreeId, Unit, Value},
    ports::{RepoError, StateRepo},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

/// Keys that stay indexed in one source; beyond it the index starts over with what is asked.
const KEYS: usize = 10_000;

/// A resource that speaks of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer {
    pub key: Str,
    pub id: ResourceId,
    /// Why it speaks of it, in words.
    pub rule: Str,
    pub place: Place,
}

/// What a resource speaks of: `Kind::mentions`, or `Kind::provides` with a rule.
pub type Speaks<'a> = &'a dyn Fn(&ResourceId, &Value) -> Vec<Mention>;

/// Pointers of one repository by source. One index answers one kind of question (mentions, or definitions).
#[derive(Default)]
pub struct Pointers(Mutex<BTreeMap<Fingerprint, Known>>);

/// What is known of one source in one tree.
#[derive(Clone)]
struct Known {
    tree: TreeId,
    keys: BTreeSet<Str>,
    /// Units that speak of none of the keys are left out.
    by_unit: BTreeMap<Unit, BTreeSet<Pointer>>,
}

impl Pointers {
    /// Every resource of the source that speaks of one of `keys` in `tree`, by key. Units that cannot be read speak of nothing.
    pub fn at(&self, cache: &UnitCache, repo: &dyn StateRepo, source: &Source<'_>, tree: &TreeId, keys: &BTreeSet<Str>, speaks: Speaks<'_>) -> Result<Vec<Pointer>, RepoError> {
        let of = fingerprint(source);
        let known = self.lock().get(&of).cloned().filter(|known| known.keys.union(keys).count() <= KEYS);
        let mut known = known.unwrap_or_else(|| Known { tree: tree.clone(), keys: BTreeSet::new(), by_unit: BTreeMap::new() });
        let asked: BTreeSet<Str> = known.keys.union(keys).cloned().collect();
        let stale = if asked.len() > known.keys.len() {
            known.by_unit.clear();
            cache.units(repo, source, tree)?
        } else {
            cache.reached(repo, source, &known.tree, &repo.changed(&known.tree, tree)?)?
        };
        for unit in stale {
            let side = side_once(repo, source, tree, &unit)?;
            let mut found = BTreeSet::new();
            for (id, wanted) in side.iter().flat_map(|read| &read.desired.resources) {
                let mentions = speaks(id, &wanted.value).into_iter().filter(|mention| asked.contains(&mention.key));
                found.extend(mentions.map(|Mention { key, rule }| Pointer { key, id: id.clone(), rule, place: wanted.place.clone() }));
            }
            known.by_unit.remove(&unit);
            if !found.is_empty() {
                known.by_unit.insert(unit, found);
            }
        }
        (known.tree, known.keys) = (tree.clone(), asked);
        let mut pointers: Vec<Pointer> = known.by_unit.values().flatten().filter(|pointer| keys.contains(&pointer.key)).cloned().collect();
        pointers.sort();
        self.lock().insert(of, known);
        Ok(pointers)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Fingerprint, Known>> {
        // What is known is replaced whole, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
