//! What a template's string leaves may be filled with; the language itself is handed in.

use crate::core::model::Refusal;
use std::collections::BTreeMap;

/// Fills the names in a leaf. Implemented over strict handlebars in `formats`: no partials, no helpers, nothing computes.
pub trait Leaves {
    /// The leaf with every name replaced by its value; a refusal when a name is not among `values`, or when more than a name is asked for.
    fn fill(&self, leaf: &str, values: &BTreeMap<&str, String>) -> Result<String, Refusal>;
}
