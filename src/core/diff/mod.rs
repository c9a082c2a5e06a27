//! Three values in, one delta out: what changes about a resource, once, with field paths and a reason.

mod delta;
mod effective;
mod three_way;

pub use delta::{Delta, Op, Reason};
pub use effective::Asked;
pub use three_way::{Case, Fate, three_way};
