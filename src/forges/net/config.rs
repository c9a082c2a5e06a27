//! One network forge as the wiring hands it to its driver.

use crate::{
    core::model::{RepoId, User},
    ports::{Governed, SecretText},
};
use std::{path::PathBuf, time::Duration};

/// A forge with its secrets read.
#[derive(Clone, Debug)]
pub struct ForgeConfig {
    /// Its name in the server's configuration.
    pub name: String,
    /// Where people open it, without a slash at its end.
    pub web: String,
    /// Where its API begins, without a slash at its end.
    pub api: String,
    pub sign_in: SignIn,
    /// The authorities that alone are trusted, in PEM.
    pub ca: Option<Vec<u8>>,
    /// The name of our own account; asked from the forge where it is not told.
    pub bot: Option<User>,
    /// How long one answer may take.
    pub answer: Duration,
    pub projects: Vec<Project>,
}

/// Who we are there.
#[derive(Clone, Debug)]
pub enum SignIn {
    /// An account of ours, by a token of it.
    Token(SecretText),
    /// An app that is installed there: its id, or client id, and its private key in PEM.
    App { id: String, key: SecretText },
}

impl SignIn {
    /// The token, where the forge knows nothing else.
    pub fn token(self) -> Result<SecretText, ConfigError> {
        match self {
            Self::Token(token) => Ok(token),
            Self::App { .. } => Err(ConfigError("forges of this kind know no apps: give `token` instead of `app`".into())),
        }
    }
}

/// One governed repository on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    pub id: RepoId,
    /// Its path there: `platform/dns`.
    pub path: String,
    /// Its page there; git fetches from this with `.git` at its end.
    pub page: String,
    /// The governed branch.
    pub branch: Governed,
    /// The folder of its mirror; made when it is missing.
    pub mirror: PathBuf,
}

/// Why a forge's configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);
