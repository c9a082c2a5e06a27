//! The reverse index over unchanged units: which resources of a source speak of a key.
//!
//! The first question reads the source once; after that the index follows the branch by what differs. A source of more units than
//! are worth holding is not indexed, so that neither memory nor a plan's time grows with a repository of any size.

use super::units::{Source, UnitCache, fingerprint, side_once};
use crate::{
    core::model::{Fingerprint, Late, Mention, Place, ResourceId, Str, TreeId, Unit, Value, Wanted},
    ports::{RepoError, StateRepo},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// Sources of more units than this are not indexed: reading so many takes seconds, and what they say tens of megabytes.
const UNITS: usize = 5_000;

/// A resource that speaks of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer {
    pub key: Str,
    pub id: ResourceId,
    /// Why it speaks of it, in words.
    pub rule: Str,
    pub place: Place,
}

/// What a resource speaks of: `Kind::mentions`, or the references it is written as.
pub type Speaks<'a> = &'a dyn Fn(&ResourceId, &Value, Option<&Late>) -> Vec<Mention>;

/// Pointers of one repository by source. One index answers one kind of question (mentions, or written references).
pub struct Pointers {
    known: Mutex<BTreeMap<Fingerprint, Option<Known>>>,
    /// Sources of more units are not indexed.
    units: usize,
}

impl Default for Pointers {
    fn default() -> Self {
        Self::new(UNITS)
    }
}

/// What is known of one source in one tree.
#[derive(Clone)]
struct Known {
    tree: TreeId,
    /// Units that speak of nothing are left out.
    by_unit: BTreeMap<Unit, Arc<BTreeSet<Pointer>>>,
}

impl Pointers {
    /// An index of sources of at most so many units.
    pub fn new(units: usize) -> Self {
        Self { known: Mutex::default(), units }
    }

    /// Every resource of the source that speaks of one of `keys` in `tree`, by key; `None`: the source is too large to be indexed.
    ///
    /// Units that cannot be read speak of nothing.
    pub fn at(
        &self,
        cache: &UnitCache,
        repo: &dyn StateRepo,
        source: &Source<'_>,
        tree: &TreeId,
        keys: &BTreeSet<Str>,
        speaks: Speaks<'_>,
    ) -> Result<Option<Vec<Pointer>>, RepoError> {
        let of = fingerprint(source);
        let known = self.lock().get(&of).cloned();
        let (mut known, stale) = match known {
            Some(None) => return Ok(None),
            Some(Some(known)) => {
                let stale = cache.reached(repo, source, &known.tree, &repo.changed(&known.tree, tree)?)?;
                (known, stale)
            }
            None => (Known { tree: tree.clone(), by_unit: BTreeMap::new() }, cache.units(repo, source, tree)?),
        };
        if known.by_unit.len() + stale.len() > self.units {
            self.lock().insert(of, None);
            return Ok(None);
        }
        for unit in stale {
            let side = side_once(repo, source, tree, &unit)?;
            let none = BTreeMap::new();
            let late = side.as_ref().as_ref().map_or(&none, |read| &read.desired.late);
            let said = |(id, wanted): (&ResourceId, &Wanted)| {
                let pointer = |Mention { key, rule, guess: _ }| Pointer { key, id: id.clone(), rule, place: wanted.place.clone() };
                speaks(id, &wanted.value, late.get(id)).into_iter().map(pointer).collect::<Vec<_>>()
            };
            let found: BTreeSet<Pointer> = side.iter().flat_map(|read| &read.desired.resources).flat_map(said).collect();
            known.by_unit.remove(&unit);
            if !found.is_empty() {
                known.by_unit.insert(unit, Arc::new(found));
            }
        }
        known.tree = tree.clone();
        let mut pointers: Vec<Pointer> = known.by_unit.values().flat_map(|found| found.iter()).filter(|pointer| keys.contains(&pointer.key)).cloned().collect();
        pointers.sort();
        self.lock().insert(of, Some(known));
        Ok(Some(pointers))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Fingerprint, Option<Known>>> {
        // What is known is replaced whole, so a panic elsewhere leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
