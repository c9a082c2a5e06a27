//! `trueup.yaml`: what a repository governs (read from the merged tree) and by which policy (read from base).

mod check;
mod health;
mod read;
mod rules;
mod types;

pub use read::{FILE, read};
pub use types::{Moved, Repository, Source};
