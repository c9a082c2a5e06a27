//! Faults that only a unit as a whole shows, asked of each unit that a merge request touches.

use crate::core::model::{Desired, Kind, Refusal, ResourceId, Str, Unit};
use std::collections::{BTreeMap, BTreeSet};

/// Asks each touched unit's kind what is wrong with all that the merged tree asks for there.
pub(super) fn unit_faults(merged: &Desired, touched: &BTreeSet<(Str, Unit)>, kinds: &dyn Fn(&ResourceId) -> &'static dyn Kind) -> Vec<Refusal> {
    let mut units: BTreeMap<(Str, Unit), (&'static dyn Kind, Desired)> = BTreeMap::new();
    for (id, wanted) in &merged.resources {
        let kind = kinds(id);
        let key = (id.target.clone(), kind.unit(id));
        if touched.contains(&key) {
            units.entry(key).or_insert_with(|| (kind, Desired::default())).1.resources.insert(id.clone(), wanted.clone());
        }
    }
    let mut faults: Vec<Refusal> = units.into_values().flat_map(|(kind, desired)| kind.check_unit(&desired)).collect();
    faults.sort();
    faults.dedup();
    faults
}
