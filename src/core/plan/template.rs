//! Templates: how groups of deltas become steps.

use crate::core::model::{ApprovalRule, Str};
use crate::core::plan::Until;
use serde::{Deserialize, Serialize};

/// One way to roll out, as `plans/*.yaml` says it. It arranges writes; it never decides what is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Printed with every step it made: `direct`, `waves`.
    pub name: Str,
    /// What the template is for, in a sentence.
    #[serde(default)]
    pub about: Str,
    /// Which deltas it takes; the first template that takes a delta has it.
    #[serde(default)]
    pub r#match: Match,
    /// Absent: everything as soon as its order allows.
    #[serde(default)]
    pub waves: Option<Waves>,
}

/// Selects deltas; an empty list selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    /// Targets by name.
    pub targets: Vec<Str>,
    /// Resource id patterns (glob over `target/kind/name`).
    pub resources: Vec<Str>,
}

/// Writes in waves, each waiting for the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waves {
    /// How many writes make a wave; writes that belong in one message are never parted for it.
    pub size: u32,
    /// What happens between two waves.
    pub between: Between,
}

/// What stands between two waves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Between {
    /// People say go.
    Approve(ApprovalRule),
    /// The run stops until somebody resumes it.
    Pause,
    /// A fact of the wave's resources is waited for. `of` is filled with the resources of the wave.
    Wait(Until),
}

impl Template {
    /// The built-in default: every write as soon as its order allows.
    pub fn direct() -> Self {
        Self { name: "direct".into(), about: "writes as soon as the order allows".into(), r#match: Match::default(), waves: None }
    }
}

/// The built-in templates by file name, as YAML for the formats layer to read; a repository's own `plans/` (from base) comes first.
pub const BUILT_IN: [(&str, &str); 2] = [("plans/direct.yaml", include_str!("../../../plans/direct.yaml")), ("plans/waves.yaml", include_str!("../../../plans/waves.yaml"))];
