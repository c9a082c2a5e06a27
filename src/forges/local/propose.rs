//! Merge requests of the server's own: found or made by a key, on a branch of their own, kept as what is proposed changes.

use super::{
    desk::NewRequest,
    error::{LocalError, LocalErrorKind},
    forge::LocalForge,
    merge::ran,
    place::{Place, branch_ref},
    rows::{self, CommentBody, MrRow},
};
use crate::{
    core::{
        model::{CommitId, Fingerprint, MrId, RepoId, Str, Time, User},
        review::{CommentId, MrState},
    },
    git::{NewCommit, commit_files},
    ports::{Proposal, Proposed},
    stores::{Batch, Stored},
};
use serde::{Deserialize, Serialize};

/// What was proposed last under a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ProposedRow {
    number: Option<u64>,
    /// What the branch holds, or will in a moment.
    head: CommitId,
    /// What it held before; after a crash in between it still does.
    before: Option<CommitId>,
    /// The content of what is proposed.
    content: Fingerprint,
    /// We closed it ourselves: the same may be proposed again.
    withdrawn: bool,
}

impl LocalForge {
    pub(super) async fn proposed(&self, proposal: &Proposal) -> Result<Proposed, LocalError> {
        let Proposal { repo, key, branch, .. } = proposal;
        let place_row = rows::proposed(repo, key);
        let content = proposal.content();
        let known = self.store.row::<ProposedRow>(&place_row).await?;
        let tip = {
            let branch = branch.clone();
            self.git(repo, move |place| place.tip(&branch)).await?
        };
        let open = match &known {
            Some(Stored { value: ProposedRow { number: Some(number), .. }, .. }) => self.standing_request(repo, *number).await?,
            Some(_) | None => None,
        };
        if let (Some(Stored { value, .. }), Some((mr, state))) = (&known, &open) {
            let ours = tip.as_ref() == Some(&value.head) || tip == value.before;
            match state {
                MrState::Open if !ours => return Ok(Proposed::Taken(mr.clone())),
                MrState::Open if value.content == content && tip.as_ref() == Some(&value.head) => return Ok(Proposed::Open(mr.clone())),
                // A person closed exactly this: it is not opened again until there is something else to say.
                MrState::Closed if value.content == content && !value.withdrawn => return Ok(Proposed::Declined(mr.clone())),
                MrState::Open | MrState::Closed | MrState::Merged { .. } => {}
            }
        }
        let commit = self.commit(proposal).await?;
        let number = open.as_ref().filter(|(_, state)| *state == MrState::Open).map(|(mr, _)| mr.number);
        let row = ProposedRow { number, head: commit.clone(), before: tip.clone(), content, withdrawn: false };
        self.keep(&place_row, known.as_ref(), &row).await?;
        self.point(repo, branch, &commit, tip.as_ref()).await?;
        if let Some(by) = &proposal.asked_by {
            self.add_pusher(repo, branch, by.clone()).await?;
        }
        if let Some(number) = number {
            let mr = MrId { repo: repo.clone(), number };
            let title = proposal.title.clone();
            self.edit(&mr, |row, batch| {
                let changes = row.title != title;
                row.title.clone_from(&title);
                Ok((changes.then_some(batch), ()))
            })
            .await?;
            return Ok(Proposed::Open(mr));
        }
        let new = NewRequest { description: String::new(), title: proposal.title.clone(), source: branch.to_string(), target: String::new(), draft: false, reviewers: Vec::new() };
        let mr = self.open_as(&self.bot, repo, new, Some(key.clone())).await?;
        let kept = self.store.row::<ProposedRow>(&place_row).await?;
        self.keep(&place_row, kept.as_ref(), &ProposedRow { number: Some(mr.number), ..row }).await?;
        Ok(Proposed::Open(mr))
    }

    /// Whether a merge request of the server's own holds what the server put there, and nobody else's work.
    pub(super) async fn holds_own(&self, mr: &MrId, row: &MrRow, head: &CommitId) -> Result<bool, LocalError> {
        let Some(key) = &row.proposed else { return Ok(false) };
        let known = self.store.row::<ProposedRow>(&rows::proposed(&mr.repo, key)).await?;
        Ok(known.is_some_and(|stored| stored.value.number == Some(mr.number) && stored.value.head == *head))
    }

    /// Closes what is open under a key, with a word why; `None`: nothing is, or somebody else made it theirs.
    pub(super) async fn withdrawn(&self, repo: &RepoId, key: &str, why: &str) -> Result<Option<MrId>, LocalError> {
        let place_row = rows::proposed(repo, key);
        let Some(known) = self.store.row::<ProposedRow>(&place_row).await? else { return Ok(None) };
        let Some(number) = known.value.number else { return Ok(None) };
        let Some((mr, MrState::Open)) = self.standing_request(repo, number).await? else { return Ok(None) };
        let (row, _) = self.row(&mr).await?;
        if self.head(&mr, &row).await? != known.value.head {
            return Ok(None);
        }
        self.keep(&place_row, Some(&known), &ProposedRow { withdrawn: true, ..known.value.clone() }).await?;
        self.said(&mr, why, why).await?;
        self.close(&mr).await?;
        Ok(Some(mr))
    }

    /// Comments as the server, once for each key.
    pub(super) async fn said(&self, mr: &MrId, key: &str, text: &str) -> Result<(), LocalError> {
        let mark = rows::answered(&mr.repo, mr.number, CommentId(0), &Fingerprint::of("told", &[key.as_bytes()]).to_string());
        if self.store.row::<CommentId>(&mark).await?.is_some() {
            return Ok(());
        }
        let at: Time = self.clock.now();
        let told = self.edit(mr, |row: &mut MrRow, batch| {
            let comment = CommentBody { ours: true, ..super::desk::next_comment(row, self.bot.clone(), text, at) };
            Ok((Some(batch.create(&rows::comment(&mr.repo, mr.number, comment.id), &comment).create(&mark, &comment.id)), ()))
        });
        match told.await {
            Err(_) if self.store.row::<CommentId>(&mark).await?.is_some() => Ok(()),
            done => done,
        }
    }

    async fn standing_request(&self, repo: &RepoId, number: u64) -> Result<Option<(MrId, MrState)>, LocalError> {
        let mr = MrId { repo: repo.clone(), number };
        match self.row(&mr).await {
            Ok((row, _)) => Ok(Some((mr, row.state))),
            Err(error) if error.kind == LocalErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn keep(&self, key: &crate::stores::RowKey, known: Option<&Stored<ProposedRow>>, row: &ProposedRow) -> Result<(), LocalError> {
        let batch = match known {
            Some(stored) => Batch::new().update(key, stored.rev, row),
            None => Batch::new().create(key, row),
        };
        match self.store.write(batch).await? {
            Ok(_) => Ok(()),
            Err(_) => Err(LocalError::new(LocalErrorKind::Unavailable, "somebody else proposes the same at this moment; try again")),
        }
    }

    /// Makes the commit; no branch moves.
    async fn commit(&self, proposal: &Proposal) -> Result<CommitId, LocalError> {
        let (proposal, bot, now) = (proposal.clone(), self.bot.clone(), self.clock.now());
        self.git(&proposal.repo.clone(), move |place| made(place, &proposal, &bot, now)).await
    }

    /// Moves the branch from what it was to the commit.
    async fn point(&self, repo: &RepoId, branch: &Str, commit: &CommitId, before: Option<&CommitId>) -> Result<(), LocalError> {
        let (branch, commit, before) = (branch.clone(), commit.clone(), before.cloned());
        self.git(repo, move |place| {
            let name = branch_ref(&branch).ok_or_else(|| LocalError::new(LocalErrorKind::Invalid, format!("`{branch}` is no branch name")))?;
            let old = before.map_or_else(|| "0".repeat(40), |before| before.to_string());
            let mut git = place.program();
            git.args(["update-ref", "--create-reflog", "-m", "proposed", &name, commit.as_str(), &old]);
            ran(git, b"")?.map(drop).map_err(|why| LocalError::new(LocalErrorKind::Unavailable, format!("cannot move `{branch}`: {why}")))
        })
        .await
    }
}

fn made(place: &Place, proposal: &Proposal, bot: &User, now: Time) -> Result<CommitId, LocalError> {
    let scratch = format!("refs/trueup/proposed/{}", proposal.key);
    let new = NewCommit { scratch, base: &proposal.base, files: &proposal.files, message: &proposal.message, name: bot.as_str(), at: now };
    Ok(commit_files(place.dir(), &new)?)
}
