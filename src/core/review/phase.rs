//! Where a change is in its life.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The phases of design.md §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Planning,
    AwaitingApproval,
    Queued,
    Rolling,
    Verifying,
    Merging,
    Merged,
    /// Proven that there is nothing to do: approved and merged like any other, without a run.
    Empty,
    /// Bad input, with file and line.
    Refused,
    Conflicted,
    Paused,
    Failed,
    Restoring,
    Restored,
    Closed,
}

impl Phase {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Queued => "queued",
            Self::Rolling => "rolling",
            Self::Verifying => "verifying",
            Self::Merging => "merging",
            Self::Merged => "merged",
            Self::Empty => "empty",
            Self::Refused => "refused",
            Self::Conflicted => "conflicted",
            Self::Paused => "paused",
            Self::Failed => "failed",
            Self::Restoring => "restoring",
            Self::Restored => "restored",
            Self::Closed => "closed",
        }
    }

    pub const ALL: [Phase; 15] = [
        Self::Planning,
        Self::AwaitingApproval,
        Self::Queued,
        Self::Rolling,
        Self::Verifying,
        Self::Merging,
        Self::Merged,
        Self::Empty,
        Self::Refused,
        Self::Conflicted,
        Self::Paused,
        Self::Failed,
        Self::Restoring,
        Self::Restored,
        Self::Closed,
    ];

    /// Whether nothing more happens in this phase by itself, and nothing is asked of anybody.
    ///
    /// A change that is over may still come back: a closed merge request is reopened, a restored one gets a push.
    pub fn is_over(self) -> bool {
        match self {
            Self::Merged | Self::Restored | Self::Closed => true,
            Self::Planning
            | Self::AwaitingApproval
            | Self::Queued
            | Self::Rolling
            | Self::Verifying
            | Self::Merging
            | Self::Empty
            | Self::Refused
            | Self::Conflicted
            | Self::Paused
            | Self::Failed
            | Self::Restoring => false,
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == text)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
