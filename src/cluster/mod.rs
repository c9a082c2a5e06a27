//! Clusters that are spoken to over HTTP: their members in turn, certificates, and what can go wrong with one question.

mod fault;
mod members;

pub use fault::Fault;
pub use members::{Answer, ConfigError, Members, Tls};
