//! Merge requests of the server's own on Gitea: found by their branch, known by their commit.

use super::{
    forge::{Gitea, Place, commit},
    wire::{BranchTip, Pull},
};
use crate::{
    core::model::{CommitId, MrId, RepoId, Str},
    forges::net::{NetError, Standing, Want, Weight, encoded, told},
    ports::{ForgeErrorKind, Proposal, Proposed},
};
use reqwest::Method;
use serde_json::json;

/// The key that a description of ours names.
pub(super) fn key_of(description: &str) -> Option<Str> {
    Standing::read(description).map(|standing| standing.key)
}

impl Gitea {
    pub(super) async fn proposed(&self, proposal: &Proposal) -> Result<Proposed, NetError> {
        let Proposal { repo, key, branch, .. } = proposal;
        let place = self.place(repo)?;
        let content = proposal.content();
        let tip = self.tip(place, key, branch).await?;
        let stands = tip.as_ref().and_then(|tip| place.mirror.proposes(tip, key));
        let open = self.open_from(place, branch).await?;
        let id = |number| MrId { repo: repo.clone(), number };
        match (&open, &stands) {
            (Some(pull), None) => return Ok(Proposed::Taken(id(pull.number))),
            (Some(pull), Some(stands)) if *stands == content => return Ok(Proposed::Open(id(pull.number))),
            (Some(_), Some(_)) => {}
            (None, _) => {
                if let Some(declined) = self.declined(place, branch, &Standing { key: key.clone(), content: Some(content) }).await? {
                    return Ok(Proposed::Declined(id(declined)));
                }
                let merged = |tip: &CommitId| place.mirror.standing(&place.base_ref(), tip).ok().flatten().is_some_and(|standing| standing.held);
                if tip.as_ref().is_some_and(|tip| stands.is_none() && !merged(tip)) {
                    return Err(NetError::new(ForgeErrorKind::Conflict, format!("`{branch}` holds somebody's commits; rename that branch, it is the server's own")));
                }
            }
        }
        let made = place.mirror.commit(proposal, self.bot().await?, self.clock.now()).await?;
        place.mirror.push(branch, &made, tip.as_ref()).await?;
        let body = Standing { key: key.clone(), content: Some(content) }.description();
        let said = match &open {
            Some(pull) => {
                let edit = json!({ "title": proposal.title, "body": body });
                self.client.send(Weight::Comment, Method::PATCH, &place.pull(pull.number), Some(&edit)).await?
            }
            None => {
                let new = json!({ "title": proposal.title, "body": body, "head": branch, "base": place.branch });
                self.client.send(Weight::Comment, Method::POST, &format!("{}/pulls", place.api), Some(&new)).await?
            }
        };
        Ok(Proposed::Open(id(said.json::<Pull>()?.number)))
    }

    pub(super) async fn withdrawn(&self, repo: &RepoId, key: &str, why: &str) -> Result<Option<MrId>, NetError> {
        let place = self.place(repo)?;
        let bot = self.bot().await?;
        let open = self.client.pages::<Pull>(&format!("{}/pulls?state=open&poster={}&limit=50", place.api, encoded(bot.as_str())), 4).await?.0;
        let ours = open.into_iter().filter(|pull| self.whose(pull.user.as_ref()) == *bot);
        let Some(pull) = ours.into_iter().find(|pull| key_of(&pull.body).as_deref() == Some(key)) else { return Ok(None) };
        let tip = self.tip(place, key, &pull.head.label).await?;
        if tip.is_none_or(|tip| place.mirror.proposes(&tip, key).is_none()) {
            return Ok(None);
        }
        let mr = MrId { repo: repo.clone(), number: pull.number };
        self.say_once(&mr, &told(why), why).await?;
        let body = json!({ "state": "closed", "body": Standing { key: key.into(), content: None }.description() });
        self.client.send(Weight::Comment, Method::PATCH, &place.pull(pull.number), Some(&body)).await?;
        Ok(Some(mr))
    }

    /// The tip of a branch, in the mirror; `None`: there is no such branch.
    async fn tip(&self, place: &Place, key: &str, branch: &str) -> Result<Option<CommitId>, NetError> {
        let tip = match self.client.read_one::<BranchTip>(&format!("{}/branches/{}", place.api, encoded(branch))).await {
            Ok(tip) => commit(&tip.commit.id),
            Err(error) if error.kind == ForgeErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if let Some(at) = &tip {
            place.mirror.follow(&[Want { theirs: format!("refs/heads/{branch}"), ours: format!("refs/trueup/tips/{key}"), at: at.clone() }]).await?;
        }
        Ok(tip)
    }

    /// Our own open merge request from a branch.
    async fn open_from(&self, place: &Place, branch: &str) -> Result<Option<Pull>, NetError> {
        match self.client.read_one::<Pull>(&format!("{}/pulls/{}/{}", place.api, encoded(&place.branch), encoded(branch))).await {
            Ok(pull) => Ok(Some(pull).filter(|pull| pull.state == "open")),
            Err(error) if error.kind == ForgeErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The merge request with exactly this content that a person closed last.
    async fn declined(&self, place: &Place, branch: &str, standing: &Standing) -> Result<Option<u64>, NetError> {
        let bot = self.bot().await?;
        let path = format!("{}/pulls?state=closed&sort=recentupdate&poster={}&limit=50", place.api, encoded(bot.as_str()));
        let closed: Vec<Pull> = self.client.read_one(&path).await?;
        let last = closed.into_iter().find(|pull| pull.head.label == branch && self.whose(pull.user.as_ref()) == *bot);
        Ok(last.filter(|pull| !pull.merged && Standing::read(&pull.body).as_ref() == Some(standing)).map(|pull| pull.number))
    }
}
