//! The code that talks to live systems, one folder a kind; IO only.

pub mod config;
pub mod dns;
pub mod probes;
