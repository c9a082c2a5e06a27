//! The `core` test binary.

mod dns;
mod engine;
mod formats;
mod gate;
mod plan;
mod review;
mod tidy;
