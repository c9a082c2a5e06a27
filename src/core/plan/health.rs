//! Which probes cover which resources of a plan: by base's policy, and beside sources of the merged tree.

use super::pattern::Patterns;
use crate::core::{
    diff::{Delta, Op},
    model::{Fingerprint, HealthRule, Place, Policy, Probe, Refusal, ResourceId},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One probe with the resources of the plan that are healthy only when it holds; part of what people approve.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Healthy {
    pub probe: Probe,
    /// By base's policy, which holds on the way back as well; else the merge request's own word.
    pub policy: bool,
    pub of: BTreeSet<ResourceId>,
    /// Where it is said; the file alone where policy says it.
    pub place: Place,
}

/// One probe beside a source of the merged tree, with all it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    pub probe: Probe,
    pub of: BTreeSet<ResourceId>,
    pub place: Place,
}

/// What covers these deltas; given up resources need no health.
pub(super) fn attached(policy: &Policy, beside: &[Beside], deltas: &[Delta]) -> Result<Vec<Healthy>, Refusal> {
    let mut found = by_policy(policy, deltas)?;
    for one in beside {
        let of: BTreeSet<ResourceId> = touched(deltas).filter(|id| one.of.contains(id)).cloned().collect();
        add(&mut found, Healthy { probe: one.probe.clone(), policy: false, of, place: one.place.clone() });
    }
    Ok(found.into_values().collect())
}

/// What base's policy alone asks: a merge request can add to it and never take from it (I9).
pub(super) fn required(policy: &Policy, deltas: &[Delta]) -> Result<Vec<Healthy>, Refusal> {
    Ok(by_policy(policy, deltas)?.into_values().collect())
}

type Found = BTreeMap<(Probe, bool), Healthy>;

fn by_policy(policy: &Policy, deltas: &[Delta]) -> Result<Found, Refusal> {
    let mut found = Found::new();
    for (n, rule) in policy.health.iter().enumerate() {
        let Some(probe) = rule.probe() else { continue };
        let patterns = Patterns::new(&format!("policy.health[{n}].match"), &rule.r#match)?;
        let of = touched(deltas).filter(|id| patterns.matches(id)).cloned().collect();
        add(&mut found, Healthy { probe, policy: true, of, place: Place::file("trueup.yaml") });
    }
    Ok(found)
}

fn touched(deltas: &[Delta]) -> impl Iterator<Item = &ResourceId> {
    deltas.iter().filter(|delta| delta.op != Op::Release).map(|delta| &delta.id)
}

fn add(found: &mut Found, one: Healthy) {
    if !one.of.is_empty() {
        found.entry((one.probe.clone(), one.policy)).and_modify(|known| known.of.extend(one.of.iter().cloned())).or_insert(one);
    }
}

impl HealthRule {
    /// The rule beside a source, for those of the source's resources that it matches; an empty list matches all.
    pub fn beside<'a>(&self, place: &Place, ids: impl Iterator<Item = &'a ResourceId>) -> Result<Option<Beside>, Refusal> {
        let patterns = Patterns::new("health[].match", &self.r#match)?;
        let of = ids.filter(|id| self.r#match.is_empty() || patterns.matches(id)).cloned().collect();
        Ok(self.probe().map(|probe| Beside { probe, of, place: place.clone() }))
    }
}

/// The probes of each resource by content, for the digest.
#[derive(Default)]
pub(super) struct Covered<'a>(BTreeMap<&'a ResourceId, BTreeSet<Fingerprint>>);

impl<'a> Covered<'a> {
    pub fn new(health: &'a [Healthy]) -> Self {
        let mut covered = Self::default();
        for one in health {
            let key = one.probe.key();
            for id in &one.of {
                covered.0.entry(id).or_default().insert(key);
            }
        }
        covered
    }

    /// The probes that cover a resource, as one more part of its leaf; none where nothing does.
    pub fn part(&self, id: &ResourceId) -> Option<Vec<u8>> {
        self.0.get(id).map(|keys| keys.iter().flat_map(|key| key.0).collect())
    }
}
