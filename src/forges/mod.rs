//! Forges behind the two ports that read and write them.

pub mod hooks;
pub mod local;
pub mod net;
