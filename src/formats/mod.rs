//! Bytes to desired state with places, and back.

mod format;

pub use format::{Files, Format, Scope, UnitFiles, UnitRead};
