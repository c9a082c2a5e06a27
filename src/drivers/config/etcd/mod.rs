//! etcd v3, through the JSON gateway that every server offers beside gRPC; docs/decisions/etcd.md says why.
//!
//! Reading is linearizable. A write is one transaction that compares the `mod_revision` of every key it writes, so that content nobody planned from
//! is never written over. What a server takes in one transaction is configured, and learned when it takes less.

mod driver;
mod list;
mod probe;

pub use crate::etcd::{Config, ConfigError, Limits, Tls, User};
pub use driver::Etcd;
