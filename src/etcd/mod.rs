//! How etcd v3 is spoken to, for the driver of etcd targets and for the store alike: its JSON gateway, every member in turn, signed in where the cluster asks.

mod config;
mod wire;

pub use crate::cluster::{ConfigError, Fault, Tls};
pub use config::{Config, Limits, User};
pub use wire::{Live, NO_SPACE, Wire, encoded, kvs, ranges};
