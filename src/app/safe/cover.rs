//! Whose values are hidden: by a reference, by a pattern of base policy, by a grant.

use crate::core::{
    model::{Grant, Kind, Policy, ResourceId},
    plan::Patterns,
};
use std::collections::BTreeSet;

/// The resources whose values nobody is told.
#[derive(Default)]
pub struct Cover {
    policy: Option<Patterns>,
    grants: Vec<Grant>,
    /// Those that are so by what they hold or held: a reference.
    ids: BTreeSet<ResourceId>,
}

impl Cover {
    /// What base policy and the server's grants say. Patterns that cannot be read hide everything.
    pub fn new(policy: &Policy, grants: &[Grant]) -> Self {
        let patterns = (!policy.sensitive.is_empty())
            .then(|| Patterns::new("policy.sensitive", &policy.sensitive).or_else(|_| Patterns::new("policy.sensitive", &["*".into()])).ok())
            .flatten();
        Self { policy: patterns, grants: grants.iter().filter(|grant| !grant.sensitive.is_empty()).cloned().collect(), ids: BTreeSet::new() }
    }

    pub(super) fn add(&mut self, id: ResourceId) {
        self.ids.insert(id);
    }

    pub fn hides(&self, id: &ResourceId, kind: &dyn Kind) -> bool {
        self.ids.contains(id) || self.policy.as_ref().is_some_and(|patterns| patterns.matches(id)) || self.grants.iter().any(|grant| grant.hides(id, kind))
    }

    /// Whether it hides nothing at all.
    pub fn is_empty(&self) -> bool {
        self.policy.is_none() && self.grants.is_empty() && self.ids.is_empty()
    }
}
