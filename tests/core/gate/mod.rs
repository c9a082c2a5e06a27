//! Start gate and merge gate.
