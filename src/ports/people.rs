//! Who the people of a forge are to this server, and what its configuration lets them do.

use crate::core::{
    model::{RepoId, User},
    review::Right,
};

/// Who people are and what they may do, from the server's configuration.
pub trait People: Send + Sync {
    /// What the configuration alone gives them.
    fn right(&self, repo: &RepoId, who: &User) -> Right;

    /// The teams of the forge that the configuration gives something, with what.
    fn teams(&self, _repo: &RepoId) -> Vec<(Right, String)> {
        Vec::new()
    }

    /// The user whose commits carry this mail address.
    fn by_email(&self, email: &str) -> Option<User>;

    /// A forge's account under the name that the configuration has for it: forges do not tell `Ada` from `ada`, and nobody is two people here.
    fn by_login(&self, login: &str) -> User;
}
