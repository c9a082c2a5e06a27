//! What the server's configuration gives to probes.

use super::networks::Networks;
use crate::ports::SecretText;
use globset::GlobMatcher;
use std::{collections::BTreeMap, time::Duration};

/// Everything probes may use; by default nothing.
#[derive(Default)]
pub struct Config {
    pub networks: Networks,
    /// Trusted beside the machine's own authorities.
    pub authority: Option<Authority>,
    pub commands: BTreeMap<String, Command>,
    pub prometheus: BTreeMap<String, Prometheus>,
    /// Probes under way at once, all changes together.
    pub at_once: usize,
}

/// Authorities of certificates, in PEM.
#[derive(Clone)]
pub struct Authority(pub Vec<u8>);

/// One command that repositories may name.
pub struct Command {
    /// The program and its arguments; `{name}` stands for an argument of a repository.
    pub argv: Vec<String>,
    /// What each argument may be.
    pub args: BTreeMap<String, Vec<GlobMatcher>>,
    /// All of its environment.
    pub env: BTreeMap<String, String>,
    pub timeout: Duration,
}

/// One Prometheus that repositories may query.
pub struct Prometheus {
    pub url: String,
    pub token: Option<SecretText>,
}

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct ConfigError {
    pub what: String,
}
