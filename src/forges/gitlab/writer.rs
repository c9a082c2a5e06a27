//! Writing GitLab: the face made true, and what is said once.

use super::{
    forge::{GitLab, Place},
    wire::Note,
};
use crate::{
    core::{
        gate::MergeTicket,
        model::{MrId, RepoId, Time},
        review::{CommentId, Face, Label, StatusState},
        run::MergeAnswer,
    },
    forges::net::{Marked, NetError, Weight, furnish, marked, replied, shown, told, too_much_talk, with_marker},
    ports::{ForgeError, ForgeErrorKind, ForgeWriter, Furnished, Fut, Proposal, Proposed, Reaction, Shown, Wish},
};
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeSet;

/// How GitLab says that a status cannot become what it is.
const TRANSITION: &str = "Cannot transition status";

/// A longer description of a status is refused.
const DESCRIPTION: usize = 140;

impl ForgeWriter for GitLab {
    fn show<'a>(&'a self, mr: &'a MrId, face: &'a Face, last: &'a Shown) -> Fut<'a, Result<Shown, ForgeError>> {
        Box::pin(async move {
            let place = self.place(&mr.repo)?;
            let before = last.face.as_ref();
            // Read each time, whatever was shown last: another account may have spoken in our name since.
            self.show_statuses(mr, place, face).await?;
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
            let name = match how {
                Reaction::Seen => "eyes",
                Reaction::Done => "thumbsup",
                Reaction::Refused => "thumbsdown",
            };
            let path = self.place(&mr.repo)?.request(mr.number, format!("/notes/{}/award_emoji", to.0));
            match self.api.send(Weight::Mark, Method::POST, &path, &json!({ "name": name })).await {
                // GitLab's answer to the same again.
                Err(error) if error.message.contains("already been taken") => Ok(()),
                marked => Ok(marked.map(drop)?),
            }
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

impl GitLab {
    /// Sets the statuses that differ from what is there.
    async fn show_statuses(&self, mr: &MrId, place: &Place, face: &Face) -> Result<(), NetError> {
        let bot = self.bot().await?;
        let there = self.statuses(place, &face.head).await?;
        for status in &face.statuses {
            let state = match status.state {
                StatusState::Pending => "pending",
                StatusState::Success => "success",
                StatusState::Failure => "failed",
            };
            let text: String = status.text.chars().take(DESCRIPTION).collect();
            let known = there.iter().find(|known| *known.name == *status.context);
            let mine = known.filter(|known| known.status == state && self.user(known.author.as_ref()) == *bot);
            if mine.is_some_and(|known| known.description.as_deref() == Some(&*text)) {
                continue;
            }
            let link = format!("{}/-/merge_requests/{}", place.project.page, mr.number);
            let body = json!({ "state": state, "name": status.context, "description": text, "target_url": link });
            let path = place.path(format!("/statuses/{}", face.head));
            match self.api.send(Weight::Status, Method::POST, &path, &body).await {
                // It is in that state already: GitLab keeps the text of the first.
                Err(error) if error.message.contains(TRANSITION) && mine.is_some() => {}
                // One of ours is in that state below somebody else's: that one ends, and another begins above.
                Err(error) if error.message.contains(TRANSITION) => {
                    self.api.send(Weight::Status, Method::POST, &path, &json!({ "state": "canceled", "name": status.context })).await?;
                    self.api.send(Weight::Status, Method::POST, &path, &body).await?;
                }
                sent => drop(sent?),
            }
        }
        Ok(())
    }

    /// Sets our labels, and takes away those of ours that are not wanted any more, in one go.
    async fn show_labels(&self, mr: &MrId, place: &Place, face: &Face) -> Result<(), NetError> {
        let request = self.request(place, mr.number).await?;
        let wanted: BTreeSet<&str> = face.labels.iter().map(|label| &*label.0).collect();
        let there: BTreeSet<&str> = request.labels.iter().map(String::as_str).collect();
        let new: Vec<&str> = wanted.difference(&there).copied().collect();
        let old: Vec<&str> = there.difference(&wanted).copied().filter(|label| label.starts_with(Label::OURS)).collect();
        if new.is_empty() && old.is_empty() {
            return Ok(());
        }
        let edit = json!({ "add_labels": new.join(","), "remove_labels": old.join(",") });
        self.api.send(Weight::Status, Method::PUT, &place.request(mr.number, ""), &edit).await.map(drop)
    }

    /// Makes the sticky comment say what the face says; made again where somebody deleted it.
    async fn show_comment(&self, mr: &MrId, place: &Place, face: &Face, last: &Shown, progress: bool) -> Result<(CommentId, Time), NetError> {
        let known: Option<Note> = match last.comment {
            Some(id) => self.api.find(&place.request(mr.number, format!("/notes/{}", id.0))).await?,
            None => None,
        };
        let known = match known {
            Some(known) => Some(known),
            // Looked for among all, so that one whose answer was lost is not made twice.
            None => self.ours(place, mr, &Marked::Sticky).await?,
        };
        let body = json!({ "body": face.comment });
        match known {
            Some(known) if known.body == face.comment => Ok((CommentId(known.id), known.updated_at)),
            Some(known) => {
                let weight = if progress { Weight::Progress } else { Weight::Comment };
                let edited: Note = self.api.send(weight, Method::PUT, &place.request(mr.number, format!("/notes/{}", known.id)), &body).await?.json()?;
                Ok((CommentId(known.id), edited.updated_at))
            }
            None => {
                let made: Note = self.api.send(Weight::Comment, Method::POST, &place.request(mr.number, "/notes"), &body).await?.json()?;
                Ok((CommentId(made.id), made.updated_at))
            }
        }
    }

    /// The first comment of our own account with a mark; anybody else's with it means nothing.
    async fn ours(&self, place: &Place, mr: &MrId, mark: &Marked) -> Result<Option<Note>, NetError> {
        let bot = self.bot().await?;
        let is = |note: &Note| !note.system && self.user(note.author.as_ref()) == *bot && marked(&note.body).as_ref() == Some(mark);
        let (all, whole) = self.notes(place, mr.number).await?;
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
        self.api.send(Weight::Comment, Method::POST, &place.request(mr.number, "/notes"), &json!({ "body": with_marker(mark, text) })).await.map(drop)
    }
}
