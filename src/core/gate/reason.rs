//! What a gate says, and why.

use super::Unmet;
use crate::core::{
    model::{MrId, Str, Time},
    review::Dependency,
};
use serde::{Deserialize, Serialize};

/// A gate's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<T> {
    Go(T),
    /// Waiting, or somebody's deed, can turn it into a go.
    Wait(Vec<Reason>),
    /// Only another plan or another head can.
    No(Vec<Reason>),
}

/// One thing that keeps a gate shut.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The merge request is closed or merged.
    NotOpen,
    Conflict,
    /// Head or base is not what the plan was made from.
    Outdated,
    Draft,
    /// Approvals of what is shown now are missing: how many, by whom (empty: anyone who may).
    Approvals {
        missing: u32,
        by: Vec<Str>,
    },
    ChecksPending(Vec<Str>),
    ChecksFailed(Vec<Str>),
    Threads(u32),
    /// The head lacks the newest of the base branch, and its forge never takes such a one.
    Behind {
        branch: Str,
        why: Str,
    },
    /// What the forge does not tell of it, each with why.
    Unread(Vec<Str>),
    /// What policy requires of every merge request and this one does not keep.
    Rules(Vec<Unmet>),
    Frozen {
        reason: Str,
        until: Str,
        /// `None` when the policy's time cannot be read; then it is in force until policy is mended.
        ends: Option<Time>,
    },
    /// `start: on_command`, and nobody said so.
    NotStarted,
    Queued {
        ahead: Vec<MrId>,
    },
    Halted,
    /// Something touched was not equal or not healthy for the whole window.
    NotConverged {
        samples: u32,
        needed: u32,
    },
    /// The last sample is older than `max_age`.
    Stale,
    /// Items were skipped: they are tried again, or another plan does without them.
    Skipped(u32),
    /// Its description says that these come first.
    DependsOn(Vec<Dependency>),
    /// What it asks for is live because other changes wrote it, and they are not merged.
    Unmerged {
        by: Vec<MrId>,
    },
}

impl Reason {
    /// Whether only another plan or head helps.
    pub(in crate::core::gate) fn is_final(&self) -> bool {
        match self {
            Self::NotOpen | Self::Conflict | Self::Outdated | Self::Skipped(_) => true,
            Self::Draft
            | Self::Approvals { .. }
            | Self::ChecksPending(_)
            | Self::ChecksFailed(_)
            | Self::Threads(_)
            | Self::Behind { .. }
            | Self::Unread(_)
            | Self::Rules(_)
            | Self::Frozen { .. }
            | Self::NotStarted
            | Self::Queued { .. }
            | Self::Halted
            | Self::NotConverged { .. }
            | Self::Stale
            | Self::DependsOn(_)
            | Self::Unmerged { .. } => false,
        }
    }
}

impl<T> Verdict<T> {
    /// Go with what `go` makes, when nothing speaks against it.
    pub(in crate::core::gate) fn judge(reasons: Vec<Reason>, go: impl FnOnce() -> T) -> Self {
        if reasons.is_empty() {
            Self::Go(go())
        } else if reasons.iter().any(Reason::is_final) {
            Self::No(reasons)
        } else {
            Self::Wait(reasons)
        }
    }
}
