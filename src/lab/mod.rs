//! What `demo` runs beside trueup; used by `cli/demo.rs` and tests alone.

mod ask;
pub mod dns;
pub mod sample;

pub use ask::ask;
