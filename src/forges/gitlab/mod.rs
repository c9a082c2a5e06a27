//! GitLab: merge requests, over its REST API v4.
//!
//! `detailed_merge_status` is never asked: it holds what our own pending statuses block. What is read is read from its parts, and what
//! is written is found again before it is written twice.

mod api;
mod deploy;
mod exam;
mod forge;
mod look;
mod merge;
mod people;
mod propose;
mod pushes;
mod reader;
mod setup;
mod sweep;
mod wire;
mod writer;

pub use forge::GitLab;
