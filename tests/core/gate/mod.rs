//! Start gate and merge gate.

mod window;
