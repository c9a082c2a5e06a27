//! The `real` test binary.

mod config;
mod forge;
mod git;
mod harness;
mod ladder;
mod service;
mod stores;
