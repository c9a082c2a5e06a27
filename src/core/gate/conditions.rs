//! What both gates ask, judged from its parts and never from a forge's one `mergeable` field (I1).

use super::{Reason, RuleStanding, rules};
use crate::core::{
    model::{Freeze, Policy, Str, Time},
    review::{Check, Depended, Dependency, MrState, Sighting},
    run::PlanKey,
};

/// Everything both gates look at.
#[derive(Clone, Copy, Debug)]
pub struct Conditions<'a> {
    pub now: Time,
    pub sighting: &'a Sighting,
    /// What the plan was made from.
    pub key: &'a PlanKey,
    pub policy: &'a Policy,
    pub approvals: &'a [RuleStanding],
    pub halted: bool,
}

impl Conditions<'_> {
    /// Everything that speaks against going on, in the order in which people best mend it.
    pub(in crate::core::gate) fn against(&self) -> Vec<Reason> {
        let sighting = self.sighting;
        let mut out = Vec::new();
        match &sighting.state {
            MrState::Open => {}
            MrState::Closed | MrState::Merged { .. } => out.push(Reason::NotOpen),
        }
        if self.key.tree.as_str().is_empty() {
            out.push(Reason::Conflict);
        }
        if self.key.head != sighting.head || self.key.base != sighting.base {
            out.push(Reason::Outdated);
        }
        let missing = self.approvals.iter().filter(|rule| rule.missing > 0);
        out.extend(missing.map(|rule| Reason::Approvals { missing: rule.missing, by: rule.rule.as_ref().map_or_else(Vec::new, |matched| matched.rule.by.clone()) }));
        let first: Vec<Dependency> = sighting.depends_on.iter().filter(|other| other.state != Depended::Merged).cloned().collect();
        out.extend((!first.is_empty()).then_some(Reason::DependsOn(first)));
        if sighting.draft {
            out.push(Reason::Draft);
        }
        // Whatever is written for it could not be merged.
        out.extend(sighting.behind.clone().map(|why| Reason::Behind { branch: sighting.base_branch.clone(), why }));
        let unmet = rules::unmet(self.policy, sighting);
        out.extend((!unmet.is_empty()).then_some(Reason::Rules(unmet)));
        let (mut pending, mut failed) = (Vec::new(), Vec::new());
        for name in &self.policy.required_checks {
            match sighting.checks.get(name) {
                Some(Check::Success) => {}
                Some(Check::Failure) => failed.push(name.clone()),
                Some(Check::Pending) | None => pending.push(name.clone()),
            }
        }
        out.extend((!failed.is_empty()).then_some(Reason::ChecksFailed(failed)));
        out.extend((!pending.is_empty()).then_some(Reason::ChecksPending(pending)));
        if sighting.unresolved_threads > 0 {
            out.push(Reason::Threads(sighting.unresolved_threads));
        }
        // Whoever pushed, or what blocks, may be in what was not told.
        if !sighting.unread.is_empty() {
            out.push(Reason::Unread(sighting.unread.clone()));
        }
        out.extend(self.policy.freeze.iter().filter_map(|freeze| frozen(freeze, self.now)));
        if self.halted {
            out.push(Reason::Halted);
        }
        out
    }
}

/// The freeze, when it is in force. One whose times cannot be read is in force: the safe side, until policy is mended.
fn frozen(freeze: &Freeze, now: Time) -> Option<Reason> {
    let (from, until) = (instant(&freeze.from), instant(&freeze.until));
    let free = match (from, until) {
        (Some(from), Some(until)) => now < from || now >= until,
        (None, _) | (_, None) => false,
    };
    (!free).then(|| Reason::Frozen { reason: freeze.reason.clone(), until: freeze.until.clone(), ends: until })
}

fn instant(text: &Str) -> Option<Time> {
    text.parse::<jiff::Timestamp>().ok().map(|stamp| Time(stamp.as_millisecond()))
}
