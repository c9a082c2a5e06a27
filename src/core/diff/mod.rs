//! Three values in, one delta out: what changes about a resource, once, with field paths and a reason.

mod delta;

pub use delta::{Delta, Op, Reason};
