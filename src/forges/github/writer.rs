//! Writing GitHub: the face made true, and what is said once.

use super::{
    forge::{GitHub, Place},
    wire,
};
use crate::{
    core::{
        gate::MergeTicket,
        model::{MrId, RepoId, Time},
        review::{CommentId, Face, Label, StatusState},
        run::MergeAnswer,
    },
    forges::net::{Marked, NetError, Weight, encoded, furnish, marked, replied, shown, told, too_much_talk, whole, with_marker},
    ports::{ForgeError, ForgeErrorKind, ForgeWriter, Furnished, Fut, Proposal, Proposed, Reaction, Shown, Wish},
};
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeSet;

/// GitHub cuts nothing: a longer description is refused.
pub(super) const DESCRIPTION: usize = 140;

/// Statuses of one name on one head after which the words of a pending one change no more: GitHub takes 1,000, and the last of them must be left for what it is in the end.
const TALK: usize = 200;

/// What a pending status says from then on.
const ELSEWHERE: &str = "under way: the comment says how far";

/// How GitHub says that a commit has had all the statuses of a name that it takes.
const FULL: &str = "maximum number of statuses";

impl ForgeWriter for GitHub {
    fn show<'a>(&'a self, mr: &'a MrId, face: &'a Face, last: &'a Shown) -> Fut<'a, Result<Shown, ForgeError>> {
        Box::pin(async move {
            let place = self.place(&mr.repo)?;
            let before = last.face.as_ref();
            // Read each time, whatever was shown last: another account may have spoken in our name since.
            let link = link(place, mr, last.comment);
            match self.door.app() {
                Some(app) => self.show_runs(app, mr, place, face, &link).await?,
                None => self.show_statuses(place, face, &link).await?,
            }
            self.show_labels(mr, place, face).await?;
            let progress = before.is_some_and(|before| face.goes_on(before));
            if let Some(comment) = last.comment {
                place.written.wrote(mr.number, comment, &face.comment);
            }
            let (comment, at) = self.show_comment(mr, place, face, last, progress).await?;
            place.written.wrote(mr.number, comment, &face.comment);
            shown("a run", self.show_deployments(mr, place, face, before).await)?;
            Ok(Shown { face: Some(face.clone()), comment: Some(comment), at: Some(at) })
        })
    }

    fn reply<'a>(&'a self, mr: &'a MrId, to: CommentId, text: &'a str) -> Fut<'a, Result<(), ForgeError>> {
        Box::pin(async move {
            let place = self.place(&mr.repo)?;
            Ok(self.say_once(place, mr, &replied(to, text), text).await?)
        })
    }

    fn react<'a>(&'a self, mr: &'a MrId, to: CommentId, how: Reaction) -> Fut<'a, Result<(), ForgeError>> {
        Box::pin(async move {
            let content = match how {
                Reaction::Seen => "eyes",
                Reaction::Done => "+1",
                Reaction::Refused => "-1",
            };
            let place = self.place(&mr.repo)?;
            let path = place.path(format!("/issues/comments/{}/reactions", to.0));
            Ok(place.api.send(Weight::Mark, Method::POST, &path, &json!({ "content": content })).await.map(drop)?)
        })
    }

    fn tell<'a>(&'a self, mr: &'a MrId, key: &'a str, text: &'a str) -> Fut<'a, Result<(), ForgeError>> {
        Box::pin(async move { Ok(self.say_once(self.place(&mr.repo)?, mr, &told(key), text).await?) })
    }

    fn propose<'a>(&'a self, proposal: &'a Proposal) -> Fut<'a, Result<Proposed, ForgeError>> {
        Box::pin(async move { Ok(self.proposed(proposal).await?) })
    }

    fn withdraw<'a>(&'a self, repo: &'a RepoId, key: &'a str, why: &'a str) -> Fut<'a, Result<Option<MrId>, ForgeError>> {
        Box::pin(async move { Ok(self.withdrawn(repo, key, why).await?) })
    }

    fn furnish<'a>(&'a self, repo: &'a RepoId, wish: &'a Wish, dry: bool) -> Fut<'a, Vec<Furnished>> {
        Box::pin(furnish(self, repo, wish, dry))
    }

    fn merge<'a>(&'a self, ticket: MergeTicket) -> Fut<'a, Result<MergeAnswer, ForgeError>> {
        Box::pin(async move { Ok(self.merge_ticket(&ticket).await?) })
    }
}

impl GitHub {
    /// Sets the statuses that differ from what is there.
    async fn show_statuses(&self, place: &Place, face: &Face, link: &str) -> Result<(), NetError> {
        let bot = self.bot().await?;
        let all = self.all_statuses(place, &face.head).await?;
        for status in &face.statuses {
            let state = match status.state {
                StatusState::Pending => "pending",
                StatusState::Success => "success",
                StatusState::Failure => "failure",
            };
            let mut there = all.iter().filter(|known| *known.context == *status.context);
            let newest = there.next();
            let text: String = match status.state {
                StatusState::Pending if there.count() >= TALK => ELSEWHERE.to_owned(),
                StatusState::Pending | StatusState::Success | StatusState::Failure => status.text.chars().take(DESCRIPTION).collect(),
            };
            // What somebody else set under our name is overruled.
            let is = |known: &wire::Status| known.state == state && known.description.as_deref() == Some(&*text) && self.user(known.creator.as_ref()) == *bot;
            if newest.is_some_and(is) {
                continue;
            }
            let body = json!({ "state": state, "context": status.context, "description": text, "target_url": link });
            match place.api.send(Weight::Status, Method::POST, &place.path(format!("/statuses/{}", face.head)), &body).await {
                // For good on this head: the comment and the other statuses are shown all the same.
                Err(error) if error.message.contains(FULL) => {
                    tracing::warn!(head = %face.head, "`{}` cannot become {state} on this head any more, push another commit: {error}", status.context);
                }
                sent => drop(sent?),
            }
        }
        Ok(())
    }

    /// Sets our labels, and takes away those of ours that are not wanted any more.
    async fn show_labels(&self, mr: &MrId, place: &Place, face: &Face) -> Result<(), NetError> {
        let pull = self.pull(place, mr.number).await?;
        let wanted: BTreeSet<&str> = face.labels.iter().map(|label| &*label.0).collect();
        let there: BTreeSet<&str> = pull.labels.iter().map(|label| &*label.name).collect();
        let labels = place.path(format!("/issues/{}/labels", mr.number));
        let new: Vec<&&str> = wanted.difference(&there).collect();
        if !new.is_empty() {
            place.api.send(Weight::Status, Method::POST, &labels, &json!({ "labels": new })).await?;
        }
        for old in there.difference(&wanted).filter(|label| label.starts_with(Label::OURS)) {
            place.api.delete(Weight::Status, &format!("{labels}/{}", encoded(old))).await?;
        }
        Ok(())
    }

    /// Makes the sticky comment say what the face says; made again where somebody deleted it.
    async fn show_comment(&self, mr: &MrId, place: &Place, face: &Face, last: &Shown, progress: bool) -> Result<(CommentId, Time), NetError> {
        let known: Option<wire::Comment> = match last.comment {
            Some(id) => place.api.find(&place.path(format!("/issues/comments/{}", id.0))).await?,
            None => None,
        };
        let known = match known {
            Some(known) => Some(known),
            // Looked for among all, so that one whose answer was lost is not made twice.
            None => self.sticky(place, mr).await?,
        };
        let body = json!({ "body": face.comment });
        match known {
            Some(known) if known.body.as_deref() == Some(&*face.comment) => Ok((CommentId(known.id), whole(known.updated_at))),
            Some(known) => {
                let weight = if progress { Weight::Progress } else { Weight::Comment };
                let edited: wire::Comment = place.api.send(weight, Method::PATCH, &place.path(format!("/issues/comments/{}", known.id)), &body).await?.json()?;
                Ok((CommentId(known.id), whole(edited.updated_at)))
            }
            None => {
                let made: wire::Comment = place.api.send(Weight::Comment, Method::POST, &place.path(format!("/issues/{}/comments", mr.number)), &body).await?.json()?;
                Ok((CommentId(made.id), whole(made.updated_at)))
            }
        }
    }

    async fn sticky(&self, place: &Place, mr: &MrId) -> Result<Option<wire::Comment>, NetError> {
        self.ours(place, mr, &Marked::Sticky).await
    }

    /// The first comment of our own account with a mark; anybody else's with it means nothing.
    async fn ours(&self, place: &Place, mr: &MrId, mark: &Marked) -> Result<Option<wire::Comment>, NetError> {
        let bot = self.bot().await?;
        let is = |comment: &wire::Comment| self.user(comment.user.as_ref()) == *bot && comment.body.as_deref().and_then(marked).as_ref() == Some(mark);
        let (all, whole) = self.comments(place, mr.number).await?;
        let read = all.len();
        match all.into_iter().find(is) {
            // It may be among those that were not read: nothing is said twice.
            None if !whole => Err(NetError::new(ForgeErrorKind::Invalid, too_much_talk(read))),
            found => Ok(found),
        }
    }

    /// Comments, unless a comment with this mark is there.
    pub(super) async fn say_once(&self, place: &Place, mr: &MrId, mark: &str, text: &str) -> Result<(), NetError> {
        if self.ours(place, mr, &Marked::Said(mark.to_owned())).await?.is_some() {
            return Ok(());
        }
        let body = json!({ "body": with_marker(mark, text) });
        place.api.send(Weight::Comment, Method::POST, &place.path(format!("/issues/{}/comments", mr.number)), &body).await.map(drop)
    }
}

/// Where a request's comment is, or will be.
fn link(place: &Place, mr: &MrId, comment: Option<CommentId>) -> String {
    let at = comment.map(|comment| format!("#issuecomment-{}", comment.0)).unwrap_or_default();
    format!("{}/pull/{}{at}", place.project.page, mr.number)
}
