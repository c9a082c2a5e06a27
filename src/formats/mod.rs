//! Bytes to desired state with places, and back.

mod format;
pub mod yaml;

pub use format::{Files, Format, Scope, UnitFiles, UnitRead};
