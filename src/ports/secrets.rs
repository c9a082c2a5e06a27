//! Secret references become values only at the moment of writing.

use super::Fut;
use crate::core::model::SecretRef;
use std::fmt;

/// Resolves `secret://…` references.
pub trait Secrets: Send + Sync {
    /// The value now; never kept longer than the call that needs it.
    fn resolve<'a>(&'a self, reference: &'a SecretRef) -> Fut<'a, Result<SecretText, SecretError>>;
}

/// A secret value that no log, error or debug output prints.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The value itself, for the wire alone.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Why a reference could not be resolved; never holds the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot resolve {uri}: {what}")]
pub struct SecretError {
    pub uri: String,
    pub what: String,
}
