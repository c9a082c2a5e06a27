//! Why the local forge did not do what was asked.

use crate::ports::{ForgeError, ForgeErrorKind, KvError, RepoError};

/// A refusal or fault of the local forge; the text is a lowercase fragment that says what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct LocalError {
    pub kind: LocalErrorKind,
    pub what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalErrorKind {
    /// No such repository, merge request or branch.
    NotFound,
    /// The request makes no sense as it is.
    Invalid,
    /// Somebody else was first, or the state does not allow it.
    Conflict,
    /// The disk or the store did not answer.
    Unavailable,
}

impl LocalError {
    pub fn new(kind: LocalErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }
}

impl From<KvError> for LocalError {
    fn from(error: KvError) -> Self {
        Self::new(LocalErrorKind::Unavailable, format!("the store did not answer: {error}"))
    }
}

impl From<RepoError> for LocalError {
    fn from(error: RepoError) -> Self {
        match error {
            error @ RepoError::NoSuchRev { .. } => Self::new(LocalErrorKind::NotFound, error.to_string()),
            error @ (RepoError::TooLarge { .. } | RepoError::Git { .. }) => Self::new(LocalErrorKind::Unavailable, error.to_string()),
        }
    }
}

impl From<LocalError> for ForgeError {
    fn from(error: LocalError) -> Self {
        let kind = match error.kind {
            LocalErrorKind::NotFound => ForgeErrorKind::NotFound,
            LocalErrorKind::Invalid => ForgeErrorKind::Denied,
            LocalErrorKind::Conflict | LocalErrorKind::Unavailable => ForgeErrorKind::Unavailable,
        };
        Self { what: error.what, kind }
    }
}
