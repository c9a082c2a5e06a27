//! Writing Gitea: the face made true, answers and news said once.

use super::{
    forge::{Gitea, Place},
    wire,
};
use crate::{
    core::{
        gate::MergeTicket,
        model::{MrId, RepoId, Time},
        review::{CommentId, Face, Label, Status, StatusState},
        run::MergeAnswer,
    },
    forges::net::{MOST_PAGES, NetError, Weight, furnish, replied, says, told, with_marker},
    ports::{ForgeError, ForgeErrorKind, ForgeWriter, Furnished, Fut, Proposal, Proposed, Reaction, Shown, Wish},
};
use reqwest::Method;
use serde_json::json;

/// The colour of our labels.
pub(super) const COLOUR: &str = "#2f6f9f";

impl ForgeWriter for Gitea {
    fn show<'a>(&'a self, mr: &'a MrId, face: &'a Face, last: &'a Shown) -> Fut<'a, Result<Shown, ForgeError>> {
        Box::pin(async move {
            let place = self.place(&mr.repo)?;
            // Gates and people look at statuses first.
            self.show_statuses(place, mr, face, last.comment).await?;
            if last.face.as_ref().map(|last| &last.labels) != Some(&face.labels) {
                self.show_labels(place, mr, face).await?;
            }
            // Somebody may have edited it since.
            let stands = place.known().talks.get(&mr.number).and_then(|talk| talk.sticky).is_none_or(|(_, said)| said == says(&face.comment));
            let same = stands && last.face.as_ref().is_some_and(|last| last.comment == face.comment);
            if let Some(comment) = last.comment {
                place.written.wrote(mr.number, comment, &face.comment);
            }
            let (comment, at) = match last.comment.filter(|_| same) {
                Some(comment) => (comment, last.at),
                None => self.show_comment(place, mr, face, last).await?,
            };
            place.written.wrote(mr.number, comment, &face.comment);
            place.known().talks.entry(mr.number).or_default().sticky = Some((comment.0, says(&face.comment)));
            Ok(Shown { face: Some(face.clone()), comment: Some(comment), at })
        })
    }

    fn reply<'a>(&'a self, mr: &'a MrId, to: CommentId, text: &'a str) -> Fut<'a, Result<(), ForgeError>> {
        Box::pin(async move { Ok(self.say_once(mr, &replied(to, text), text).await?) })
    }

    fn react<'a>(&'a self, mr: &'a MrId, to: CommentId, how: Reaction) -> Fut<'a, Result<(), ForgeError>> {
        Box::pin(async move {
            let content = match how {
                Reaction::Seen => "eyes",
                Reaction::Done => "+1",
                Reaction::Refused => "-1",
            };
            let path = format!("{}/issues/comments/{}/reactions", self.place(&mr.repo)?.api, to.0);
            Ok(self.client.send(Weight::Mark, Method::POST, &path, Some(&json!({ "content": content }))).await.map(drop)?)
        })
    }

    fn tell<'a>(&'a self, mr: &'a MrId, key: &'a str, text: &'a str) -> Fut<'a, Result<(), ForgeError>> {
        Box::pin(async move { Ok(self.say_once(mr, &told(key), text).await?) })
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

impl Gitea {
    /// Sets what differs from what stands there now; somebody else's word under a name of ours is replaced.
    async fn show_statuses(&self, place: &Place, mr: &MrId, face: &Face, comment: Option<CommentId>) -> Result<(), NetError> {
        let bot = self.bot().await?;
        let there = self.statuses(place, &face.head).await?;
        let at = comment.map(|comment| format!("#issuecomment-{}", comment.0)).unwrap_or_default();
        let link = format!("{}/pulls/{}{at}", place.page, mr.number);
        for Status { context, state, text } in &face.statuses {
            let stands =
                |found: &&wire::Status| found.context == **context && found.status == word(*state) && found.description == *text && self.whose(found.creator.as_ref()) == *bot;
            if there.iter().any(|found| stands(&found)) {
                continue;
            }
            let body = json!({ "context": context, "state": word(*state), "description": text, "target_url": link });
            self.client.send(Weight::Status, Method::POST, &format!("{}/statuses/{}", place.api, face.head), Some(&body)).await?;
        }
        Ok(())
    }

    /// Adds and takes away labels of ours; people's stay.
    async fn show_labels(&self, place: &Place, mr: &MrId, face: &Face) -> Result<(), NetError> {
        let there: Option<Vec<wire::Label>> = self.client.read_one(&format!("{}/labels", place.issue(mr.number))).await?;
        let there = there.unwrap_or_default();
        for label in there.iter().filter(|label| label.name.starts_with(Label::OURS) && !face.labels.iter().any(|wanted| *wanted.0 == *label.name)) {
            let path = format!("{}/labels/{}", place.issue(mr.number), label.id);
            match self.client.send(Weight::Status, Method::DELETE, &path, None).await {
                Ok(_) => {}
                // Somebody took it away already.
                Err(error) if matches!(error.kind, ForgeErrorKind::NotFound | ForgeErrorKind::Invalid) => {}
                Err(error) => return Err(error),
            }
        }
        let mut missing = Vec::new();
        for label in face.labels.iter().filter(|wanted| !there.iter().any(|label| *label.name == *wanted.0)) {
            missing.push(self.label(place, &label.0).await?);
        }
        if !missing.is_empty() {
            self.client.send(Weight::Status, Method::POST, &format!("{}/labels", place.issue(mr.number)), Some(&json!({ "labels": missing }))).await?;
        }
        Ok(())
    }

    /// The id of a label of ours; made where the repository has none.
    async fn label(&self, place: &Place, name: &str) -> Result<i64, NetError> {
        // Held over the making, so that two merge requests do not make it twice.
        let mut labels = place.labels.lock().await;
        if let Some(id) = labels.get(name) {
            return Ok(*id);
        }
        let (all, _) = self.client.pages::<wire::Label>(&format!("{}/labels?limit=50", place.api), MOST_PAGES).await?;
        labels.extend(all.into_iter().filter(|label| label.name.starts_with(Label::OURS)).map(|label| (label.name, label.id)));
        if let Some(id) = labels.get(name) {
            return Ok(*id);
        }
        let body = json!({ "name": name, "color": COLOUR, "description": "set by trueup" });
        let made: wire::Label = self.client.send(Weight::Status, Method::POST, &format!("{}/labels", place.api), Some(&body)).await?.json()?;
        labels.insert(name.to_owned(), made.id);
        Ok(made.id)
    }

    /// Makes the sticky comment say what it should; made anew where somebody deleted it.
    async fn show_comment(&self, place: &Place, mr: &MrId, face: &Face, last: &Shown) -> Result<(CommentId, Option<Time>), NetError> {
        let known = match last.comment {
            Some(CommentId(id)) => Some((id, None)),
            None => {
                let pull = self.pull(place, mr.number).await?;
                self.talk(place, &pull).await?.sticky.map(|(id, says)| (id, Some(says)))
            }
        };
        let body = json!({ "body": face.comment });
        if let Some((id, said)) = known {
            if said == Some(says(&face.comment)) {
                return Ok((CommentId(id), self.written_at(place, id).await?));
            }
            // Progress alone is the lightest; a phase that changed shows in the labels, too.
            let progress = last.face.as_ref().is_some_and(|last| last.labels == face.labels);
            let weight = if progress { Weight::Progress } else { Weight::Comment };
            match self.client.send(weight, Method::PATCH, &format!("{}/issues/comments/{id}", place.api), Some(&body)).await {
                Ok(edited) => return Ok((CommentId(id), edited.json::<wire::Comment>()?.written_at())),
                Err(error) if error.kind == ForgeErrorKind::NotFound => drop(place.known().talks.remove(&mr.number)),
                Err(error) => return Err(error),
            }
            // What was deleted is not found again; another of ours may be there.
            let pull = self.pull(place, mr.number).await?;
            if let Some((other, _)) = self.talk(place, &pull).await?.sticky.filter(|(other, _)| *other != id) {
                let path = format!("{}/issues/comments/{other}", place.api);
                let edited: wire::Comment = self.client.send(Weight::Comment, Method::PATCH, &path, Some(&body)).await?.json()?;
                return Ok((CommentId(other), edited.written_at()));
            }
        }
        let made: wire::Comment = self.client.send(Weight::Comment, Method::POST, &format!("{}/comments", place.issue(mr.number)), Some(&body)).await?.json()?;
        place.known().talks.entry(mr.number).or_default().sticky = Some((made.id, says(&face.comment)));
        Ok((CommentId(made.id), made.written_at()))
    }

    async fn written_at(&self, place: &Place, id: u64) -> Result<Option<Time>, NetError> {
        let comment: wire::Comment = self.client.read_one(&format!("{}/issues/comments/{id}", place.api)).await?;
        Ok(comment.written_at())
    }

    /// Comments, unless a comment of ours carries the mark already.
    pub(super) async fn say_once(&self, mr: &MrId, mark: &str, text: &str) -> Result<(), NetError> {
        let place = self.place(&mr.repo)?;
        let pull = self.pull(place, mr.number).await?;
        if self.talk(place, &pull).await?.said.contains(mark) {
            return Ok(());
        }
        let body = json!({ "body": with_marker(mark, text) });
        self.client.send(Weight::Comment, Method::POST, &format!("{}/comments", place.issue(mr.number)), Some(&body)).await?;
        place.known().talks.entry(mr.number).or_default().said.insert(mark.to_owned());
        Ok(())
    }
}

fn word(state: StatusState) -> &'static str {
    match state {
        StatusState::Pending => "pending",
        StatusState::Success => "success",
        StatusState::Failure => "failure",
    }
}
