//! Merging by the project's own method, pinned to the head, with the base read right before and the result right after.

use super::{
    forge::{GitLab, Place},
    wire::Request,
};
use crate::{
    core::{gate::MergeTicket, model::CommitId, review::MrState, run::MergeAnswer},
    forges::net::{NetError, Weight},
    ports::{ForgeErrorKind, Merge, StateRepo as _},
};
use reqwest::Method;
use serde_json::json;

impl GitLab {
    pub(super) async fn merge_ticket(&self, ticket: &MergeTicket) -> Result<MergeAnswer, NetError> {
        let place = self.place(&ticket.mr().repo)?;
        let _alone = place.merging.lock().await;
        let number = ticket.mr().number;
        let request = self.request(place, number).await?;
        if let Some(answer) = self.before(place, ticket, &request).await?.or_else(|| ticket.nothing_to_read()) {
            return Ok(answer);
        }
        // One line, so that it cannot add trailers.
        let title: String = request.title.chars().filter(|c| !c.is_control()).collect();
        let message = format!("Merge request !{number}: {title}\n\n{}", ticket.message());
        let body = json!({ "sha": ticket.head(), "squash": request.squash, "merge_commit_message": message, "squash_commit_message": message });
        match self.api.send(Weight::Merge, Method::PUT, &place.request(number, "/merge"), &body).await {
            Ok(answer) => {
                let merged: Request = answer.json()?;
                if let Some(answer) = self.landed_elsewhere(ticket, &merged).await? {
                    return Ok(answer);
                }
                match self.state(place, &merged) {
                    MrState::Merged { commit, .. } => self.landed(place, &merged.target_branch, commit).await,
                    // Under way: the next look finds it.
                    MrState::Open | MrState::Closed => Ok(MergeAnswer::Refused { transient: true, why: "the forge took the merge and shows none yet".into() }),
                }
            }
            Err(error) => self.refused(place, ticket, error).await,
        }
    }

    /// What stands against it before GitLab is asked, or the merge that an earlier call made.
    async fn before(&self, place: &Place, ticket: &MergeTicket, request: &Request) -> Result<Option<MergeAnswer>, NetError> {
        let moved = |why: String| Ok(Some(MergeAnswer::Moved { why }));
        let head = self.head(request)?;
        if head != *ticket.head() {
            return moved(format!("the head is at {head}, not at {}", ticket.head()));
        }
        if let Some(answer) = self.landed_elsewhere(ticket, request).await? {
            return Ok(Some(answer));
        }
        if let Some(why) = ticket.strays(&request.target_branch) {
            return moved(why);
        }
        match self.state(place, request) {
            MrState::Open => {}
            // A merge of ours whose answer was lost; anybody else's is the next look's to tell.
            MrState::Merged { commit, by, with: _ } if by == *self.bot().await? => return self.landed(place, &request.target_branch, commit).await.map(Some),
            MrState::Merged { by, .. } => return moved(format!("{by} merged it")),
            MrState::Closed => return moved(format!("{} is closed, or aims at another branch", ticket.mr())),
        }
        let base = self.tip(place, &request.target_branch).await?;
        if base != *ticket.base() {
            return moved(format!("`{}` is at {base}, not at {}", request.target_branch, ticket.base()));
        }
        place.follow(&request.target_branch, &base, Some((request.iid, ticket.head()))).await?;
        let (base, head) = (ticket.base().clone(), ticket.head().clone());
        // The plan's tree again, from the two commits: what is asked for is what was planned.
        Ok(match place.git(move |git| git.merge(&base, &head)).await? {
            Merge::Clean(tree) if tree == *ticket.tree() => None,
            Merge::Clean(tree) => Some(MergeAnswer::Refused { transient: false, why: format!("merging would give the tree {tree}, the plan was for {}", ticket.tree()) }),
            Merge::Conflicts(paths) => Some(MergeAnswer::Refused { transient: false, why: format!("merging conflicts in {}", paths.join(", ")) }),
        })
    }

    /// What a merge that GitLab did not confirm means.
    async fn refused(&self, place: &Place, ticket: &MergeTicket, error: NetError) -> Result<MergeAnswer, NetError> {
        let again = |transient: bool| MergeAnswer::Refused { transient, why: error.what.clone() };
        Ok(match (error.kind, error.status) {
            // A rule of the project that people or our own statuses on their way can meet: asked again, with the reason told.
            (ForgeErrorKind::Conflict, Some(405)) | (ForgeErrorKind::Invalid, Some(422)) | (ForgeErrorKind::Limited, _) => again(true),
            (ForgeErrorKind::Conflict, _) => MergeAnswer::Moved { why: error.message.clone() },
            // GitLab says 401 to an account that it knows and that may not merge here.
            (ForgeErrorKind::NotFound | ForgeErrorKind::Denied | ForgeErrorKind::Stranger | ForgeErrorKind::Invalid, _) => again(false),
            (ForgeErrorKind::Unavailable, _) => {
                // It may have happened all the same.
                let request = self.request(place, ticket.mr().number).await?;
                match self.before(place, ticket, &request).await? {
                    Some(answer) => answer,
                    None => again(true),
                }
            }
        })
    }

    /// A merge of ours that went to another branch than it was meant for: GitLab takes the one to which the request goes at that instant.
    async fn landed_elsewhere(&self, ticket: &MergeTicket, request: &Request) -> Result<Option<MergeAnswer>, NetError> {
        let landed = request.merge_commit_sha.as_ref().or(request.squash_commit_sha.as_ref()).or(request.sha.as_ref());
        let (Some(_), "merged", Some(commit)) = (ticket.strays(&request.target_branch), &*request.state, landed) else { return Ok(None) };
        let ours = self.user(request.merge_user.as_ref()) == *self.bot().await?;
        Ok(ours.then(|| MergeAnswer::Elsewhere { commit: CommitId::new(commit.clone()), branch: (&*request.target_branch).into() }))
    }

    /// What stands on the branch now: the commit, its parents and its tree.
    async fn landed(&self, place: &Place, into: &str, commit: CommitId) -> Result<MergeAnswer, NetError> {
        if !place.mirror.has(&commit) {
            let tip = self.tip(place, into).await?;
            place.follow(into, &tip, None).await?;
        }
        let at = commit.clone();
        let (parents, tree) = place.git(move |git| Ok((git.parents(&at)?, git.tree(&at)?))).await?;
        Ok(MergeAnswer::Merged { commit, parents, tree })
    }
}
