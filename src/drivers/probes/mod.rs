//! Probes observe facts and nothing else: HTTP, TCP, DNS answers, commands of the server's configuration, Prometheus.
//!
//! Whatever an answer holds, a probe says one line of it with a bounded, escaped excerpt. It reaches only networks that the server allows, judged on the
//! address that is connected to.

mod asker;
mod command;
mod config;
mod dns;
mod excerpt;
mod http;
mod networks;
mod prometheus;
mod reach;
mod tcp;

pub use asker::Asker;
pub use config::{Authority, Command, Config, ConfigError, Prometheus};
pub use networks::{Network, Networks};
pub use reach::{Lookup, SystemLookup};
