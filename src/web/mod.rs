//! HTTP: API, pages, live updates, git push, metrics.

pub mod git_http;
