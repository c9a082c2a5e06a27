//! The live view of one change on a terminal: `mr wait`, `mr show --watch` and the demo draw the same.

mod follow;
mod frame;
mod screen;

pub use follow::{End, Verdict, follow};
pub use screen::{Screen, Stream};
