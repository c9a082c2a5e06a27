//! Pull requests of our own: found by their branch, known by their commit.

use super::{
    api::encoded_path,
    forge::{GitHub, Place},
    wire::{Pull, Reference},
};
use crate::{
    core::model::{CommitId, MrId, RepoId},
    forges::net::{NetError, Standing, Want, Weight, encoded, told},
    ports::{ForgeErrorKind, Proposal, Proposed},
};
use reqwest::Method;
use serde_json::json;

/// Pages of open requests searched for ours.
const PAGES: usize = 20;

impl GitHub {
    pub(super) async fn proposed(&self, proposal: &Proposal) -> Result<Proposed, NetError> {
        let Proposal { repo, key, branch, .. } = proposal;
        let place = self.place(repo)?;
        let content = proposal.content();
        let tip = self.own_tip(place, key, branch).await?;
        let stands = tip.as_ref().and_then(|tip| place.mirror.proposes(tip, key));
        let mine = self.on_branch(place, branch).await?;
        let open = mine.iter().find(|pull| pull.is_open());
        match (open, &stands) {
            (Some(pull), None) => return Ok(Proposed::Taken(place.mr(pull.number))),
            (Some(pull), Some(stands)) if *stands == content => return Ok(Proposed::Open(place.mr(pull.number))),
            (Some(_), Some(_)) => {}
            (None, _) => {
                let said = Standing { key: key.clone(), content: Some(content) };
                // The newest: a person closed exactly this, and it is not opened again until there is something else to say.
                if let Some(pull) = mine.first().filter(|pull| pull.merged_at.is_none() && standing(pull).as_ref() == Some(&said)) {
                    return Ok(Proposed::Declined(place.mr(pull.number)));
                }
                let name = format!("refs/heads/{}", place.project.branch);
                let merged = |tip: &CommitId| place.mirror.standing(&name, tip).ok().flatten().is_some_and(|standing| standing.held);
                if tip.as_ref().is_some_and(|tip| stands.is_none() && !merged(tip)) {
                    return Err(NetError::new(ForgeErrorKind::Conflict, format!("`{branch}` holds somebody's commits; rename that branch, it is the server's own")));
                }
            }
        }
        let made = place.mirror.commit(proposal, self.bot().await?, self.clock.now()).await?;
        place.mirror.push(branch, &made, tip.as_ref()).await?;
        let body = Standing { key: key.clone(), content: Some(content) }.description();
        let said = match open {
            Some(pull) => {
                let edit = json!({ "title": proposal.title, "body": body });
                self.api.send(Weight::Comment, Method::PATCH, &place.path(format!("/pulls/{}", pull.number)), &edit).await?
            }
            None => {
                let new = json!({ "title": proposal.title, "body": body, "head": branch, "base": place.project.branch });
                self.api.send(Weight::Comment, Method::POST, &place.path("/pulls"), &new).await?
            }
        };
        Ok(Proposed::Open(place.mr(said.json::<Pull>()?.number)))
    }

    pub(super) async fn withdrawn(&self, repo: &RepoId, key: &str, why: &str) -> Result<Option<MrId>, NetError> {
        let place = self.place(repo)?;
        let bot = self.bot().await?;
        let open: Vec<Pull> = self.api.whole(&place.path("/pulls?state=open&per_page=100"), PAGES).await?;
        let ours = open.into_iter().filter(|pull| self.user(pull.user.as_ref()) == *bot);
        let Some(pull) = ours.into_iter().find(|pull| standing(pull).is_some_and(|standing| *standing.key == *key)) else { return Ok(None) };
        let tip = self.own_tip(place, key, &pull.head.name).await?;
        // Somebody pushed to it, and so made it theirs.
        if tip.is_none_or(|tip| place.mirror.proposes(&tip, key).is_none()) {
            return Ok(None);
        }
        let mr = place.mr(pull.number);
        self.say_once(place, &mr, &told(why), why).await?;
        let edit = json!({ "body": Standing { key: key.into(), content: None }.description(), "state": "closed" });
        self.api.send(Weight::Comment, Method::PATCH, &place.path(format!("/pulls/{}", pull.number)), &edit).await?;
        Ok(Some(mr))
    }

    /// The tip of a branch of ours, in the mirror; `None`: there is no such branch.
    async fn own_tip(&self, place: &Place, key: &str, branch: &str) -> Result<Option<CommitId>, NetError> {
        let found: Option<Reference> = self.api.find(&place.path(format!("/git/ref/heads/{}", encoded_path(branch)))).await?;
        let tip = found.map(|found| CommitId::new(found.object.sha));
        if let Some(at) = &tip {
            place.mirror.follow(&[Want { theirs: format!("refs/heads/{branch}"), ours: format!("refs/trueup/tips/{key}"), at: at.clone() }]).await?;
        }
        Ok(tip)
    }

    /// Our own requests from a branch of the repository itself, newest first.
    async fn on_branch(&self, place: &Place, branch: &str) -> Result<Vec<Pull>, NetError> {
        let owner = place.project.path.split('/').next().unwrap_or_default();
        let asked = format!("/pulls?state=all&head={}&sort=created&direction=desc&per_page=50", encoded(&format!("{owner}:{branch}")));
        let all: Vec<Pull> = self.api.get(&place.path(asked)).await?;
        let bot = self.bot().await?;
        let here = |pull: &Pull| pull.head.repo.as_ref().is_some_and(|repo| repo.full_name.eq_ignore_ascii_case(&place.project.path));
        Ok(all.into_iter().filter(|pull| self.user(pull.user.as_ref()) == *bot && here(pull)).collect())
    }
}

/// What a description of ours says.
pub(super) fn standing(pull: &Pull) -> Option<Standing> {
    Standing::read(pull.body.as_deref()?)
}
