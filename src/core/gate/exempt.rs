//! Exemptions: "converged except", what a change merges without when people who may approve say so, by digest.

use crate::core::model::{Digest, ResourceId, StepId, Time, User};
use serde::{Deserialize, Serialize};

/// One item that was skipped, and that a merge would leave out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    pub step: StepId,
    pub item: u32,
    /// What it would have written; none where the step writes nothing.
    pub id: Option<ResourceId>,
    /// Who skipped it, and answers for it.
    pub by: User,
    pub reason: String,
    /// When it is drift again.
    pub until: Time,
}

/// What a merge leaves out, as it was approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Except {
    pub digest: Digest,
    pub items: Vec<LeftOut>,
}

/// What a change would merge without, and how far that is approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exemption {
    pub except: Except,
    /// Who said yes to exactly this and counts.
    pub given: Vec<User>,
    /// How many more must.
    pub missing: u32,
}

impl Except {
    /// Of these items of a plan. The digest binds to the plan and to every item with reason, owner and time.
    pub fn of(plan: Digest, items: Vec<LeftOut>) -> Self {
        // Text, numbers and times alone: there is nothing in it that JSON refuses.
        let bytes = serde_json::to_vec(&items).unwrap_or_default();
        Self { digest: Digest::of("exemption", &[&plan.0, &bytes]), items }
    }

    /// When the first of what stays unwritten is drift again; what was only waited for, looked at or told never is.
    pub fn until(&self) -> Option<Time> {
        self.items.iter().filter(|item| item.id.is_some()).map(|item| item.until).min()
    }

    /// For the message of a merge commit: each on a line that is no trailer, whatever people wrote.
    pub fn paragraph(&self) -> String {
        let plain = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        let mut out = format!("Converged except {}, by the approved exemption {}:\n", self.items.len(), self.digest.short());
        for LeftOut { step, item: _, id, by, reason, until } in &self.items {
            let what = id.as_ref().map_or_else(|| format!("step {step}"), ToString::to_string);
            out.push_str(&format!("- {}: {} (left out by {} until {until})\n", plain(&what), plain(reason), plain(by.as_str())));
        }
        out
    }
}
