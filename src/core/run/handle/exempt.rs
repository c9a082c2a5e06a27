//! `/trueup approve` of an exemption: by the rules of the plan, and never by whoever skipped.

use super::Pass;
use crate::core::{
    gate::Exemption,
    model::{StepId, Str, User},
    review::{Answer, Phase, means},
    run::Event,
};
use std::collections::BTreeSet;

impl Pass<'_> {
    /// The answer where an exemption is what there is to approve; it must be named, so that nobody exempts by accident.
    pub(super) fn approve_exemption(&mut self, by: &User, named: Option<&str>, steps: &[StepId]) -> Option<Answer> {
        let change = &*self.change;
        let Exemption { except, given, missing } = change.exemption().filter(|_| change.stage != Phase::Merged)?;
        let (now, items) = (except.digest, except.items.len());
        let is_it = named.is_some_and(|named| now.to_string().starts_with(&named.to_lowercase()));
        if !is_it {
            // Approvals of the plan that are missing, because an approver pushed or left a team, are given as ever.
            return (change.stage == Phase::Failed || missing > 0 && change.missing() == 0 && steps.is_empty()).then_some(Answer::NotTheExemption { now, items });
        }
        if change.own(by) {
            return Some(Answer::OwnChange { by: by.clone() });
        }
        if except.items.iter().any(|item| item.by == *by) {
            return Some(Answer::OwnSkip { by: by.clone() });
        }
        let rules = change.exemption_rules();
        if !rules.is_empty() && !rules.iter().any(|rule| means(&rule.rule.by, by, change.teams())) {
            let named: BTreeSet<Str> = rules.iter().flat_map(|rule| rule.rule.by.iter().cloned()).collect();
            return Some(Answer::NotNamed { by: by.clone(), named: named.into_iter().collect() });
        }
        if let Some(over) = except.until().filter(|until| *until <= self.now) {
            return Some(Answer::ExemptionOver { over });
        }
        if given.contains(by) {
            return Some(Answer::ApprovedAlready { digest: now });
        }
        self.emit(Event::Exempted { by: by.clone(), digest: now, at: self.now });
        let missing = self.change.exemption().map_or(0, |exemption| exemption.missing);
        Some(Answer::Exempted { by: by.clone(), digest: now, items, missing })
    }
}
