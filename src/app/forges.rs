//! The forges of one server as one: every call goes to the forge of its repository.

use super::world::Forge;
use crate::{
    core::{
        gate::MergeTicket,
        model::{MrId, RepoId, Str, User},
        review::{CommentId, Face, Right, Sighting},
        run::MergeAnswer,
    },
    ports::{Abilities, Exam, ForgeError, ForgeReader, ForgeWriter, Furnished, Fut, MrRef, Proposal, Proposed, Reaction, Shown, Wish},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The local forge, and the network forges of the repositories that are not its.
pub struct Forges {
    local: Arc<dyn Forge>,
    elsewhere: BTreeMap<RepoId, Arc<dyn Forge>>,
}

impl Forges {
    pub fn new(local: Arc<dyn Forge>, elsewhere: BTreeMap<RepoId, Arc<dyn Forge>>) -> Self {
        Self { local, elsewhere }
    }

    fn of(&self, repo: &RepoId) -> &dyn Forge {
        // A repository that nobody knows is the local forge's to refuse.
        &**self.elsewhere.get(repo).unwrap_or(&self.local)
    }
}

impl ForgeReader for Forges {
    fn abilities(&self, repo: &RepoId) -> Abilities {
        self.of(repo).abilities(repo)
    }

    fn sweep<'a>(&'a self, repo: &'a RepoId, since: u64) -> Fut<'a, Result<(Vec<MrRef>, u64), ForgeError>> {
        self.of(repo).sweep(repo, since)
    }

    fn open<'a>(&'a self, repo: &'a RepoId) -> Fut<'a, Result<Vec<MrRef>, ForgeError>> {
        self.of(repo).open(repo)
    }

    fn look<'a>(&'a self, mr: &'a MrId, since: Option<CommentId>) -> Fut<'a, Result<Sighting, ForgeError>> {
        self.of(&mr.repo).look(mr, since)
    }

    fn right<'a>(&'a self, repo: &'a RepoId, who: &'a User) -> Fut<'a, Result<Right, ForgeError>> {
        self.of(repo).right(repo, who)
    }

    fn right_known(&self, repo: &RepoId, who: &User) -> Right {
        self.of(repo).right_known(repo, who)
    }

    fn branches<'a>(&'a self, repo: &'a RepoId) -> Fut<'a, Result<Option<Vec<Str>>, ForgeError>> {
        self.of(repo).branches(repo)
    }

    fn team<'a>(&'a self, repo: &'a RepoId, team: &'a str, fresh: bool) -> Fut<'a, Result<BTreeSet<User>, ForgeError>> {
        self.of(repo).team(repo, team, fresh)
    }

    fn examine<'a>(&'a self, repo: &'a RepoId, wish: &'a Wish) -> Fut<'a, Vec<Exam>> {
        self.of(repo).examine(repo, wish)
    }
}

impl ForgeWriter for Forges {
    fn show<'a>(&'a self, mr: &'a MrId, face: &'a Face, last: &'a Shown) -> Fut<'a, Result<Shown, ForgeError>> {
        self.of(&mr.repo).show(mr, face, last)
    }

    fn reply<'a>(&'a self, mr: &'a MrId, to: CommentId, text: &'a str) -> Fut<'a, Result<(), ForgeError>> {
        self.of(&mr.repo).reply(mr, to, text)
    }

    fn react<'a>(&'a self, mr: &'a MrId, to: CommentId, how: Reaction) -> Fut<'a, Result<(), ForgeError>> {
        self.of(&mr.repo).react(mr, to, how)
    }

    fn tell<'a>(&'a self, mr: &'a MrId, key: &'a str, text: &'a str) -> Fut<'a, Result<(), ForgeError>> {
        self.of(&mr.repo).tell(mr, key, text)
    }

    fn propose<'a>(&'a self, proposal: &'a Proposal) -> Fut<'a, Result<Proposed, ForgeError>> {
        self.of(&proposal.repo).propose(proposal)
    }

    fn withdraw<'a>(&'a self, repo: &'a RepoId, key: &'a str, why: &'a str) -> Fut<'a, Result<Option<MrId>, ForgeError>> {
        self.of(repo).withdraw(repo, key, why)
    }

    fn furnish<'a>(&'a self, repo: &'a RepoId, wish: &'a Wish, dry: bool) -> Fut<'a, Vec<Furnished>> {
        self.of(repo).furnish(repo, wish, dry)
    }

    fn merge<'a>(&'a self, ticket: MergeTicket) -> Fut<'a, Result<MergeAnswer, ForgeError>> {
        Box::pin(async move {
            let repo = ticket.mr().repo.clone();
            self.of(&repo).merge(ticket).await
        })
    }
}

/// Where people go for what a network forge does itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The repository's page there.
    pub page: String,
    /// What comes between it and a merge request's number: `/pulls/`.
    pub requests: &'static str,
}

impl Elsewhere {
    /// The page of one merge request.
    pub fn of(&self, mr: &MrId) -> String {
        format!("{}{}{}", self.page, self.requests, mr.number)
    }
}
