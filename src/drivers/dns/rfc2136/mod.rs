//! Any primary that takes signed dynamic updates: BIND, Knot, PowerDNS.
//!
//! Reading is a transfer (RFC 5936) or a row of questions, whichever costs less; writing is UPDATE messages (RFC 2136)
//! whose prerequisites are the content each write was planned from; everything is signed by TSIG (RFC 8945).

mod absence;
mod act;
mod config;
mod driver;
mod encode;
mod health;
mod observe;
mod pack;
mod probe;
mod query;
mod question;
mod transfer;
mod transport;

pub use config::{Config, ConfigError, Timeouts, Tsig};
pub use driver::{Counts, Rfc2136};
