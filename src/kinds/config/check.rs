//! Faults that only the keys of a target together show.

use super::kind::fault;
use crate::core::model::{Desired, Place, Refusal};
use std::collections::BTreeMap;

/// Keys that others stand below, where the target keeps a key as a file and cannot hold both.
pub(super) fn folders(desired: &Desired) -> Vec<Refusal> {
    let keys: BTreeMap<&str, &Place> = desired.resources.iter().map(|(id, wanted)| (&*id.name, &wanted.place)).collect();
    let mut out = Vec::new();
    for (key, place) in &keys {
        let above = key.match_indices('/').filter_map(|(at, _)| keys.get_key_value(&key[..at]));
        out.extend(above.map(|(folder, also)| {
            let what = format!("`{folder}` is a key and a folder at once: `{key}` stands below it, and this target keeps a key as a file");
            fault(what, "rename one of the two").at((*place).clone()).also((*also).clone())
        }));
    }
    out
}
