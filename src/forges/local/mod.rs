//! The local forge: bare repositories on disk, merge requests in the store.
//!
//! Nothing but trueup moves a repository's governed branch: hooks of ours refuse every push to it, by path and over HTTP. The one
//! exception starts a repository: while the branch does not exist, an admin (or whoever can write the folder) may push it once.

mod depends;
mod desk;
mod error;
mod forge;
mod hooks;
mod merge;
mod place;
mod propose;
mod reader;
mod rows;
mod writer;

pub use desk::{NewRequest, Page, PageComment, PageStatus};
pub use error::{LocalError, LocalErrorKind};
pub use forge::LocalForge;
pub use hooks::{ADMIN, PUSHER, guarded};
pub use place::LocalRepository;
