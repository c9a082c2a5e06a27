//! One pull request whole.

use super::{
    forge::{GitHub, Place},
    propose::note,
    wire::{self, Pull},
};
use crate::{
    core::{
        model::{CommitId, MrId, User},
        review::{Comment, CommentId, MrState, Right, Sighting, command},
    },
    forges::{
        net::{Fresh, NetError, Unread, dependencies, only_ours},
        with::with_whom,
    },
    ports::Stand,
};
use std::collections::BTreeMap;

/// Comments: a request with more than this is a place to talk and no change.
const COMMENTS: usize = 5000;

impl GitHub {
    pub(super) async fn pull(&self, place: &Place, number: u64) -> Result<Pull, NetError> {
        place.api.get(&place.path(format!("/pulls/{number}"))).await
    }

    /// The comments, oldest first, and whether those are all.
    pub(super) async fn comments(&self, place: &Place, number: u64) -> Result<(Vec<wire::Comment>, bool), NetError> {
        place.api.long(&place.path(format!("/issues/{number}/comments?")), COMMENTS).await
    }

    pub(super) async fn sight(&self, mr: &MrId, since: Option<CommentId>) -> Result<Sighting, NetError> {
        let place = self.place(&mr.repo)?;
        let bot = self.bot().await?.clone();
        let pull = self.pull(place, mr.number).await?;
        let head = CommitId::new(pull.head.sha.clone());
        let base = self.tip(place, &pull.base.name).await?;
        place.follow(&pull.base.name, &base, Some((mr, &head))).await?;
        let standing = place.mirror.standing(&format!("refs/heads/{}", pull.base.name), &head)?;
        let mut unread = Unread::default();
        let events = unread.part(self.events(place, mr.number).await)?;
        let author = self.user(pull.user.as_ref());
        let authors = standing.as_ref().map(|standing| standing.authors.clone()).unwrap_or_default();
        let mut pushers = self.pushers(place, &pull, &events, authors, &mut unread).await?;
        let proposed = note(&pull).filter(|_| author == bot);
        let own_head = proposed.is_some() && only_ours(&pushers, &bot);
        pushers.extend(standing.iter().flat_map(|standing| place.mirror.asked_by(standing)));
        if let Stand::Newer(from) = place.project.branch.stand(&pull.base.name) {
            pushers.extend(self.made(place, &from, (&pull, &base), &mut unread).await?);
        }
        let reviews = unread.part(self.reviews(&mr.repo, place, mr.number, &head).await)?;
        let open_threads = if pull.review_comments > 0 { unread.part(self.open_threads(place, mr.number).await)? } else { 0 };
        let (checks, in_our_name) = unread.part(self.checks(place, &head, &pushers).await)?;
        let incident = unread.part(self.incident(&mr.repo, &pull, &events).await)?;
        let is_behind = pull.is_open() && standing.as_ref().is_some_and(|standing| standing.behind);
        let behind = if is_behind { unread.part(self.only_newest(place, &pull).await)? } else { None };
        let depends_on = unread.part(dependencies(self, mr, pull.body.as_deref().unwrap_or_default()).await)?;
        let comments = self.fresh(mr, place, since, &bot, &mut unread).await?;
        // Whoever can write the fork can put commits under a member's name.
        let from_here = pull.head.repo.as_ref().is_some_and(|repo| repo.full_name.eq_ignore_ascii_case(&place.project.path));
        let author_trusted = author == bot || from_here && self.may_write(&mr.repo, &author).await?;
        Ok(Sighting {
            mr: mr.clone(),
            state: with_whom(place.mirror.git(), mr, self.state(place, &pull), &bot, &base, &head)?,
            draft: pull.draft,
            title: pull.title.clone(),
            checks,
            incident,
            depends_on,
            brings: None,
            teams: Default::default(),
            comments: comments.said,
            edited: comments.edited,
            altered: comments.altered.or(in_our_name),
            author,
            pushers,
            source_branch: pull.head.name.clone().into(),
            base_branch: pull.base.name.clone().into(),
            head,
            base,
            author_trusted,
            proposed: proposed.map(|proposed| proposed.key),
            own_head,
            unread: unread.list(),
            reviews: reviews.approved,
            // Whoever asked for changes is waited for as for an open thread.
            unresolved_threads: open_threads + reviews.against,
            behind,
        })
    }

    /// What a request is to us: one that aims at another branch than the governed one is as good as closed.
    pub(super) fn state(&self, place: &Place, pull: &Pull) -> MrState {
        let here = place.governs(&pull.base.name);
        match (pull.is_open(), &pull.merged_at, &pull.merge_commit_sha) {
            (true, _, _) if here => MrState::Open,
            (false, Some(_), Some(commit)) if here => MrState::Merged { commit: CommitId::new(commit.clone()), by: self.user(pull.merged_by.as_ref()), with: None },
            (true | false, _, _) => MrState::Closed,
        }
    }

    /// Comments of others after `since`. What was edited since it was written is nobody's word: whoever may write here can edit anybody's.
    async fn fresh(&self, mr: &MrId, place: &Place, since: Option<CommentId>, bot: &User, unread: &mut Unread) -> Result<Fresh, NetError> {
        let after = since.map_or(0, |since| since.0);
        let mut fresh = Fresh::default();
        if after == u64::MAX {
            return Ok(fresh);
        }
        let (mut rights, mut commands): (BTreeMap<User, Right>, _) = (BTreeMap::new(), Vec::new());
        for comment in unread.talk(self.comments(place, mr.number).await)? {
            let (by, body) = (self.user(comment.user.as_ref()), comment.body.unwrap_or_default());
            if by == *bot {
                fresh.ours(&place.written, mr.number, comment.id, &body);
                continue;
            }
            if comment.updated_at != comment.created_at {
                fresh.edited(comment.id, &body);
                continue;
            }
            if comment.id <= after {
                continue;
            }
            let right = match rights.get(&by) {
                Some(right) => *right,
                None => self.right_of(&mr.repo, &by).await?,
            };
            rights.insert(by.clone(), right);
            if !command::parse(&body).is_empty() {
                commands.push((CommentId(comment.id), comment.node_id));
            }
            fresh.said.push(Comment { id: CommentId(comment.id), by, right, body, at: comment.created_at });
        }
        fresh.said.sort_by_key(|comment| comment.id);
        // Seconds tell no edit within the one in which it was written, and whoever may write here can be that quick.
        let asked: Vec<&str> = commands.iter().map(|(_, node)| &**node).collect();
        let edited = match unread.part(self.edited(place, &asked).await.map(Some))? {
            Some(edited) => edited,
            None => {
                // None is handed on, so that none is passed over.
                fresh.said.clear();
                return Ok(fresh);
            }
        };
        for id in commands.iter().filter(|(_, node)| edited.contains(node)).map(|(id, _)| *id) {
            fresh.said.retain(|comment| comment.id != id);
            fresh.edited.push(id);
        }
        Ok(fresh)
    }
}
