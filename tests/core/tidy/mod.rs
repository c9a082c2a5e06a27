//! The house rules as tests.

mod arrows;
mod banned;
mod coverage;
mod exceptions;
mod invariants;
mod shape;
mod source;
