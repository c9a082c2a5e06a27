//! What people and programs do with merge requests: open, comment, close, reopen, draft, check.

use super::{
    error::{LocalError, LocalErrorKind},
    forge::LocalForge,
    rows::{self, CommentBody, MrRow, Statuses},
};
use crate::{
    core::{
        model::{CommitId, MrId, RepoId, Str, Time, User},
        review::{Check, CommentId, MrState, StatusState},
    },
    stores::Batch,
};
use std::collections::{BTreeMap, BTreeSet};

/// Characters of a title; longer ones are no titles, and every list shows them.
const TITLE: usize = 255;

/// Bytes of a comment, as on network forges.
const COMMENT: usize = 65_536;

/// Characters of what a program says of its status; a line is read, a log is linked.
const ABOUT: usize = 400;

/// Characters of a label; it stands in lists.
const LABEL: usize = 50;

/// Labels of one merge request; more are a list, not labels.
const LABELS: usize = 50;

/// Comments a page shows, the newest.
const SHOWN: u64 = 200;

/// Comments a merge request takes: what is shown, kept and read stays bounded whatever a person sends.
const COMMENTS: u64 = 1_000;

/// What opening a merge request takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRequest {
    pub title: String,
    pub source: String,
    /// Empty: the governed branch.
    pub target: String,
    pub draft: bool,
    pub reviewers: Vec<User>,
    pub description: String,
}

/// A merge request as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub number: u64,
    pub title: String,
    pub author: User,
    pub state: MrState,
    pub description: String,
    pub draft: bool,
    pub source: Str,
    pub target: Str,
    pub head: CommitId,
    pub reviewers: Vec<User>,
    pub comments: Vec<PageComment>,
    pub statuses: Vec<PageStatus>,
    pub labels: Vec<Str>,
    pub updated: Time,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageComment {
    pub id: CommentId,
    pub by: User,
    pub body: String,
    pub at: Time,
    /// The comment this one answers.
    pub to: Option<CommentId>,
    /// Ours that is edited in place.
    pub sticky: bool,
}

/// A status on the head, ours or another program's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageStatus {
    pub context: Str,
    pub state: &'static str,
    pub text: String,
}

fn invalid(what: impl Into<String>) -> LocalError {
    LocalError::new(LocalErrorKind::Invalid, what)
}

fn conflict(what: impl Into<String>) -> LocalError {
    LocalError::new(LocalErrorKind::Conflict, what)
}

fn described(text: &str) -> Result<(), LocalError> {
    if text.len() <= COMMENT { Ok(()) } else { Err(invalid(format!("a description has at most {COMMENT} bytes; put longer texts into the repository"))) }
}

impl LocalForge {
    /// Opens a merge request of a pushed branch on the governed branch.
    pub async fn open_mr(&self, by: &User, repo: &RepoId, new: NewRequest) -> Result<MrId, LocalError> {
        self.open_as(by, repo, new, None).await
    }

    /// The same, for one that the server opens by itself under a key.
    pub(super) async fn open_as(&self, by: &User, repo: &RepoId, new: NewRequest, proposed: Option<Str>) -> Result<MrId, LocalError> {
        let governed = &self.place(repo)?.branch;
        let branch = governed.said();
        let title = new.title.trim();
        if title.is_empty() || title.chars().count() > TITLE || title.chars().any(char::is_control) {
            return Err(invalid(format!("a title is one line of 1 to {TITLE} characters; say what the change is for")));
        }
        let target: Str = if new.target.is_empty() { branch.clone() } else { new.target.as_str().into() };
        if !governed.holds(&target) {
            return Err(invalid(format!("`{target}` is not governed; merge requests go to `{branch}`")));
        }
        described(&new.description)?;
        if new.source == *target {
            return Err(invalid(format!("source and target are both `{target}`; push your commits as a branch of their own")));
        }
        let (head, ahead) = self.ahead(repo, &new.source, &target).await?;
        if !ahead {
            return Err(invalid(format!("`{}` has no commit that `{target}` lacks; commit and push first", new.source)));
        }
        loop {
            let last = self.store.row::<u64>(&rows::last(repo)).await?;
            let number = last.as_ref().map_or(0, |stored| stored.value) + 1;
            if let Some(other) = self.store.row::<u64>(&rows::open_for(repo, &new.source)).await? {
                return Err(conflict(format!("`{}` has an open merge request already: {repo}!{}; push to it, or close it first", new.source, other.value)));
            }
            let row = MrRow {
                number,
                title: title.to_owned(),
                author: by.clone(),
                draft: new.draft,
                source: new.source.as_str().into(),
                target: target.clone(),
                state: MrState::Open,
                reviewers: new.reviewers.clone(),
                head: head.clone(),
                ahead: Some(head.clone()),
                description: new.description.clone(),
                marks: BTreeMap::new(),
                labels: BTreeSet::new(),
                sticky: None,
                last_comment: 0,
                updated: self.clock.now(),
                proposed: proposed.clone(),
            };
            let batch = Batch::new().create(&rows::mr(repo, number), &row).create(&rows::open_for(repo, &new.source), &number);
            let batch = match &last {
                Some(stored) => batch.update(&rows::last(repo), stored.rev, &number),
                None => batch.create(&rows::last(repo), &number),
            };
            if self.store.write(batch).await?.is_ok() {
                let kept = head.clone();
                self.git(repo, move |place| place.keep(number, &kept)).await?;
                return Ok(MrId { repo: repo.clone(), number });
            }
        }
    }

    /// The tip of a source branch, and whether it holds something its target lacks.
    async fn ahead(&self, repo: &RepoId, source: &str, target: &str) -> Result<(CommitId, bool), LocalError> {
        let (repo_name, source, target) = (repo.clone(), source.to_owned(), target.to_owned());
        self.git(repo, move |place| {
            let missing = |branch: &str| LocalError::new(LocalErrorKind::NotFound, format!("no branch `{}` in {repo_name}; push it first", branch.escape_debug()));
            let head = place.tip(&source)?.ok_or_else(|| missing(&source))?;
            let standing = place.standing(&target, &head)?.ok_or_else(|| missing(&target))?;
            Ok((head, !standing.held))
        })
        .await
    }

    /// Comments as a person.
    pub async fn comment(&self, by: &User, mr: &MrId, body: &str) -> Result<CommentId, LocalError> {
        if body.trim().is_empty() || body.len() > COMMENT {
            return Err(invalid(format!("a comment has 1 to {COMMENT} bytes; put longer texts into the repository")));
        }
        let at = self.clock.now();
        self.edit(mr, |row, batch| {
            if row.last_comment >= COMMENTS {
                return Err(conflict(format!("{mr} has {COMMENTS} comments and takes no more; `trueup mr` and the page still carry every command")));
            }
            let comment = next_comment(row, by.clone(), body, at);
            let id = comment.id;
            Ok((Some(batch.create(&rows::comment(&mr.repo, mr.number, id), &comment)), id))
        })
        .await
    }

    /// Closes without merging. Closing a closed one changes nothing.
    pub async fn close(&self, mr: &MrId) -> Result<(), LocalError> {
        let (row, _) = self.row(mr).await?;
        // Only this merge request's own close, merge or reopening changes the mark, and each of them edits the row too.
        let open = self.store.row::<u64>(&rows::open_for(&mr.repo, &row.source)).await?;
        self.edit(mr, |row, batch| match row.state {
            MrState::Closed => Ok((None, ())),
            MrState::Merged { .. } => Err(conflict(format!("{mr} is merged; open a merge request that reverts it"))),
            MrState::Open => {
                row.state = MrState::Closed;
                Ok((Some(without_open(batch, mr, row, open.as_ref())), ()))
            }
        })
        .await
    }

    /// Opens a closed one again. Reopening an open one changes nothing.
    pub async fn reopen(&self, mr: &MrId) -> Result<(), LocalError> {
        let (row, _) = self.row(mr).await?;
        if row.state == MrState::Closed {
            let key = rows::open_for(&mr.repo, &row.source);
            if let Some(other) = self.store.row::<u64>(&key).await? {
                return Err(conflict(format!("`{}` has an open merge request already: {}!{}; close that one first", row.source, mr.repo, other.value)));
            }
            self.ahead(&mr.repo, &row.source, &row.target).await?;
        }
        self.edit(mr, |row, batch| match row.state {
            MrState::Open => Ok((None, ())),
            MrState::Merged { .. } => Err(conflict(format!("{mr} is merged; open a merge request that reverts it"))),
            MrState::Closed => {
                row.state = MrState::Open;
                Ok((Some(batch.create(&rows::open_for(&mr.repo, &row.source), &row.number)), ()))
            }
        })
        .await
    }

    pub async fn set_draft(&self, mr: &MrId, draft: bool) -> Result<(), LocalError> {
        self.edit(mr, |row, batch| {
            let changes = row.draft != draft;
            row.draft = draft;
            Ok((changes.then_some(batch), ()))
        })
        .await
    }

    /// Replaces the description; lines `Depends-On:` in it are heard.
    pub async fn describe(&self, mr: &MrId, text: &str) -> Result<(), LocalError> {
        described(text)?;
        self.edit(mr, |row, batch| {
            let changes = row.description != text;
            text.clone_into(&mut row.description);
            Ok((changes.then_some(batch), ()))
        })
        .await
    }

    /// Adds and removes labels; ours, which begin with `trueup:`, are ours alone.
    pub async fn label(&self, by: &User, mr: &MrId, add: &[String], remove: &[String]) -> Result<(), LocalError> {
        let fits = |label: &String| !label.trim().is_empty() && label.chars().count() <= LABEL && !label.chars().any(char::is_control) && !label.starts_with("trueup:");
        if let Some(label) = add.iter().chain(remove).find(|label| !fits(label)) {
            return Err(invalid(format!("`{}` is no label of yours; write 1 to {LABEL} characters that do not begin with `trueup:`", label.escape_debug())));
        }
        self.edit(mr, |row, batch| {
            let before = row.marks.clone();
            row.marks.extend(add.iter().map(|label| (label.as_str().into(), by.clone())));
            row.marks.retain(|label, _| !remove.iter().any(|gone| **label == **gone));
            if row.marks.len() > LABELS {
                return Err(conflict(format!("{mr} has {LABELS} labels and takes no more; remove one first")));
            }
            Ok(((row.marks != before).then_some(batch), ()))
        })
        .await
    }

    /// Sets another program's status on a head. Our own contexts are refused: nobody else says that something converged.
    pub async fn set_check(&self, by: &User, repo: &RepoId, head: &CommitId, name: &str, check: Check, about: &str) -> Result<(), LocalError> {
        let about: String = about.chars().filter(|c| !c.is_control()).take(ABOUT).collect();
        if name.starts_with("trueup/") || name.trim().is_empty() || name.len() > TITLE || name.chars().any(char::is_control) {
            return Err(invalid(format!("`{}` cannot be a status of another program; choose a name outside `trueup/`", name.escape_debug())));
        }
        let commit = head.clone();
        let known = self.git(repo, move |place| Ok(place.has(commit.as_str()))).await?;
        if !known {
            return Err(LocalError::new(LocalErrorKind::NotFound, format!("no commit {head} in {repo}; push it first")));
        }
        let key = rows::statuses(repo, head);
        loop {
            let found = self.store.row::<Statuses>(&key).await?;
            let (mut statuses, rev) = found.map_or((Statuses::default(), None), |stored| (stored.value, Some(stored.rev)));
            let says = statuses.about.insert(name.into(), about.clone()).unwrap_or_default();
            let before = (statuses.checks.insert(name.into(), check), statuses.checked_by.insert(name.into(), by.clone()));
            if before == (Some(check), Some(by.clone())) && says == about {
                return Ok(());
            }
            let batch = match rev {
                Some(rev) => Batch::new().update(&key, rev, &statuses),
                None => Batch::new().create(&key, &statuses),
            };
            if self.store.write(batch).await?.is_ok() {
                return Ok(());
            }
        }
    }

    /// Whether there is such a merge request; an error when not.
    pub async fn known(&self, mr: &MrId) -> Result<(), LocalError> {
        self.row(mr).await.map(|_| ())
    }

    /// The merge request with its newest comments and the statuses of its head.
    pub async fn page(&self, mr: &MrId) -> Result<Page, LocalError> {
        let (row, _) = self.row(mr).await?;
        let head = match row.state {
            MrState::Open | MrState::Closed => self.head(mr, &row).await?,
            MrState::Merged { .. } => row.head.clone(),
        };
        let statuses = self.store.row::<Statuses>(&rows::statuses(&mr.repo, &head)).await?.map(|stored| stored.value).unwrap_or_default();
        let older = rows::comment(&mr.repo, mr.number, CommentId(row.last_comment.saturating_sub(SHOWN)));
        let comments = self.store.rows::<CommentBody>(&rows::comments(&mr.repo, mr.number), Some(&older), usize::MAX).await?;
        let ours = statuses.ours.into_iter().map(|(context, (state, text))| PageStatus { context, state: status_word(state), text });
        let said = |context: &Str| {
            let by = statuses.checked_by.get(context).map(|by| format!("set by {by}"));
            let about = statuses.about.get(context).filter(|about| !about.is_empty()).cloned();
            about.into_iter().chain(by).collect::<Vec<_>>().join(", ")
        };
        let checks = statuses.checks.iter().map(|(context, check)| PageStatus { state: check_word(*check), text: said(context), context: context.clone() });
        Ok(Page {
            number: row.number,
            title: row.title,
            author: row.author,
            state: row.state,
            description: row.description,
            draft: row.draft,
            source: row.source,
            target: row.target,
            head,
            reviewers: row.reviewers,
            comments: comments
                .into_iter()
                .map(|row| row.value)
                .map(|CommentBody { id, by, body, at, to, ours: _, edited: _ }| PageComment { sticky: row.sticky == Some(id), id, by, body, at, to })
                .collect(),
            statuses: ours.chain(checks).collect(),
            labels: row.marks.into_keys().chain(row.labels).collect(),
            updated: row.updated,
        })
    }
}

/// Takes the next id of the merge request.
pub(super) fn next_comment(row: &mut MrRow, by: User, body: &str, at: Time) -> CommentBody {
    row.last_comment += 1;
    CommentBody { id: CommentId(row.last_comment), by, body: body.to_owned(), at, to: None, ours: false, edited: None }
}

/// Frees the source branch for another merge request.
pub(super) fn without_open(batch: Batch, mr: &MrId, row: &MrRow, open: Option<&crate::stores::Stored<u64>>) -> Batch {
    match open {
        Some(open) if open.value == mr.number => batch.delete(&rows::open_for(&mr.repo, &row.source), open.rev),
        Some(_) | None => batch,
    }
}

fn status_word(state: StatusState) -> &'static str {
    match state {
        StatusState::Pending => "pending",
        StatusState::Success => "success",
        StatusState::Failure => "failure",
    }
}

fn check_word(check: Check) -> &'static str {
    match check {
        Check::Pending => "pending",
        Check::Success => "success",
        Check::Failure => "failure",
    }
}
