//! Judges finished plans by code that shares nothing with the planner.

use crate::core::model::ResourceId;
use std::fmt;

/// Something that no plan may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The material lacks a reading of a resource in scope.
    NotObserved { id: ResourceId },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotObserved { id } => write!(f, "`{id}` is in scope and was not observed"),
        }
    }
}
