//! Whom the lists of `server.yaml` mean, and what they may do.

use super::{Branch, Discover, Repository, Server, check::Check};
use crate::core::{
    model::{RefusalKind, Str},
    review::{Right, team_of},
};
use std::collections::{BTreeMap, BTreeSet};

impl Server {
    /// What a user may do in a repository, by the lists of the configuration.
    pub fn right(&self, repository: &Repository, user: &str) -> Right {
        let known = self.users.iter().any(|known| &*known.name == user);
        // Accounts of a network forge sign in there.
        if !known && repository.is_local() {
            return Right::None;
        }
        let listed = |names: &[Str]| names.iter().any(|name| self.stands_for(repository, name, user));
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

    /// Whether a listed name (a user, or `@group`) means this user in a repository.
    fn stands_for(&self, repository: &Repository, listed: &str, user: &str) -> bool {
        match listed.strip_prefix('@') {
            Some(group) => self.groups.get(group).is_some_and(|members| members.iter().any(|member| self.meant(repository, member) == Some(user))),
            None => listed == user,
        }
    }

    /// The users and accounts that a list of names and `@groups` stands for in a repository.
    pub fn spelled_out(&self, repository: &Repository, listed: &[Str]) -> Vec<Str> {
        let mut found: Vec<Str> = Vec::new();
        for name in self.users.iter().map(|user| user.name.clone()).chain(self.accounts()) {
            if !found.contains(&name) && listed.iter().any(|listed| self.stands_for(repository, listed, &name)) {
                found.push(name);
            }
        }
        found
    }

    /// A member of a group as people of a repository's forge are called; `None`: it is somebody on another forge.
    pub(super) fn meant<'a>(&self, repository: &Repository, member: &'a str) -> Option<&'a str> {
        match self.on_forge(member) {
            None => Some(member),
            Some((forge, name)) => (*repository.forge == *forge).then_some(name),
        }
    }

    /// The forge and the name of a member who says of which forge (`work:ana`).
    pub(super) fn on_forge<'a>(&self, member: &'a str) -> Option<(&'a str, &'a str)> {
        member.split_once(':').filter(|(forge, _)| *forge == super::LOCAL || self.forges.contains_key(*forge))
    }

    /// The members of every group, as they are called in a repository.
    pub fn groups_in(&self, repository: &Repository) -> BTreeMap<Str, Vec<Str>> {
        let members = |members: &Vec<Str>| members.iter().filter_map(|member| Some(self.meant(repository, member)?.into())).collect();
        self.groups.iter().map(|(name, all)| (name.clone(), members(all))).collect()
    }

    /// Names that lists give rights to in repositories of network forges, where accounts are the forge's own.
    pub fn accounts(&self) -> impl Iterator<Item = Str> + '_ {
        let listed = self.repositories.iter().filter(|repository| !repository.is_local());
        let lists = listed.flat_map(|of| [&of.readers, &of.writers, &of.approvers, &of.admins]).flatten();
        let members = self.groups.values().flatten().map(|member| self.on_forge(member).map_or_else(|| member.clone(), |(_, name)| name.into()));
        lists.filter(|name| !name.starts_with('@') && team_of(name).is_none()).cloned().chain(members)
    }
}

/// One login on two forges may be two people: a group that is asked on both says whose each is.
pub(super) fn spans(check: &mut Check<'_>, group: &str, members: &[Str]) {
    let server = check.server;
    let called = format!("@{group}");
    let lists = |of: &Repository| {
        [&of.readers, &of.writers, &of.approvers, &of.admins].into_iter().flatten().chain(of.branches.iter().flat_map(Branch::people)).any(|name| **name == *called)
    };
    let network = || server.repositories.iter().filter(|of| !of.is_local());
    // What is found gets the lists of its entry.
    let found = || server.forges.iter().flat_map(|(name, forge)| forge.discover.iter().map(move |entry| (name, entry)));
    let gives = |entry: &Discover| {
        let lists = [&entry.readers, &entry.writers, &entry.approvers, &entry.admins].into_iter().flatten();
        lists.chain(entry.branches.iter().flat_map(Branch::people)).any(|name| **name == *called)
    };
    let listed = network().filter(|of| lists(of)).map(|of| &of.forge).chain(found().filter(|(_, entry)| gives(entry)).map(|(name, _)| name));
    let listed: BTreeSet<&Str> = listed.collect();
    // What no list names, the policy of any repository may.
    let forges: BTreeSet<&Str> = if listed.is_empty() { network().map(|of| &of.forge).chain(found().map(|(name, _)| name)).collect() } else { listed };
    let [first, second, ..] = forges.iter().copied().collect::<Vec<_>>()[..] else { return };
    for (i, member) in members.iter().enumerate().filter(|(_, member)| server.on_forge(member).is_none()) {
        let what = format!("`{member}` may be one person on `{first}` and another on `{second}`, and `{called}` is asked on both");
        let advice = format!("write whose it is: `{first}:{member}`, and `{second}:{member}` where that is the same person");
        check.fault(RefusalKind::Overlap, &["groups", group, &i.to_string()], what, advice);
    }
}
