//! Repositories on disk: merged trees, differences, refusals, and the unit cache.

mod brought;
mod held;
mod merge;
mod objects;
pub mod scratch;
mod source;
mod units;
