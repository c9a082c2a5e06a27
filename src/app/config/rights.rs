//! Whom the lists of `server.yaml` mean, and what they may do.

use super::{Repository, Server};
use crate::core::{model::Str, review::Right};

impl Server {
    /// What a user may do in a repository, by the lists of the configuration.
    pub fn right(&self, repository: &Repository, user: &str) -> Right {
        let known = self.users.iter().any(|known| &*known.name == user);
        // Accounts of a network forge sign in there.
        if !known && repository.is_local() {
            return Right::None;
        }
        let listed = |names: &[Str]| names.iter().any(|name| self.stands_for(name, user));
        if listed(&repository.admins) {
            Right::Admin
        } else if listed(&repository.approvers) {
            Right::Approve
        } else if listed(&repository.writers) {
            Right::Write
        } else if known && repository.readers.is_empty() || listed(&repository.readers) {
            Right::Read
        } else {
            Right::None
        }
    }

    /// Whether a listed name (a user, or `@group`) means this user.
    fn stands_for(&self, listed: &str, user: &str) -> bool {
        match listed.strip_prefix('@') {
            Some(group) => self.groups.get(group).is_some_and(|members| members.iter().any(|member| &**member == user)),
            None => listed == user,
        }
    }

    /// The users and accounts that a list of names and `@groups` stands for.
    pub fn spelled_out(&self, listed: &[Str]) -> Vec<Str> {
        let mut found: Vec<Str> = Vec::new();
        for name in self.users.iter().map(|user| &user.name).chain(self.accounts()) {
            if !found.contains(name) && listed.iter().any(|listed| self.stands_for(listed, name)) {
                found.push(name.clone());
            }
        }
        found
    }

    /// Names that lists give rights to in repositories of network forges, where accounts are the forge's own.
    pub fn accounts(&self) -> impl Iterator<Item = &Str> {
        let listed = self.repositories.iter().filter(|repository| !repository.is_local());
        let lists = listed.flat_map(|of| [&of.readers, &of.writers, &of.approvers, &of.admins]).flatten();
        lists.filter(|name| !name.starts_with('@')).chain(self.groups.values().flatten())
    }
}
