//! Bytes to desired state with places, and back.

pub mod cel;
pub mod codeowners;
mod format;
pub mod keytree;
pub mod octodns;
mod references;
mod splice;
pub mod templates;
pub mod trueup_yaml;
pub mod yaml;
pub mod zonefile;

pub use format::{Files, Format, Home, Scope, UnitFiles, UnitRead};
