//! Drivers for name servers.

pub mod rfc2136;
mod twin;

pub use twin::{Fault, Twin};
