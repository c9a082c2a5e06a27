//! A merge request that merges when it is true.
//!
//! The flow on one page: a forge shows a merge request (`forges`), the repository gives base and merged
//! desired state (`git`, `formats`), drivers read the live systems (`drivers`), core compares the three and
//! compiles one ordered plan (`core::diff`, `core::plan`), people approve its digest (`core::review`,
//! `core::gate`), the engine runs it from its journal (`core::run`, `stores`, `app`), every touched resource
//! is re-read until it is equal and healthy for its window, and only then does the merge gate hand out the
//! ticket that merges.
//!
//! Arrows point one way: `cli, web → app → {drivers, forges, stores, secrets, git} → {etcd, cluster, ports} → formats → kinds → core`.

pub mod core;
pub mod formats;
pub mod kinds;

#[cfg(feature = "shell")]
pub mod app;
#[cfg(feature = "shell")]
pub mod cli;
#[cfg(feature = "shell")]
pub mod cluster;
#[cfg(feature = "shell")]
pub mod drivers;
#[cfg(feature = "shell")]
pub mod etcd;
#[cfg(feature = "shell")]
pub mod forges;
#[cfg(feature = "shell")]
pub mod git;
#[cfg(feature = "shell")]
pub mod lab;
#[cfg(feature = "shell")]
pub mod ports;
#[cfg(feature = "shell")]
pub mod secrets;
#[cfg(feature = "shell")]
pub mod stores;
#[cfg(feature = "shell")]
pub mod web;
