//! Merge requests of the server's own on Gitea: found by their branch, known by their commit.

use super::{
    forge::{Gitea, Place, commit},
    wire::{BranchTip, Pull},
};
use crate::{
    core::model::{CommitId, MrId, RepoId, Str},
    forges::net::{Mine, NetError, ProposalNote, Weight, encoded, told},
    ports::{ForgeErrorKind, Proposal, Proposed},
};
use reqwest::Method;
use serde_json::json;

/// The key that a description of ours names.
pub(super) fn key_of(description: &str) -> Option<Str> {
    ProposalNote::read(description).map(|note| note.key)
}

impl Gitea {
    pub(super) async fn proposed(&self, proposal: &Proposal) -> Result<Proposed, NetError> {
        let Proposal { repo, key, branch, .. } = proposal;
        let place = self.place(repo)?;
        let bot = self.bot().await?;
        let tip = self.tip(place, key, branch).await?;
        let open = self.open_from(place, branch).await?;
        let id = |number| MrId { repo: repo.clone(), number };
        let closed = if open.is_none() { self.closed(place, branch).await? } else { None };
        let mine = Mine { open: open.as_ref().map(|pull| pull.number), closed };
        if let Some(stands) = place.mirror.stands(proposal, bot, &place.base_ref(), tip.as_ref(), &mine)? {
            return Ok(stands);
        }
        let made = place.mirror.propose(proposal, bot, self.clock.now(), tip.as_ref()).await?;
        let body = ProposalNote::of(proposal).description();
        match &open {
            Some(pull) => {
                let edit = json!({ "title": proposal.title, "body": body });
                self.client.send(Weight::Comment, Method::PATCH, &place.pull(pull.number), Some(&edit)).await?;
                Ok(Proposed::Open(id(pull.number)))
            }
            None => {
                let new = json!({ "title": proposal.title, "body": body, "head": branch, "base": place.branch.said() });
                let opened: Pull = self.client.send(Weight::Comment, Method::POST, &format!("{}/pulls", place.api), Some(&new)).await?.json()?;
                let mr = id(opened.number);
                // Who pushed in between has made it theirs.
                Ok(if opened.head.sha == made.as_str() { Proposed::Open(mr) } else { Proposed::Taken(mr) })
            }
        }
    }

    pub(super) async fn withdrawn(&self, repo: &RepoId, key: &str, why: &str) -> Result<Option<MrId>, NetError> {
        let place = self.place(repo)?;
        let bot = self.bot().await?;
        let open = self.client.pages::<Pull>(&format!("{}/pulls?state=open&poster={}&limit=50", place.api, encoded(bot.as_str())), 4).await?.0;
        let ours = open.into_iter().filter(|pull| self.whose(pull.user.as_ref()) == *bot);
        let Some(pull) = ours.into_iter().find(|pull| key_of(&pull.body).as_deref() == Some(key)) else { return Ok(None) };
        let tip = self.tip(place, key, &pull.head.label).await?;
        if !place.mirror.is_ours(key, tip.as_ref(), bot) {
            return Ok(None);
        }
        let mr = MrId { repo: repo.clone(), number: pull.number };
        self.say_once(&mr, &told(why), why).await?;
        let body = json!({ "state": "closed", "body": ProposalNote::withdrawn(key).description() });
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
        place.mirror.fetch_proposal(key, branch, tip.as_ref()).await?;
        Ok(tip)
    }

    /// Our own open merge request from a branch.
    async fn open_from(&self, place: &Place, branch: &str) -> Result<Option<Pull>, NetError> {
        match self.client.read_one::<Pull>(&format!("{}/pulls/{}/{}", place.api, encoded(&place.branch.said()), encoded(branch))).await {
            Ok(pull) => Ok(Some(pull).filter(|pull| pull.state == "open")),
            Err(error) if error.kind == ForgeErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Our newest merge request from a branch, where a person closed it, with what it says.
    async fn closed(&self, place: &Place, branch: &str) -> Result<Option<(u64, ProposalNote)>, NetError> {
        let bot = self.bot().await?;
        let path = format!("{}/pulls?state=closed&sort=recentupdate&poster={}&limit=50", place.api, encoded(bot.as_str()));
        let closed: Vec<Pull> = self.client.read_one(&path).await?;
        let last = closed.into_iter().find(|pull| pull.head.label == branch && self.whose(pull.user.as_ref()) == *bot);
        Ok(last.filter(|pull| !pull.merged).and_then(|pull| Some((pull.number, ProposalNote::read(&pull.body)?))))
    }
}
