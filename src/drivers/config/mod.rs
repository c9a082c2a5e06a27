//! Drivers for config centers.

pub mod directory;
pub mod etcd;
