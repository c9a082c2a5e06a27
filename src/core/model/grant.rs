//! What a repository may touch, as the server's operators said.

use super::{ResourceId, Str};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Grants one target to a repository, narrowed by patterns over unit names (zones, prefixes, namespaces).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The target's name in the server's configuration.
    pub target: Str,
    /// Units the repository may write: a zone (`example.com.`), or all zones below one (`*.example.com.`). Empty: the whole target.
    #[serde(default)]
    pub units: Vec<Str>,
}

impl Grant {
    /// Whether the grant covers the resource, whose unit the kind names.
    pub fn covers(&self, id: &ResourceId, unit: &str) -> bool {
        let inside = |pattern: &Str| match pattern.strip_prefix('*') {
            Some(suffix) => unit.ends_with(suffix) && unit.len() > suffix.len(),
            None => unit == &**pattern,
        };
        self.target == id.target && (self.units.is_empty() || self.units.iter().any(inside))
    }
}
