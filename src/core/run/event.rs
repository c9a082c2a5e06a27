//! What is kept of a change: the journal's records.

use serde::{Deserialize, Serialize};

/// One fact of a change's life. State is a fold over these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A placeholder until the machine's events are written.
    Opened,
}
