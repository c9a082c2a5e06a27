//! One pull request whole.

use super::{
    forge::{GitHub, Place},
    propose::standing as standing_of,
    wire::{self, Pull},
};
use crate::{
    core::{
        model::{CommitId, MrId, User},
        review::{Comment, CommentId, MrState, Right, Sighting},
    },
    forges::net::{NetError, dependencies},
};
use std::collections::BTreeMap;

/// Pages of comments: a request with more than this is a place to talk and no change.
pub const COMMENTS: usize = 50;

impl GitHub {
    pub(super) async fn pull(&self, place: &Place, number: u64) -> Result<Pull, NetError> {
        self.api.get(&place.path(format!("/pulls/{number}"))).await
    }

    pub(super) async fn comments(&self, place: &Place, number: u64) -> Result<Vec<wire::Comment>, NetError> {
        self.api.whole(&place.path(format!("/issues/{number}/comments?per_page=100")), COMMENTS).await
    }

    pub(super) async fn sight(&self, mr: &MrId, since: Option<CommentId>) -> Result<Sighting, NetError> {
        let place = self.place(&mr.repo)?;
        let bot = self.bot().await?.clone();
        let pull = self.pull(place, mr.number).await?;
        let head = CommitId::new(pull.head.sha.clone());
        let base = self.tip(place, &pull.base.name).await?;
        place.follow(&pull.base.name, &base, Some((mr, &head))).await?;
        let standing = place.mirror.standing(&format!("refs/heads/{}", pull.base.name), &head)?;
        let events = self.events(place, mr.number).await?;
        let author = self.user(pull.user.as_ref());
        let mut pushers = self.pushers(place, &pull, &events, standing.map(|standing| standing.authors).unwrap_or_default()).await?;
        let proposed = standing_of(&pull).filter(|_| author == bot);
        pushers.extend(place.mirror.asked_by(&head));
        let reviews = self.reviews(&mr.repo, place, mr.number, &head).await?;
        let open_threads = if pull.review_comments > 0 { self.open_threads(place, mr.number).await? } else { 0 };
        // Whoever can write the fork can put commits under a member's name.
        let from_here = pull.head.repo.as_ref().is_some_and(|repo| repo.full_name.eq_ignore_ascii_case(&place.project.path));
        let author_trusted = author == bot || from_here && self.may_write(&mr.repo, &author).await?;
        Ok(Sighting {
            mr: mr.clone(),
            state: self.state(place, &pull),
            draft: pull.draft,
            title: pull.title.clone(),
            checks: self.checks(place, &head, &pushers).await?,
            incident: self.incident(&mr.repo, &pull, &events).await?,
            depends_on: dependencies(self, mr, pull.body.as_deref().unwrap_or_default()).await?,
            brings: None,
            comments: self.fresh(mr, place, since, &bot).await?,
            author,
            pushers,
            source_branch: pull.head.name.clone().into(),
            base_branch: pull.base.name.clone().into(),
            head,
            base,
            author_trusted,
            proposed: proposed.map(|proposed| proposed.key),
            reviews: reviews.approved,
            // Whoever asked for changes is waited for as for an open thread.
            unresolved_threads: open_threads + reviews.against,
        })
    }

    /// What a request is to us: one that aims at another branch than the governed one is as good as closed.
    pub(super) fn state(&self, place: &Place, pull: &Pull) -> MrState {
        let here = pull.base.name == *place.project.branch;
        match (pull.is_open(), &pull.merged_at, &pull.merge_commit_sha) {
            (true, _, _) if here => MrState::Open,
            (false, Some(_), Some(commit)) if here => MrState::Merged { commit: CommitId::new(commit.clone()), by: self.user(pull.merged_by.as_ref()), with: None },
            (true | false, _, _) => MrState::Closed,
        }
    }

    /// Comments of others after `since`. What was edited since it was written is nobody's word: whoever may write here can edit anybody's.
    async fn fresh(&self, mr: &MrId, place: &Place, since: Option<CommentId>, bot: &User) -> Result<Vec<Comment>, NetError> {
        let after = since.map_or(0, |since| since.0);
        if after == u64::MAX {
            return Ok(Vec::new());
        }
        let mut rights: BTreeMap<User, Right> = BTreeMap::new();
        let mut found = Vec::new();
        for comment in self.comments(place, mr.number).await? {
            let by = self.user(comment.user.as_ref());
            if comment.id <= after || by == *bot || comment.updated_at != comment.created_at {
                continue;
            }
            let right = match rights.get(&by) {
                Some(right) => *right,
                None => self.right_of(&mr.repo, &by).await?,
            };
            rights.insert(by.clone(), right);
            found.push(Comment { id: CommentId(comment.id), by, right, body: comment.body.unwrap_or_default(), at: comment.created_at });
        }
        found.sort_by_key(|comment| comment.id);
        Ok(found)
    }
}
