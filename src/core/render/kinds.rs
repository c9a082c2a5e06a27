//! Which kind each target is, so that texts can say `www.example.com A` instead of an id.

use crate::core::model::{Kind, ResourceId, Str, Value, lines};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// The kind of every target by the target's name; cheap to clone. A target it does not know is shown by id and plain value.
#[derive(Clone, Default)]
pub struct Kinds(Arc<BTreeMap<Str, &'static dyn Kind>>);

impl Kinds {
    pub fn new(kinds: impl IntoIterator<Item = (Str, &'static dyn Kind)>) -> Self {
        Self(Arc::new(kinds.into_iter().collect()))
    }

    pub fn get(&self, target: &str) -> Option<&'static dyn Kind> {
        self.0.get(target).copied()
    }

    /// The resource in a reader's words, without its target.
    pub fn title(&self, id: &ResourceId) -> String {
        match self.get(&id.target) {
            Some(kind) => kind.title(id),
            None => format!("{}/{}", id.kind, id.name),
        }
    }

    /// A value as the lines a reader compares.
    pub fn lines(&self, id: &ResourceId, value: &Value) -> Vec<String> {
        match self.get(&id.target) {
            Some(kind) => lines(kind, id, value),
            None => vec![value.to_string()],
        }
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(target, kind)| (target, kind.name()))).finish()
    }
}
