//! What a repository may touch, as the server's operators said.

use super::{Kind, ResourceId, Str};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Grants one target to a repository, narrowed by patterns over unit names (zones, prefixes, namespaces).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The target's name in the server's configuration.
    pub target: Str,
    /// What of the target the repository may write: a zone (`example.com.`), all zones below one (`*.example.com.`), a key (`/app/db/host`), all keys
    /// that start so (`/app/*`). Empty: the whole target.
    #[serde(default)]
    pub units: Vec<Str>,
}

impl Grant {
    /// Whether the grant covers the resource, in the words of its kind.
    pub fn covers(&self, id: &ResourceId, kind: &dyn Kind) -> bool {
        self.target == id.target && (self.units.is_empty() || self.units.iter().any(|pattern| kind.granted(id, pattern)))
    }
}
