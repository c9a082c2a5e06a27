//! Drivers for config centers.

pub mod center;
pub mod consul;
pub mod directory;
pub mod etcd;
