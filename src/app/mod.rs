//! The shell: where effects become real, and the wiring of everything.

pub mod config;
mod targets;

pub use targets::{Target, Targets, observe_all};
