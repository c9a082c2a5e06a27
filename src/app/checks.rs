//! Health checks beside records: as probes of the values that the merged tree asks for, and as a note where nobody asks them.

use crate::{
    core::{
        model::{Check, Desired, Place, Str},
        plan::{Beside, Note},
    },
    kinds::dns,
};
use std::collections::{BTreeMap, BTreeSet};

/// A probe for each value of each record whose health check is asked.
pub(super) fn asked(merged: &Desired) -> Vec<Beside> {
    let mut found = Vec::new();
    for (id, check) in &merged.checks {
        let (Check::Asked(check), Some(wanted)) = (check, merged.get(id)) else { continue };
        let beside = |value: &str| Beside { probe: check.probe(value), of: [id.clone()].into(), place: check.place.clone() };
        found.extend(dns::data(&wanted.value).map(|value| beside(value.strip_suffix('.').unwrap_or(value))));
    }
    found
}

/// What stands beside records that a merge request changes and is not asked, one note a reason.
pub(super) fn unasked(base: &Desired, merged: &Desired) -> Vec<Note> {
    let mut found: BTreeMap<&Str, BTreeSet<&Place>> = BTreeMap::new();
    for (id, check) in &merged.checks {
        let Check::Unasked { why, place } = check else { continue };
        let value = |side: &Desired| side.get(id).map(|wanted| wanted.value.clone());
        if value(base) != value(merged) {
            found.entry(why).or_default().insert(place);
        }
    }
    let told = |(why, places): (&Str, BTreeSet<&Place>)| {
        let more = if places.len() > 1 { format!(" and {} more", places.len() - 1) } else { String::new() };
        let first = places.first()?;
        Some(Note::Remark { text: format!("the health check at {first}{more} is not asked before the merge: {why}").into() })
    };
    found.into_iter().filter_map(told).collect()
}
