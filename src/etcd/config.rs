//! What the driver must be told: where the servers are, who asks, how they are known, what they take at once.

use crate::{cluster::Tls, ports::SecretText};
use std::time::Duration;

/// One cluster, as the operators configured it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The target's name, for texts and ids.
    pub target: String,
    /// `https://host:port` of the members, tried in this order, from the one that answered last.
    pub endpoints: Vec<String>,
    pub user: Option<User>,
    pub tls: Option<Tls>,
    pub limits: Limits,
    /// How long one answer may take; a call's own deadline cuts it short.
    pub answer: Duration,
}

#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    pub password: SecretText,
}

/// What the servers were started with; no API tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `--max-txn-ops`.
    pub txn_ops: usize,
    /// `--max-request-bytes`.
    pub request_bytes: usize,
}

impl Default for Limits {
    /// What etcd starts with when it is told nothing.
    fn default() -> Self {
        Self { txn_ops: 128, request_bytes: 1_572_864 }
    }
}
