//! Webhooks as the forges of a network send them: whose they are, whether they are genuine, and what they hint at.
//!
//! Nothing here does IO, and nothing it yields is state: a delivery only says where to look. The one thing taken from it is who pushed a
//! commit, which the forges' own API does not tell, because evidence can only take an approval away.

mod envelope;
mod form;
mod gitea;
mod github;
mod gitlab;
mod hint;
mod read;
mod verify;

pub use envelope::{Dialect, Envelope};
pub use form::payload_of_form;
pub use hint::{Hint, Push, Reading, RepositoryNews, Subject};
pub use read::{Unreadable, read};
pub use verify::{Refused, TOLERANCE, verify};
