//! Where in the repository something was said, and where in a value something differs.

use super::Str;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A place in a file of the repository; line and column count from 1, 0 means the whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    pub file: Str,
    pub line: u32,
    pub column: u32,
}

impl Place {
    pub fn new(file: impl Into<Str>, line: u32, column: u32) -> Self {
        Self { file: file.into(), line, column }
    }

    pub fn file(file: impl Into<Str>) -> Self {
        Self::new(file, 0, 0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => f.write_str(&self.file),
            (line, 0) => write!(f, "{}:{line}", self.file),
            (line, column) => write!(f, "{}:{line}:{column}", self.file),
        }
    }
}

/// A path inside a value, from its root: `values` or `spec.template.image`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Path(pub Vec<Str>);

impl Path {
    pub fn root() -> Self {
        Self(Vec::new())
    }

    pub fn child(&self, key: &Str) -> Self {
        Self(self.0.iter().chain([key]).cloned().collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("(all)");
        }
        f.write_str(&self.0.join("."))
    }
}
