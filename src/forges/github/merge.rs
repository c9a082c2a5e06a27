//! Merging by the repository's own method, pinned to the head, with the base read right before and the result right after.

use super::{
    forge::{GitHub, Place},
    wire::{GitCommit, Merged, Pull, Repository},
};
use crate::{
    core::{
        gate::MergeTicket,
        model::{CommitId, TreeId},
        review::MrState,
        run::MergeAnswer,
    },
    forges::net::{NetError, Weight},
    ports::{ForgeErrorKind, Merge, StateRepo as _},
};
use reqwest::Method;
use serde_json::json;

impl GitHub {
    pub(super) async fn merge_ticket(&self, ticket: &MergeTicket) -> Result<MergeAnswer, NetError> {
        let mr = ticket.mr();
        let place = self.place(&mr.repo)?;
        let _alone = place.merging.lock().await;
        let pull = self.pull(place, mr.number).await?;
        if let Some(answer) = self.before(place, ticket, &pull).await?.or_else(|| ticket.nothing_to_read()) {
            return Ok(answer);
        }
        let repository: Repository = place.api.get(&place.path("")).await?;
        let Some(method) = method(&repository) else {
            let why = "the repository allows neither merge commits nor squashing nor rebasing; allow one in its settings".to_owned();
            return Ok(MergeAnswer::Refused { transient: true, why });
        };
        // One line, so that it cannot add trailers.
        let title: String = pull.title.chars().filter(|c| !c.is_control()).collect();
        let body = json!({
            "sha": ticket.head(),
            "merge_method": method,
            "commit_title": format!("{title} (#{})", mr.number),
            "commit_message": format!("Trueup-Change: {mr}\nTrueup-Digest: {}", ticket.digest()),
        });
        match place.api.send(Weight::Merge, Method::PUT, &place.path(format!("/pulls/{}/merge", mr.number)), &body).await {
            Ok(answer) => {
                let merged: Merged = answer.json()?;
                // GitHub takes the branch to which the request goes at that instant, whichever it is.
                let pull = self.pull(place, mr.number).await?;
                self.read_back(place, ticket, &pull, &merged.sha).await
            }
            Err(error) => self.refused(place, ticket, error).await,
        }
    }

    /// What stands against it before GitHub is asked, or the merge that an earlier call made.
    async fn before(&self, place: &Place, ticket: &MergeTicket, pull: &Pull) -> Result<Option<MergeAnswer>, NetError> {
        let moved = |why: String| Ok(Some(MergeAnswer::Moved { why }));
        if pull.head.sha != ticket.head().as_str() {
            return moved(format!("the head is at {}, not at {}", pull.head.sha, ticket.head()));
        }
        if let Some(answer) = self.landed_elsewhere(ticket, pull).await? {
            return Ok(Some(answer));
        }
        if let Some(why) = ticket.strays(&pull.base.name) {
            return moved(why);
        }
        match self.state(place, pull) {
            MrState::Open => {}
            // A merge of ours whose answer was lost; anybody else's is the next look's to tell.
            MrState::Merged { commit, by, with: _ } if by == *self.bot().await? => return self.read_back(place, ticket, pull, commit.as_str()).await.map(Some),
            MrState::Merged { by, .. } => return moved(format!("{by} merged it")),
            MrState::Closed => return moved(format!("{} is closed, or aims at another branch", ticket.mr())),
        }
        let base = self.tip(place, &pull.base.name).await?;
        if base != *ticket.base() {
            return moved(format!("`{}` is at {base}, not at {}", pull.base.name, ticket.base()));
        }
        place.follow(&pull.base.name, &base, Some((ticket.mr(), ticket.head()))).await?;
        let repo = place.mirror.git().clone();
        let (base, head) = (ticket.base().clone(), ticket.head().clone());
        let merged = tokio::task::spawn_blocking(move || repo.merge(&base, &head)).await;
        let merged = merged.map_err(|stopped| NetError::new(ForgeErrorKind::Unavailable, format!("git work ended early: {stopped}")))?;
        // The plan's tree again, from the two commits: what is asked for is what was planned.
        Ok(match merged? {
            Merge::Clean(tree) if tree == *ticket.tree() => None,
            Merge::Clean(tree) => Some(MergeAnswer::Refused { transient: false, why: format!("merging would give the tree {tree}, the plan was for {}", ticket.tree()) }),
            Merge::Conflicts(paths) => Some(MergeAnswer::Refused { transient: false, why: format!("merging conflicts in {}", paths.join(", ")) }),
        })
    }

    /// What a merge that GitHub did not confirm means.
    async fn refused(&self, place: &Place, ticket: &MergeTicket, error: NetError) -> Result<MergeAnswer, NetError> {
        let again = |transient: bool| MergeAnswer::Refused { transient, why: error.what.clone() };
        Ok(match (error.kind, error.status) {
            (ForgeErrorKind::Conflict, Some(405)) if error.message.contains("Base branch was modified") => MergeAnswer::Moved { why: error.message.clone() },
            // A rule of the repository that people or our own statuses on their way can meet: asked again, with the reason told.
            (ForgeErrorKind::Conflict, Some(405)) => again(true),
            (ForgeErrorKind::Conflict, _) => MergeAnswer::Moved { why: error.message.clone() },
            (ForgeErrorKind::NotFound | ForgeErrorKind::Denied | ForgeErrorKind::Invalid, _) => again(false),
            // Whoever is not let in may be again: a new token, an app that is no more suspended.
            (ForgeErrorKind::Limited | ForgeErrorKind::Stranger, _) => again(true),
            (ForgeErrorKind::Unavailable, _) => {
                // It may have happened all the same.
                let pull = self.pull(place, ticket.mr().number).await?;
                match self.before(place, ticket, &pull).await? {
                    Some(answer) => answer,
                    None => again(true),
                }
            }
        })
    }

    /// A merge of ours whose answer was lost, and that went to another branch than it was meant for.
    async fn landed_elsewhere(&self, ticket: &MergeTicket, pull: &Pull) -> Result<Option<MergeAnswer>, NetError> {
        let (Some(_), Some(_), Some(commit)) = (ticket.strays(&pull.base.name), &pull.merged_at, &pull.merge_commit_sha) else { return Ok(None) };
        let ours = self.user(pull.merged_by.as_ref()) == *self.bot().await?;
        Ok(ours.then(|| MergeAnswer::Elsewhere { commit: CommitId::new(commit.clone()), branch: (&*pull.base.name).into() }))
    }

    async fn read_back(&self, place: &Place, ticket: &MergeTicket, pull: &Pull, commit: &str) -> Result<MergeAnswer, NetError> {
        if ticket.strays(&pull.base.name).is_some() {
            return Ok(MergeAnswer::Elsewhere { commit: CommitId::new(commit), branch: (&*pull.base.name).into() });
        }
        let GitCommit { sha, tree, parents } = place.api.get(&place.path(format!("/git/commits/{commit}"))).await?;
        Ok(MergeAnswer::Merged { commit: CommitId::new(sha), parents: parents.into_iter().map(|parent| CommitId::new(parent.sha)).collect(), tree: TreeId::new(tree.sha) })
    }
}

/// The first method that the repository allows. Where the token may not see them, GitHub's own default is asked for and GitHub refuses it.
fn method(repository: &Repository) -> Option<&'static str> {
    let allowed = [("merge", repository.allow_merge_commit), ("squash", repository.allow_squash_merge), ("rebase", repository.allow_rebase_merge)];
    allowed.into_iter().find(|(_, allowed)| allowed.unwrap_or(true)).map(|(method, _)| method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_s_own_method_is_taken() {
        let repository = |merge, squash, rebase| Repository {
            archived: false,
            permissions: None,
            owner: None,
            allow_merge_commit: merge,
            allow_squash_merge: squash,
            allow_rebase_merge: rebase,
        };
        assert_eq!(method(&repository(Some(true), Some(true), Some(true))), Some("merge"));
        assert_eq!(method(&repository(Some(false), Some(true), Some(true))), Some("squash"));
        assert_eq!(method(&repository(Some(false), Some(false), Some(true))), Some("rebase"));
        assert_eq!(method(&repository(Some(false), Some(false), Some(false))), None);
        assert_eq!(method(&repository(None, None, None)), Some("merge"));
    }
}
