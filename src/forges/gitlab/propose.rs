//! Merge requests of our own on GitLab: found by their branch, known by their commit.

use super::{
    forge::{GitLab, Place},
    wire::Request,
};
use crate::{
    core::model::{CommitId, MrId, RepoId},
    forges::net::{NetError, Standing, Want, Weight, encoded, told},
    ports::{ForgeErrorKind, Proposal, Proposed},
};
use reqwest::Method;
use serde_json::json;

/// Pages of requests searched for ours.
const PAGES: usize = 5;

impl GitLab {
    pub(super) async fn proposed(&self, proposal: &Proposal) -> Result<Proposed, NetError> {
        let Proposal { repo, key, branch, .. } = proposal;
        let place = self.place(repo)?;
        let content = proposal.content();
        let tip = self.own_tip(place, key, branch).await?;
        let stands = tip.as_ref().and_then(|tip| place.mirror.proposes(tip, key));
        let mine = self.on_branch(place, branch).await?;
        let open = mine.iter().find(|request| request.is_open());
        match (open, &stands) {
            (Some(request), None) => return Ok(Proposed::Taken(place.mr(request.iid))),
            (Some(request), Some(stands)) if *stands == content => return Ok(Proposed::Open(place.mr(request.iid))),
            (Some(_), Some(_)) => {}
            (None, _) => {
                let said = Standing { key: key.clone(), content: Some(content) };
                // The newest: a person closed exactly this, and it is not opened again until there is something else to say.
                if let Some(request) = mine.first().filter(|request| request.state == "closed" && standing(request).as_ref() == Some(&said)) {
                    return Ok(Proposed::Declined(place.mr(request.iid)));
                }
                let name = format!("refs/heads/{}", place.project.branch);
                let merged = |tip: &CommitId| place.mirror.standing(&name, tip).ok().flatten().is_some_and(|standing| standing.held);
                if tip.as_ref().is_some_and(|tip| stands.is_none() && !merged(tip)) {
                    return Err(NetError::new(ForgeErrorKind::Conflict, format!("`{branch}` holds somebody's commits; rename that branch, it is the server's own")));
                }
            }
        }
        let made = place.mirror.commit(proposal, self.bot().await?, self.now()).await?;
        place.mirror.push(branch, &made, tip.as_ref()).await?;
        let description = Standing { key: key.clone(), content: Some(content) }.description();
        let said = match open {
            Some(request) => {
                let edit = json!({ "title": proposal.title, "description": description });
                self.api.send(Weight::Comment, Method::PUT, &place.request(request.iid, ""), &edit).await?
            }
            None => {
                let new =
                    json!({ "title": proposal.title, "description": description, "source_branch": branch, "target_branch": place.project.branch, "remove_source_branch": true });
                self.api.send(Weight::Comment, Method::POST, &place.path("/merge_requests"), &new).await?
            }
        };
        Ok(Proposed::Open(place.mr(said.json::<Request>()?.iid)))
    }

    pub(super) async fn withdrawn(&self, repo: &RepoId, key: &str, why: &str) -> Result<Option<MrId>, NetError> {
        let place = self.place(repo)?;
        let bot = self.bot().await?;
        let path = place.path(format!("/merge_requests?state=opened&scope=all&author_username={}&per_page=100", encoded(bot.as_str())));
        let open: Vec<Request> = self.api.pages(&path, PAGES).await?.0;
        let ours = open.into_iter().filter(|request| self.user(request.author.as_ref()) == *bot);
        let Some(request) = ours.into_iter().find(|request| standing(request).is_some_and(|standing| *standing.key == *key)) else { return Ok(None) };
        let tip = self.own_tip(place, key, &request.source_branch).await?;
        if tip.is_none_or(|tip| place.mirror.proposes(&tip, key).is_none()) {
            return Ok(None);
        }
        let mr = place.mr(request.iid);
        self.say_once(place, &mr, &told(why), why).await?;
        let edit = json!({ "state_event": "close", "description": Standing { key: key.into(), content: None }.description() });
        self.api.send(Weight::Comment, Method::PUT, &place.request(request.iid, ""), &edit).await?;
        Ok(Some(mr))
    }

    /// The tip of a branch of ours, in the mirror; `None`: there is no such branch.
    async fn own_tip(&self, place: &Place, key: &str, branch: &str) -> Result<Option<CommitId>, NetError> {
        let tip = self.branch(place, branch).await?;
        if let Some(at) = &tip {
            place.mirror.follow(&[Want { theirs: format!("refs/heads/{branch}"), ours: format!("refs/trueup/tips/{key}"), at: at.clone() }]).await?;
        }
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

fn standing(request: &Request) -> Option<Standing> {
    Standing::read(request.description.as_deref()?)
}
