//! Writing the local forge: the face made true, replies given once.

use super::{
    desk::next_comment,
    error::LocalError,
    forge::LocalForge,
    rows::{self, CommentBody, MrRow, Statuses},
};
use crate::{
    core::{
        gate::MergeTicket,
        model::{MrId, RepoId, Str, Time},
        review::{CommentId, Face},
        run::MergeAnswer,
    },
    ports::{ForgeError, ForgeWriter, Fut, Proposal, Proposed, Shown},
    stores::Batch,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

impl ForgeWriter for LocalForge {
    fn show<'a>(&'a self, mr: &'a MrId, face: &'a Face, _last: &'a Shown) -> Fut<'a, Result<Shown, ForgeError>> {
        // What was shown last is not asked: the store is as near as memory, and after a crash it alone knows.
        Box::pin(async move {
            let (comment, at) = self.show_face(mr, face).await?;
            Ok(Shown { face: Some(face.clone()), comment: Some(comment), at: Some(at) })
        })
    }

    fn reply<'a>(&'a self, mr: &'a MrId, to: CommentId, text: &'a str) -> Fut<'a, Result<(), ForgeError>> {
        Box::pin(async move { Ok(self.answer(mr, to, text).await?) })
    }

    fn tell<'a>(&'a self, mr: &'a MrId, key: &'a str, text: &'a str) -> Fut<'a, Result<(), ForgeError>> {
        Box::pin(async move { Ok(self.said(mr, key, text).await?) })
    }

    fn propose<'a>(&'a self, proposal: &'a Proposal) -> Fut<'a, Result<Proposed, ForgeError>> {
        Box::pin(async move { Ok(self.proposed(proposal).await?) })
    }

    fn withdraw<'a>(&'a self, repo: &'a RepoId, key: &'a str, why: &'a str) -> Fut<'a, Result<Option<MrId>, ForgeError>> {
        Box::pin(async move { Ok(self.withdrawn(repo, key, why).await?) })
    }

    fn merge<'a>(&'a self, ticket: MergeTicket) -> Fut<'a, Result<MergeAnswer, ForgeError>> {
        Box::pin(async move { Ok(self.merge_ticket(&ticket).await?) })
    }
}

impl LocalForge {
    /// One batch for comment, statuses and labels, and none when all are as they should be.
    async fn show_face(&self, mr: &MrId, face: &Face) -> Result<(CommentId, Time), LocalError> {
        let labels: BTreeSet<Str> = face.labels.iter().map(|label| label.0.clone()).collect();
        let status_key = rows::statuses(&mr.repo, &face.head);
        loop {
            let (row, _) = self.row(mr).await?;
            let sticky = match row.sticky {
                Some(id) => self.store.row::<CommentBody>(&rows::comment(&mr.repo, mr.number, id)).await?,
                None => None,
            };
            let statuses = self.store.row::<Statuses>(&status_key).await?;
            let mut wanted = statuses.as_ref().map(|stored| stored.value.clone()).unwrap_or_default();
            wanted.ours = face.statuses.iter().map(|status| (status.context.clone(), (status.state, status.text.clone()))).collect();
            let statuses_differ = statuses.as_ref().map(|stored| &stored.value) != Some(&wanted);
            let comment_differs = sticky.as_ref().is_none_or(|stored| stored.value.body != face.comment);
            let at = self.clock.now();
            let stands = sticky.as_ref().filter(|_| !comment_differs).map(|stored| stored.value.edited.unwrap_or(stored.value.at));
            let shown = self
                .edit_once(mr, |now: &mut MrRow, mut batch: Batch| {
                    // Somebody else showed a face in between: what was read is old.
                    if now.sticky != row.sticky {
                        return Ok((None, None));
                    }
                    if now.labels == labels
                        && !statuses_differ
                        && !comment_differs
                        && let Some(id) = now.sticky
                    {
                        return Ok((None, Some(id)));
                    }
                    now.labels = labels.clone();
                    if statuses_differ {
                        batch = match &statuses {
                            Some(stored) => batch.update(&status_key, stored.rev, &wanted),
                            None => batch.create(&status_key, &wanted),
                        };
                    }
                    let id = match (&sticky, comment_differs) {
                        (Some(stored), false) => stored.value.id,
                        (Some(stored), true) => {
                            let edited = CommentBody { body: face.comment.clone(), edited: Some(at), ..stored.value.clone() };
                            batch = batch.update(&stored.key, stored.rev, &edited);
                            edited.id
                        }
                        (None, _) => {
                            let first = CommentBody { ours: true, ..next_comment(now, self.bot.clone(), &face.comment, at) };
                            batch = batch.create(&rows::comment(&mr.repo, mr.number, first.id), &first);
                            now.sticky = Some(first.id);
                            first.id
                        }
                    };
                    Ok((Some(batch), Some(id)))
                })
                .await?;
            if let Some(Some(id)) = shown {
                return Ok((id, stands.unwrap_or(at)));
            }
        }
    }

    async fn answer(&self, mr: &MrId, to: CommentId, text: &str) -> Result<(), LocalError> {
        let hash: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let mark = rows::answered(&mr.repo, mr.number, to, &hash);
        if self.store.row::<CommentId>(&mark).await?.is_some() {
            return Ok(());
        }
        let at = self.clock.now();
        let answered = self.edit(mr, |row, batch| {
            let comment = CommentBody { ours: true, to: (to != CommentId::NOBODY).then_some(to), ..next_comment(row, self.bot.clone(), text, at) };
            Ok((Some(batch.create(&rows::comment(&mr.repo, mr.number, comment.id), &comment).create(&mark, &comment.id)), ()))
        });
        match answered.await {
            // The same answer, given by somebody else in between.
            Err(_) if self.store.row::<CommentId>(&mark).await?.is_some() => Ok(()),
            done => done,
        }
    }
}
