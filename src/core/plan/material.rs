//! Everything a plan is made from, and the ways in which none comes of it.

use crate::core::{
    drift::Overrides,
    model::{Desired, Digest, Fingerprint, Grant, Kind, MrId, Observed, Policy, Refusal, RepoId, ResourceId, Str, Unit, Value},
    plan::{Beside, Conditions, Finding, Note, Order, Past, Template},
};
use std::collections::{BTreeMap, BTreeSet};

/// The part of the material that is known before anything is observed.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// What base asks for, at least in every unit that the merge request touches.
    pub base: &'a Desired,
    /// What the merged tree asks for, in the same units.
    pub merged: &'a Desired,
    /// What became of sources, where it matters.
    pub sources: Sources<'a>,
    /// Orders that the merged tree says.
    pub orders: &'a [Order],
    /// What this change's own run wrote last, by resource; `None`: it deleted it.
    pub ours: &'a BTreeMap<ResourceId, Option<Fingerprint>>,
    pub kinds: &'a dyn Fn(&ResourceId) -> &'static dyn Kind,
    /// Read from base (I9).
    pub policy: &'a Policy,
    /// What the repository may touch; nothing outside of it is read or written (I10).
    pub grants: &'a [Grant],
}

/// Everything `compile` reads. Equal material gives an equal plan.
pub struct Material<'a> {
    pub scope: Scope<'a>,
    pub sight: Sight<'a>,
    /// Whose plan it is.
    pub repo: &'a RepoId,
    /// What other open changes have applied: the effective base, as far as they are of the same repository.
    pub ahead: &'a BTreeMap<ResourceId, (MrId, Option<Value>)>,
    /// Changes made by hand that somebody answers for.
    pub overrides: &'a Overrides,
    /// How many resources base holds in each unit, by target and unit: what budgets are percentages of.
    pub sizes: &'a BTreeMap<(Str, Unit), u64>,
    pub conditions: &'a dyn Conditions,
    /// In order of precedence; deltas that none takes go `direct`.
    pub templates: &'a [Template],
    /// Notes that come with the material: unmapped paths, skipped types, weak preconditions, neighbours.
    pub notes: Vec<Note>,
    /// The probes beside sources, read from merged.
    pub health: &'a [Beside],
    /// The plan this one amends.
    pub parent: Option<Digest>,
    /// What was written before, by earlier runs of this change or by merge requests before it.
    pub past: Past<'a>,
}

/// Whether live state was looked at.
#[derive(Clone, Copy)]
pub enum Sight<'a> {
    /// One reading for each want that `wants` names; the order does not matter.
    Observed(&'a [Observed]),
    /// Base is taken as live, and the plan says so.
    Offline,
}

/// What became of source mappings between base and merged, by resource.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// Resources whose source mapping is gone from the merged tree: released, never deleted.
    pub released: &'a BTreeSet<ResourceId>,
    /// Resources whose source mapping is new: adopted where live is already what merged asks for.
    pub fresh: &'a BTreeSet<ResourceId>,
    /// `moved:` by the new id, with the old one.
    pub moved: &'a BTreeMap<ResourceId, ResourceId>,
    /// The `atomic:` group of each resource that is in one.
    pub together: &'a BTreeMap<ResourceId, Str>,
}

/// Why no plan came out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The user's faults, all of them, each with place and advice.
    #[error("{}", lines(.0))]
    Refused(Vec<Refusal>),
    /// A fault of trueup itself: the finished plan, or what it was made from, does not hold together.
    #[error("this is a fault of trueup, please report it: {}", lines(.0))]
    Broken(Vec<Finding>),
}

fn lines<T: std::fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
