//! `trueup doctor`: everything a server needs, looked at as it would be used, and nothing written.

mod approvals;
mod host;
mod probes;
mod repository;
mod run;

pub use run::{examine, json};
