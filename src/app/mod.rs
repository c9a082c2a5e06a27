//! The shell: where effects become real, and the wiring of everything.

mod targets;

pub use targets::{Target, Targets, observe_all};
