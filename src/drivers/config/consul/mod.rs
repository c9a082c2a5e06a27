//! Consul's key/value store over its HTTP API; docs/decisions/consul.md says which parts of it and why.
//!
//! Reading is `consistent`. A write is one transaction in which every key is set or deleted only over the `ModifyIndex` it was read with, so that
//! content nobody planned from is never written over. A value too large for a transaction goes by itself, under the same condition.

mod config;
mod driver;
mod list;
mod probe;
mod wire;

pub use config::{Config, Limits};
pub use driver::Consul;
