//! Start gate and merge gate.

mod rules;
mod window;
