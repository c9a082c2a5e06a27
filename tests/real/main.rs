//! The `real` test binary.

mod config;
mod forge;
mod forges;
mod git;
mod harness;
mod hooks;
mod lab;
mod ladder;
mod pages;
mod preview;
mod probes;
#[cfg(feature = "faults")]
mod replicas;
mod secrets;
mod service;
mod stores;
mod supply;
mod validate;
