//! HTTP: API, pages, live updates, git push, metrics.

mod answer;
mod api;
mod auth;
mod door;
mod drift;
mod edits;
pub mod git_http;
mod health;
mod hooks;
mod metrics;
mod openapi;
pub mod pages;
mod previews;
mod router;
pub mod serve;
mod site;
mod sse;

pub use auth::Tokens;
pub use router::router;
