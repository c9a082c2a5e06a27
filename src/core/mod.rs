//! The pure heart: values in, decisions out; no runtime, files, network, environment, clock or randomness.

pub mod diff;
pub mod drift;
pub mod gate;
pub mod model;
pub mod plan;
pub mod render;
pub mod review;
pub mod run;
