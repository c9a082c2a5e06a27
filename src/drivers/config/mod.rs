//! Drivers for config centers.

pub mod directory;
