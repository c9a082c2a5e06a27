//! The leaves of a plan's digest, as approvals bind to them.

use crate::core::{
    model::{Digest, StepId},
    plan::{Plan, Step},
};

impl Plan {
    /// The root over all leaves, edges and matched rules.
    pub fn digest(&self) -> Digest {
        let mut leaves = self.leaves();
        leaves.sort_unstable();
        let rules: Vec<Vec<u8>> = self.rules.iter().map(|rule| encode(&rule.rule)).collect();
        let parts = leaves.iter().map(|leaf| leaf.0.as_slice()).chain(rules.iter().map(Vec::as_slice)).collect::<Vec<_>>();
        Digest::of("trueup/plan/0", &parts)
    }

    /// One a write, or a step that is no write.
    pub fn leaves(&self) -> Vec<Digest> {
        self.steps.values().flat_map(leaves_of).collect()
    }

    /// The leaves of one step.
    pub fn step_leaves(&self, id: StepId) -> Vec<Digest> {
        self.steps.get(&id).map(leaves_of).unwrap_or_default()
    }
}

fn leaves_of(step: &Step) -> Vec<Digest> {
    if step.writes().is_empty() {
        return vec![Digest::of("trueup/leaf/0", &[&encode(&step.act)])];
    }
    step.writes().iter().map(|write| Digest::of("trueup/leaf/0", &[&encode(write)])).collect()
}

fn encode<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plans have string keys and no floats, so they always encode")
}
