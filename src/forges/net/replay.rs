//! Whether a rebase would land what was planned: plans are made of merges.

use crate::{
    core::{gate::MergeTicket, run::MergeAnswer},
    git::GitRepo,
    ports::{Merge, RepoError},
};

/// What stands against merging by setting the commits onto base one after the other; `None`: the tree is the planned one.
pub fn replays_otherwise(git: &GitRepo, ticket: &MergeTicket) -> Result<Option<MergeAnswer>, RepoError> {
    let refused = |why: String| {
        let why = format!("{why}; make it one commit on the newest base, or let the repository merge by another method");
        Some(MergeAnswer::Refused { transient: false, why })
    };
    Ok(match git.replay(ticket.base(), ticket.head())? {
        Merge::Clean(tree) if tree == *ticket.tree() => None,
        Merge::Clean(tree) => refused(format!("a rebase sets its commits onto base one by one and would give the tree {tree}, the plan was for {}", ticket.tree())),
        Merge::Conflicts(paths) => refused(format!("a rebase sets its commits onto base one by one, which conflicts in {}", paths.join(", "))),
    })
}
