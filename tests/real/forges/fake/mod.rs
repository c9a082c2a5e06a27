//! A forge that is plain state over real git repositories, projected to the wire formats of those we cannot run.

mod apps;
mod door;
mod fault;
mod git;
mod github;
mod gitlab;
mod openapi;
mod people;
mod state;

pub use apps::private_key;
pub use door::{FakeForge, Wire};
pub use fault::{Fault, met};
pub use openapi::Description;
pub use people::push_on;
pub use state::{Call, Linear, Method, Protection, Push, Role, Verdict};
