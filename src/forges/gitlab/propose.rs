//! Merge requests of our own on GitLab: found by their branch, known by their commit.

use super::{
    forge::{GitLab, Place},
    wire::Request,
};
use crate::{
    core::model::{CommitId, MrId, RepoId},
    forges::net::{Mine, NetError, ProposalNote, Weight, encoded, told},
    ports::{Proposal, Proposed},
};
use reqwest::Method;
use serde_json::json;

/// Pages of requests searched for ours.
const PAGES: usize = 5;

impl GitLab {
    pub(super) async fn proposed(&self, proposal: &Proposal) -> Result<Proposed, NetError> {
        let Proposal { repo, key, branch, .. } = proposal;
        let place = self.place(repo)?;
        let bot = self.bot().await?;
        let tip = self.own_tip(place, key, branch).await?;
        let all = self.on_branch(place, branch).await?;
        let open = all.iter().find(|request| request.is_open());
        let closed = all.first().filter(|request| request.state == "closed").and_then(|request| Some((request.iid, note(request)?)));
        let mine = Mine { open: open.map(|request| request.iid), closed };
        if let Some(stands) = place.mirror.stands(proposal, bot, &format!("refs/heads/{}", place.project.branch), tip.as_ref(), &mine)? {
            return Ok(stands);
        }
        let made = place.mirror.propose(proposal, bot, self.now(), tip.as_ref()).await?;
        let description = ProposalNote::of(proposal).description();
        match open {
            Some(request) => {
                let edit = json!({ "title": proposal.title, "description": description });
                self.api.send(Weight::Comment, Method::PUT, &place.request(request.iid, ""), &edit).await?;
                Ok(Proposed::Open(place.mr(request.iid)))
            }
            None => {
                let new = json!({ "title": proposal.title, "description": description, "source_branch": branch, "target_branch": place.project.branch.said(), "remove_source_branch": true });
                let opened: Request = self.api.send(Weight::Comment, Method::POST, &place.path("/merge_requests"), &new).await?.json()?;
                let mr = place.mr(opened.iid);
                // Who pushed in between has made it theirs; GitLab may know no head yet.
                Ok(if opened.sha.is_none_or(|head| head == made.as_str()) { Proposed::Open(mr) } else { Proposed::Taken(mr) })
            }
        }
    }

    pub(super) async fn withdrawn(&self, repo: &RepoId, key: &str, why: &str) -> Result<Option<MrId>, NetError> {
        let place = self.place(repo)?;
        let bot = self.bot().await?;
        let path = place.path(format!("/merge_requests?state=opened&scope=all&author_username={}&per_page=100", encoded(bot.as_str())));
        let open: Vec<Request> = self.api.pages(&path, PAGES).await?.0;
        let ours = open.into_iter().filter(|request| self.user(request.author.as_ref()) == *bot);
        let Some(request) = ours.into_iter().find(|request| note(request).is_some_and(|note| *note.key == *key)) else { return Ok(None) };
        let tip = self.own_tip(place, key, &request.source_branch).await?;
        if !place.mirror.is_ours(key, tip.as_ref(), bot) {
            return Ok(None);
        }
        let mr = place.mr(request.iid);
        self.say_once(place, &mr, &told(why), why).await?;
        let edit = json!({ "state_event": "close", "description": ProposalNote::withdrawn(key).description() });
        self.api.send(Weight::Comment, Method::PUT, &place.request(request.iid, ""), &edit).await?;
        Ok(Some(mr))
    }

    /// The tip of a branch of ours, in the mirror; `None`: there is no such branch.
    async fn own_tip(&self, place: &Place, key: &str, branch: &str) -> Result<Option<CommitId>, NetError> {
        let tip = self.branch(place, branch).await?;
        place.mirror.fetch_proposal(key, branch, tip.as_ref()).await?;
        Ok(tip)
    }

    /// Our own requests from a branch, newest first.
    async fn on_branch(&self, place: &Place, branch: &str) -> Result<Vec<Request>, NetError> {
        let path = place.path(format!("/merge_requests?state=all&scope=all&source_branch={}&order_by=created_at&sort=desc&per_page=50", encoded(branch)));
        let all: Vec<Request> = self.api.get(&path).await?;
        let bot = self.bot().await?;
        Ok(all.into_iter().filter(|request| self.user(request.author.as_ref()) == *bot && request.source_project_id == Some(request.target_project_id)).collect())
    }
}

fn note(request: &Request) -> Option<ProposalNote> {
    ProposalNote::read(request.description.as_deref()?)
}
