//! Forges behind the two ports that read and write them.

pub mod gitea;
#[cfg(feature = "forges")]
pub mod github;
#[cfg(feature = "forges")]
pub mod gitlab;
pub mod hooks;
pub mod local;
pub mod net;
mod with;
