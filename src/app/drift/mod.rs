//! Drift, looked for: what is governed on a target, read part by part and compared with the effective base.

mod ground;
mod look;
mod search;

pub use ground::{Bundle, Ground, Only};
pub use look::{Looked, Looker, Open};
pub use search::{Asked, search};
