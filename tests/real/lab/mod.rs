//! The demo's shop and the demo itself: it follows what trueup changes, and its client counts honestly.

mod demo;
mod shop;

pub use demo::Demo;
