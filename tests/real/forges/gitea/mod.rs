//! The Gitea driver over a real Gitea: the table of all forges, what is Gitea's own, and stories through the whole server.

mod bad;
mod branches;
mod carrier;
mod described;
mod doctor;
mod faults;
mod hooks;
mod house;
mod last_moment;
mod midway;
mod porter;
mod setup;
mod stories;
mod table;
mod town;
mod whole;
mod yard;

pub use porter::Porter;
pub use yard::{HOOK_SECRET, Yard};
