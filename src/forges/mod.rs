//! Forges behind the two ports that read and write them.

pub mod gitea;
#[cfg(feature = "forges")]
pub mod github;
pub mod hooks;
pub mod local;
pub mod net;
