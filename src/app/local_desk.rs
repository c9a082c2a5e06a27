//! The local forge as the desk people open merge requests at.

use super::service::{CommentRow, MrDesk, MrPage, NewMr, ServiceError, ServiceErrorKind, StatusRow};
use crate::{
    core::{
        model::{CommitId, MrId, RepoId, User},
        review::{Check, CommentId, MrState, Phase, View},
    },
    forges::local::{LocalError, LocalErrorKind, LocalForge, NewRequest, Page},
    ports::Fut,
};

impl From<LocalError> for ServiceError {
    fn from(error: LocalError) -> Self {
        let kind = match error.kind {
            LocalErrorKind::NotFound => ServiceErrorKind::NotFound,
            LocalErrorKind::Invalid => ServiceErrorKind::Invalid,
            LocalErrorKind::Conflict => ServiceErrorKind::Conflict,
            LocalErrorKind::Unavailable => ServiceErrorKind::Unavailable,
        };
        Self::new(kind, error.what)
    }
}

impl From<Page> for MrPage {
    fn from(page: Page) -> Self {
        let Page { number, title, author, state, draft, source, target, head, reviewers, comments, statuses, labels, description, updated: _ } = page;
        Self {
            number,
            title,
            author,
            description,
            state,
            draft,
            source: source.to_string(),
            target: target.to_string(),
            head,
            reviewers,
            comments: comments.into_iter().map(|row| CommentRow { id: row.id, by: row.by, body: row.body, at: row.at, to: row.to, sticky: row.sticky }).collect(),
            statuses: statuses.into_iter().map(|row| StatusRow { context: row.context.to_string(), state: row.state.to_owned(), text: row.text }).collect(),
            labels: labels.into_iter().map(|label| label.to_string()).collect(),
        }
    }
}

impl MrPage {
    /// What is known here of a merge request whose talk and checks are on another forge, at `page`.
    pub(super) fn elsewhere(view: View, page: String) -> Self {
        let state = match (view.phase, view.merged) {
            (Phase::Merged, Some(commit)) => MrState::Merged { commit, by: User::new(""), with: None },
            (Phase::Closed, _) => MrState::Closed,
            _ => MrState::Open,
        };
        Self {
            number: view.mr.number,
            title: view.title,
            author: view.author,
            description: format!("Its description, talk and checks are at {page}"),
            state,
            draft: view.draft,
            source: view.source_branch.to_string(),
            target: view.base_branch.to_string(),
            head: view.head.unwrap_or_else(|| CommitId::new("")),
            reviewers: Vec::new(),
            comments: Vec::new(),
            statuses: Vec::new(),
            labels: Vec::new(),
        }
    }
}

impl MrDesk for LocalForge {
    fn open<'a>(&'a self, by: &'a User, repo: &'a RepoId, new: NewMr) -> Fut<'a, Result<MrId, ServiceError>> {
        let NewMr { title, source, target, draft, reviewers, description } = new;
        Box::pin(async move { Ok(self.open_mr(by, repo, NewRequest { title, source, target, draft, reviewers, description }).await?) })
    }

    fn comment<'a>(&'a self, by: &'a User, mr: &'a MrId, body: &'a str) -> Fut<'a, Result<CommentId, ServiceError>> {
        Box::pin(async move { Ok(LocalForge::comment(self, by, mr, body).await?) })
    }

    fn set_state<'a>(&'a self, _by: &'a User, mr: &'a MrId, open: bool) -> Fut<'a, Result<(), ServiceError>> {
        Box::pin(async move {
            let done = if open { self.reopen(mr).await } else { self.close(mr).await };
            Ok(done?)
        })
    }

    fn set_draft<'a>(&'a self, _by: &'a User, mr: &'a MrId, draft: bool) -> Fut<'a, Result<(), ServiceError>> {
        Box::pin(async move { Ok(LocalForge::set_draft(self, mr, draft).await?) })
    }

    fn describe<'a>(&'a self, mr: &'a MrId, text: &'a str) -> Fut<'a, Result<(), ServiceError>> {
        Box::pin(async move { Ok(LocalForge::describe(self, mr, text).await?) })
    }

    fn label<'a>(&'a self, by: &'a User, mr: &'a MrId, add: &'a [String], remove: &'a [String]) -> Fut<'a, Result<(), ServiceError>> {
        Box::pin(async move { Ok(LocalForge::label(self, by, mr, add, remove).await?) })
    }

    fn set_check<'a>(&'a self, by: &'a User, repo: &'a RepoId, head: &'a CommitId, name: &'a str, check: Check, about: &'a str) -> Fut<'a, Result<(), ServiceError>> {
        Box::pin(async move { Ok(LocalForge::set_check(self, by, repo, head, name, check, about).await?) })
    }

    fn known<'a>(&'a self, mr: &'a MrId) -> Fut<'a, Result<(), ServiceError>> {
        Box::pin(async move { Ok(LocalForge::known(self, mr).await?) })
    }

    fn show<'a>(&'a self, mr: &'a MrId) -> Fut<'a, Result<MrPage, ServiceError>> {
        Box::pin(async move { Ok(self.page(mr).await?.into()) })
    }
}
