//! Desired state: what the repository asks for, each with the place that asks.

use super::{Check, Late, Place, ResourceId, Str, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one tree of the repository asks for, in full or in the units that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    pub resources: BTreeMap<ResourceId, Wanted>,
    /// Resources read and left out on purpose, with the reason (`Route53Provider/ALIAS`: 204), by reason.
    pub skipped: BTreeMap<Str, u64>,
    /// Resources that are named only to be left alone (octoDNS: `ignored`, or not for this target): nobody governs them, so none is compared, written or deleted.
    #[serde(default)]
    pub left: BTreeMap<ResourceId, Place>,
    /// Resources whose value refers to others, as it was written. Until it is resolved the value itself is unknown.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub late: BTreeMap<ResourceId, Late>,
    /// Health checks that stand beside resources.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<ResourceId, Check>,
}

/// One resource as a file asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub value: Value,
    pub place: Place,
    /// Resources that must be proven first, where the data cannot say it (`after:`).
    pub after: Vec<ResourceId>,
}

impl Desired {
    pub fn get(&self, id: &ResourceId) -> Option<&Wanted> {
        self.resources.get(id)
    }

    /// Adds what another unit asks for; the first claimant's place and the second's come back when both ask for one resource.
    pub fn merge(&mut self, other: Desired) -> Result<(), (ResourceId, Place, Place)> {
        for (id, wanted) in other.resources {
            if let Some(first) = self.resources.get(&id) {
                return Err((id, first.place.clone(), wanted.place));
            }
            self.resources.insert(id, wanted);
        }
        for (reason, count) in other.skipped {
            *self.skipped.entry(reason).or_default() += count;
        }
        self.left.extend(other.left);
        self.late.extend(other.late);
        self.checks.extend(other.checks);
        Ok(())
    }
}
