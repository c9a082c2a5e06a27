//! The `core` test binary.

mod config;
mod dns;
mod drift;
mod engine;
mod fixture;
mod formats;
mod gate;
mod plan;
mod review;
mod tidy;
