//! What `demo` runs beside trueup; used by `cli/demo.rs` and tests alone.

mod ask;
pub mod dns;
mod http;
pub mod sample;
pub mod shop;

pub use ask::{Answer, ask, lookup};
