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
    /// What of the target is sensitive, in the same words, whatever the repository's own policy says: its values are compared and recorded as keyed
    /// hashes, and a key takes references to secrets only.
    #[serde(default)]
    pub sensitive: Vec<Str>,
    /// Other repositories may be granted some of the same, if their grants say so too. Each resource still has one owner: what one repository's branch
    /// asks for is refused to the others, until it gives it up (`release:`).
    #[serde(default)]
    pub shared: bool,
}

impl Grant {
    /// Whether the grant covers the resource, in the words of its kind.
    pub fn covers(&self, id: &ResourceId, kind: &dyn Kind) -> bool {
        self.target == id.target && (self.units.is_empty() || self.units.iter().any(|pattern| kind.granted(id, pattern)))
    }

    /// Whether the grant says that the resource is sensitive.
    pub fn hides(&self, id: &ResourceId, kind: &dyn Kind) -> bool {
        self.target == id.target && self.sensitive.iter().any(|pattern| kind.granted(id, pattern))
    }

    /// A unit pattern of the other grant that covers what this one covers too; inside: `None` when the other is the whole target.
    ///
    /// Both are of one target; two patterns overlap when some unit could match both.
    pub fn overlap<'a>(&self, other: &'a Self) -> Option<Option<&'a Str>> {
        if self.units.is_empty() || other.units.is_empty() {
            return Some(other.units.first());
        }
        other.units.iter().find(|theirs| self.units.iter().any(|ours| may_both_match(ours, theirs))).map(Some)
    }
}

/// Patterns hold one `*` at most: first for zones below one, last for keys that start so.
fn may_both_match(a: &str, b: &str) -> bool {
    let fits = |(prefix, suffix): (&str, &str), name: &str| {
        let long = name.len() >= prefix.len() + suffix.len() && (!prefix.is_empty() || name.len() > suffix.len());
        long && name.starts_with(prefix) && name.ends_with(suffix)
    };
    match (a.split_once('*'), b.split_once('*')) {
        (None, None) => a == b,
        (Some(pattern), None) => fits(pattern, b),
        (None, Some(pattern)) => fits(pattern, a),
        (Some((start, end)), Some((other, last))) => (start.starts_with(other) || other.starts_with(start)) && (end.ends_with(last) || last.ends_with(end)),
    }
}
