//! What a policy's condition may ask of a plan; the language itself is handed in.

use crate::core::model::{Refusal, Str};
use serde::Serialize;
use std::collections::BTreeSet;

/// The numbers and names a condition sees as `plan`: `plan.deletes > 0`, `"dns-outside" in plan.targets`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlanFacts {
    pub creates: u64,
    pub updates: u64,
    /// Deletes and replaces.
    pub deletes: u64,
    /// Resources taken into ownership without a write.
    pub adopts: u64,
    /// Resources given up without a write.
    pub releases: u64,
    pub moves: u64,
    /// Writes that overwrite drift.
    pub drifts: u64,
    /// Everything that is sent, hop by hop.
    pub writes: u64,
    pub targets: BTreeSet<Str>,
    /// The kinds of the resources touched: `rrset`.
    pub kinds: BTreeSet<Str>,
    /// The units written: zones, hosts, objects.
    pub units: BTreeSet<Str>,
    /// The ids of the resources touched, `target/kind/name`.
    pub resources: BTreeSet<Str>,
    /// The files whose lines the plan comes from.
    pub files: BTreeSet<Str>,
}

/// Evaluates conditions of policy. Implemented over CEL in `formats`; bounded in length, nesting and work.
pub trait Conditions {
    /// Whether `condition` holds for a plan with these facts; a refusal when it does not parse, is too large, or is no boolean.
    fn holds(&self, condition: &str, facts: &PlanFacts) -> Result<bool, Refusal>;
}
