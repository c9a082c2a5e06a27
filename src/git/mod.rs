//! Repositories: merged tree, tree diff, blobs, and the unit cache with its reverse index.

mod brought;
mod held;
mod lru;
mod merge;
mod pointers;
pub mod program;
mod repo;
mod source;
mod tree;
mod units;
mod write;

pub use held::{Held, Standing, mail};
pub use pointers::{Pointer, Pointers, Speaks};
pub use repo::{GitRepo, oid};
pub use source::TreeFiles;
pub use units::{Source, Touched, UnitCache, UnitPair, UnitSide};
pub use write::{NewCommit, commit_files, ran, signature};
