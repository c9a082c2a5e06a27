//! What the driver must be told: where the agents are, which token is shown, what they take at once.

use crate::{cluster::Tls, ports::SecretText};
use std::time::Duration;

/// One datacenter's key/value store, as the operators configured it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The target's name, for texts and ids.
    pub target: String,
    /// `https://host:port` of agents or servers, tried in this order.
    pub endpoints: Vec<String>,
    /// The secret id of an ACL token; without it the server sees the anonymous one.
    pub token: Option<SecretText>,
    /// Another datacenter than the agents' own.
    pub datacenter: Option<String>,
    pub tls: Option<Tls>,
    pub limits: Limits,
    /// How long one answer may take; a call's own deadline cuts it short.
    pub answer: Duration,
}

/// What the servers take at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Operations in one transaction; a deletion is two.
    pub txn_ops: usize,
    /// `limits.kv_max_value_size`, which bounds a value and, in base64, a transaction.
    pub value_bytes: usize,
}

impl Default for Limits {
    /// What Consul starts with when it is told nothing.
    fn default() -> Self {
        Self { txn_ops: 128, value_bytes: 512 << 10 }
    }
}
