//! What git says that a merge request brings.

use crate::core::model::Str;
use serde::{Deserialize, Serialize};

/// The commits and files that merging would bring, as far as rules and links need them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Brings {
    /// Commits that base lacks.
    pub commits: u32,
    /// What they say, newest first, without those that only merge others; each cut where it is long.
    pub messages: Vec<Str>,
    /// Those whose messages are not among them, or not with their whole first line: there is a bound on what is read.
    pub unsaid: u32,
    /// Files that differ from where head left base.
    pub files: u32,
}
