//! Pull requests of our own: found by their branch, known by their commit.

use super::{
    api::encoded_path,
    forge::{GitHub, Place},
    wire::{Pull, Reference},
};
use crate::{
    core::model::{CommitId, MrId, RepoId},
    forges::net::{Mine, NetError, ProposalNote, Weight, encoded, told},
    ports::{Proposal, Proposed},
};
use reqwest::Method;
use serde_json::json;

/// Pages of open requests searched for ours.
const PAGES: usize = 20;

impl GitHub {
    pub(super) async fn proposed(&self, proposal: &Proposal) -> Result<Proposed, NetError> {
        let Proposal { repo, key, branch, .. } = proposal;
        let place = self.place(repo)?;
        let bot = self.bot().await?;
        let tip = self.own_tip(place, key, branch).await?;
        let all = self.on_branch(place, branch).await?;
        let open = all.iter().find(|pull| pull.is_open());
        let closed = all.first().filter(|pull| !pull.is_open() && pull.merged_at.is_none()).and_then(|pull| Some((pull.number, note(pull)?)));
        let mine = Mine { open: open.map(|pull| pull.number), closed };
        if let Some(stands) = place.mirror.stands(proposal, bot, &format!("refs/heads/{}", place.project.branch), tip.as_ref(), &mine)? {
            return Ok(stands);
        }
        let made = place.mirror.propose(proposal, bot, self.clock.now(), tip.as_ref()).await?;
        let body = ProposalNote::of(proposal).description();
        match open {
            Some(pull) => {
                let edit = json!({ "title": proposal.title, "body": body });
                place.api.send(Weight::Comment, Method::PATCH, &place.path(format!("/pulls/{}", pull.number)), &edit).await?;
                Ok(Proposed::Open(place.mr(pull.number)))
            }
            None => {
                let new = json!({ "title": proposal.title, "body": body, "head": branch, "base": place.project.branch.said() });
                let opened: Pull = place.api.send(Weight::Comment, Method::POST, &place.path("/pulls"), &new).await?.json()?;
                let mr = place.mr(opened.number);
                // Who pushed in between has made it theirs.
                Ok(if opened.head.sha == made.as_str() { Proposed::Open(mr) } else { Proposed::Taken(mr) })
            }
        }
    }

    pub(super) async fn withdrawn(&self, repo: &RepoId, key: &str, why: &str) -> Result<Option<MrId>, NetError> {
        let place = self.place(repo)?;
        let bot = self.bot().await?;
        let open: Vec<Pull> = place.api.whole(&place.path("/pulls?state=open&per_page=100"), PAGES).await?;
        let ours = open.into_iter().filter(|pull| self.user(pull.user.as_ref()) == *bot);
        let Some(pull) = ours.into_iter().find(|pull| note(pull).is_some_and(|note| *note.key == *key)) else { return Ok(None) };
        let tip = self.own_tip(place, key, &pull.head.name).await?;
        // Somebody pushed to it, and so made it theirs.
        if !place.mirror.is_ours(key, tip.as_ref(), bot) {
            return Ok(None);
        }
        let mr = place.mr(pull.number);
        self.say_once(place, &mr, &told(why), why).await?;
        let edit = json!({ "body": ProposalNote::withdrawn(key).description(), "state": "closed" });
        place.api.send(Weight::Comment, Method::PATCH, &place.path(format!("/pulls/{}", pull.number)), &edit).await?;
        Ok(Some(mr))
    }

    /// The tip of a branch of ours, in the mirror; `None`: there is no such branch.
    async fn own_tip(&self, place: &Place, key: &str, branch: &str) -> Result<Option<CommitId>, NetError> {
        let found: Option<Reference> = place.api.find(&place.path(format!("/git/ref/heads/{}", encoded_path(branch)))).await?;
        let tip = found.map(|found| CommitId::new(found.object.sha));
        place.mirror.fetch_proposal(key, branch, tip.as_ref()).await?;
        Ok(tip)
    }

    /// Our own requests from a branch of the repository itself, newest first.
    async fn on_branch(&self, place: &Place, branch: &str) -> Result<Vec<Pull>, NetError> {
        let owner = place.project.path.split('/').next().unwrap_or_default();
        let asked = format!("/pulls?state=all&head={}&sort=created&direction=desc&per_page=50", encoded(&format!("{owner}:{branch}")));
        let all: Vec<Pull> = place.api.get(&place.path(asked)).await?;
        let bot = self.bot().await?;
        let here = |pull: &Pull| pull.head.repo.as_ref().is_some_and(|repo| repo.full_name.eq_ignore_ascii_case(&place.project.path));
        Ok(all.into_iter().filter(|pull| self.user(pull.user.as_ref()) == *bot && here(pull)).collect())
    }
}

/// What a description of ours says.
pub(super) fn note(pull: &Pull) -> Option<ProposalNote> {
    ProposalNote::read(pull.body.as_deref()?)
}
