//! `CODEOWNERS`: who is asked for which files, as GitHub, GitLab, and Gitea with Forgejo each write it.
//!
//! The three share a name and little else: GitHub's patterns are those of `.gitignore` and the last line that matches decides; GitLab's are shell globs
//! in sections, each of which asks for itself; Gitea's are regular expressions, and every line that matches asks.

mod owner;
mod pattern;
mod read;

pub use owner::Owner;
pub use read::{Asked, CodeOwners, Dialect};
