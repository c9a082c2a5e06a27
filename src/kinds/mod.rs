//! What each kind of target means, purely.

mod all;
pub mod config;
pub mod dns;

pub use all::{of, refers};
