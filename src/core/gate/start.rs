//! The start gate: may this plan begin to write?

use super::{Conditions, Reason, Verdict};
use crate::core::{
    model::{MrId, Observed, Reading, ResourceId, StartWhen, Value},
    plan::Plan,
};
use std::collections::BTreeMap;

/// What the start gate asks beyond the conditions of both gates.
#[derive(Clone, Copy, Debug)]
pub struct StartGate<'a> {
    pub conditions: Conditions<'a>,
    /// Somebody said `/trueup start` for this plan.
    pub said: bool,
    /// A way back runs while others' merges are frozen and although the merge request changed: it only takes away what this run wrote.
    pub restore: bool,
    /// `None` before the board granted what the plan claims: who is ahead.
    pub granted: Result<(), &'a [MrId]>,
}

impl StartGate<'_> {
    /// Judges everything but the claims: whether to ask the board at all.
    pub fn ready(&self) -> Verdict<()> {
        Verdict::judge(self.against(), || ())
    }

    /// Judges everything but the pre-images, which `moved` judges on a fresh observation.
    pub fn judge(&self) -> Verdict<()> {
        let mut reasons = self.against();
        if let Err(ahead) = self.granted {
            reasons.push(Reason::Queued { ahead: ahead.to_vec() });
        }
        Verdict::judge(reasons, || ())
    }

    fn against(&self) -> Vec<Reason> {
        let mut reasons = self.conditions.against();
        if self.restore {
            reasons.retain(|reason| match reason {
                Reason::Approvals { .. } | Reason::Halted | Reason::Queued { .. } => true,
                Reason::NotOpen
                | Reason::Conflict
                | Reason::Outdated
                | Reason::Draft
                | Reason::ChecksPending(_)
                | Reason::ChecksFailed(_)
                | Reason::Threads(_)
                | Reason::Behind { .. }
                | Reason::Unread(_)
                | Reason::Rules(_)
                | Reason::Frozen { .. }
                | Reason::NotStarted
                | Reason::NotConverged { .. }
                | Reason::Stale
                | Reason::DependsOn(_)
                | Reason::Skipped(_)
                | Reason::Unmerged { .. } => false,
            });
        } else if self.conditions.policy.start == StartWhen::OnCommand && !self.said {
            reasons.push(Reason::NotStarted);
        }
        reasons
    }
}

/// The written resources whose live content is neither what the plan's first write expects nor what any of its writes leaves.
pub fn moved(plan: &Plan, seen: &[Observed]) -> Vec<ResourceId> {
    let mut hops: BTreeMap<&ResourceId, Vec<&Option<Value>>> = BTreeMap::new();
    for write in plan.steps.values().flat_map(|step| step.writes()) {
        hops.entry(&write.id).or_default().extend([&write.from, &write.to]);
    }
    let mut out = Vec::new();
    for one in seen {
        let Some(hops) = hops.remove(&one.id) else { continue };
        let fine = match &one.reading {
            Reading::Seen { live, base, merged } => hops.contains(&live) || live == base || merged.as_ref().is_ok_and(|merged| merged == live),
            Reading::Opaque { .. } | Reading::Later { .. } => true,
        };
        if !fine {
            out.push(one.id.clone());
        }
    }
    // A resource that was asked for and not answered was not seen to be what was approved.
    out.extend(hops.into_keys().cloned());
    out.sort();
    out
}
