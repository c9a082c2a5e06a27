//! Start gate and merge gate.

mod parts;
mod rules;
mod window;
