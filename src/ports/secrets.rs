//! Secret references become values only at the moment of writing.

use super::Fut;
use crate::core::model::{SecretRef, Str};
use std::fmt;

/// Resolves `secret://…` references.
pub trait Secrets: Send + Sync {
    /// The value of the version asked for, or the newest; never kept longer than the call that needs it.
    fn resolve<'a>(&'a self, reference: &'a SecretRef) -> Fut<'a, Result<SecretText, SecretError>>;
}

/// A secret value that no log, error or debug output prints.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText {
    text: String,
    version: Option<Str>,
}

impl SecretText {
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), version: None }
    }

    /// The same, as the version that its provider calls it.
    pub fn of_version(self, version: impl Into<Str>) -> Self {
        Self { version: Some(version.into()), ..self }
    }

    /// Which version it is; none where its provider keeps no versions.
    pub fn version(&self) -> Option<&Str> {
        self.version.as_ref()
    }

    /// The value itself, for the wire alone.
    pub fn expose(&self) -> &str {
        &self.text
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
    /// A lowercase fragment that says what to do next.
    pub what: String,
    pub kind: SecretErrorKind,
}

/// The classes of failure that callers branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretErrorKind {
    /// No such secret, field or version, or no such provider.
    Missing,
    /// The provider does not let the server read it.
    Denied,
    /// The provider did not answer; may work later.
    Unavailable,
}
