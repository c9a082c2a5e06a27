//! Commands people say to a change.

use crate::core::model::StepId;
use serde::{Deserialize, Serialize};

/// One `/trueup` command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    Plan,
    /// Approves the digest shown last, or the one named (a prefix of at least twelve hex digits), or some steps of it.
    Approve {
        digest: Option<String>,
        steps: Vec<StepId>,
    },
    /// Starts an approved plan where policy says `start: on_command`.
    Start,
    Pause,
    Resume,
    Retry,
    Skip {
        step: StepId,
        reason: String,
    },
    Abort,
    Restore,
    Free,
    Take,
    Help,
    /// Looked like a command and is none: what was written, and the nearest known.
    Unknown {
        text: String,
        nearest: Option<String>,
    },
}

/// The commands and what they do, one line each.
pub fn help() -> String {
    String::from("`/trueup plan | approve | start | pause | resume | retry | skip | abort | restore | free | take | help`")
}
