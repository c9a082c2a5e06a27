//! Reading the local forge: branches from disk, merge requests from the store.

use super::{
    error::LocalError,
    forge::LocalForge,
    place::Place,
    rows::{self, CommentBody, MrRow, Pushers, Statuses},
};
use crate::{
    core::{
        model::{CommitId, MrId, RepoId, Span, User},
        review::{Comment, CommentId, MrState, Right, Sighting},
    },
    git::{Standing, mail},
    ports::{Abilities, ForgeError, ForgeReader, Fut, MrRef, Stand},
};
use std::collections::BTreeSet;

/// Merge requests read at once by a sweep; more than any repository has.
const SWEPT: usize = 1_000_000;

/// Comments handed over at once; the next look brings the rest.
const COMMENTS: usize = 1000;

impl ForgeReader for LocalForge {
    fn abilities(&self, _repo: &RepoId) -> Abilities {
        Abilities {
            reviews: false,
            threads: false,
            checks: true,
            labelled_by: true,
            forks: false,
            pinned_merge: true,
            teams: false,
            deployments: false,
            reactions: false,
            progress: Span(0),
        }
    }

    fn sweep<'a>(&'a self, repo: &'a RepoId, since: u64) -> Fut<'a, Result<(Vec<MrRef>, u64), ForgeError>> {
        Box::pin(async move {
            self.place(repo)?;
            let mut found = Vec::new();
            let mut cursor = since;
            for stored in self.store.rows::<MrRow>(&rows::all(repo), None, SWEPT).await.map_err(LocalError::from)? {
                // A row's revision grows with every edit of it, so the greatest seen is the cursor.
                cursor = cursor.max(stored.rev.0);
                let row = stored.value;
                let open = row.state == MrState::Open;
                if !open && stored.rev.0 <= since {
                    continue;
                }
                let mr = MrId { repo: repo.clone(), number: row.number };
                let head = if open { self.head(&mr, &row).await? } else { row.head };
                found.push(MrRef { mr, head, updated: row.updated, open, stray: None });
            }
            Ok((found, cursor))
        })
    }

    fn open<'a>(&'a self, repo: &'a RepoId) -> Fut<'a, Result<Vec<MrRef>, ForgeError>> {
        Box::pin(async move {
            self.place(repo)?;
            let mut found = Vec::new();
            for number in self.store.rows::<u64>(&rows::all_open(repo), None, SWEPT).await.map_err(LocalError::from)? {
                let mr = MrId { repo: repo.clone(), number: number.value };
                let (row, _) = self.row(&mr).await?;
                let head = self.head(&mr, &row).await?;
                found.push(MrRef { mr, head, updated: row.updated, open: row.state == MrState::Open, stray: None });
            }
            // Merged in between, it is open no more.
            found.retain(|found| found.open);
            Ok(found)
        })
    }

    fn look<'a>(&'a self, mr: &'a MrId, since: Option<CommentId>) -> Fut<'a, Result<Sighting, ForgeError>> {
        Box::pin(async move { Ok(self.sight(mr, since).await?) })
    }

    fn right_known(&self, repo: &RepoId, who: &User) -> Right {
        self.people.right(repo, who)
    }

    fn right<'a>(&'a self, repo: &'a RepoId, who: &'a User) -> Fut<'a, Result<Right, ForgeError>> {
        Box::pin(async move {
            self.place(repo)?;
            Ok(self.people.right(repo, who))
        })
    }
}

/// What git says of a merge request.
struct Branches {
    head: CommitId,
    base: CommitId,
    /// Authors and committers of what base lacks, as `name <email>`.
    authors: BTreeSet<User>,
    /// The target holds everything the head holds.
    held: bool,
    /// The merge commit of an open one, when we made it and did not write it down.
    merged: Option<CommitId>,
    /// The merge of another merge request, made by us, that brought the head in.
    brought: Option<(CommitId, MrId)>,
}

impl LocalForge {
    async fn sight(&self, mr: &MrId, since: Option<CommentId>) -> Result<Sighting, LocalError> {
        let (row, _) = self.row(mr).await?;
        let known = row.clone();
        let id = mr.clone();
        let seen = self.git(&mr.repo, move |place| branches(place, &id, &known)).await?;
        // After reading the tip: whoever pushed it has left the note already.
        self.note_pushes(&mr.repo).await?;
        let row = self.remember(mr, row, &seen).await?;
        let place = self.place(&mr.repo)?.clone();
        let mut pushed = self.store.row::<Pushers>(&rows::pushers(&place.chief, &row.source)).await?.map(|stored| stored.value.users).unwrap_or_default();
        if let Stand::Newer(_) = place.branch.stand(&row.target) {
            // Whoever made the branch that takes over brings what is on it.
            pushed.extend(self.store.row::<Pushers>(&rows::pushers(&place.chief, &row.target)).await?.map(|stored| stored.value.users).unwrap_or_default());
        }
        let mut statuses = self.store.row::<Statuses>(&rows::statuses(&mr.repo, &seen.head)).await?.map(|stored| stored.value).unwrap_or_default();
        // A program checks a commit, whichever branch it is for.
        for other in place.beside.iter().filter(|other| **other != mr.repo) {
            let Some(theirs) = self.store.row::<Statuses>(&rows::statuses(other, &seen.head)).await?.map(|stored| stored.value) else { continue };
            for (name, check) in theirs.checks {
                if !statuses.checks.contains_key(&name) {
                    statuses.checked_by.extend(theirs.checked_by.get(&name).map(|by| (name.clone(), by.clone())));
                    statuses.checks.insert(name, check);
                }
            }
        }
        let after = since.map(|id| rows::comment(&mr.repo, mr.number, id));
        let comments = self.store.rows::<CommentBody>(&rows::comments(&mr.repo, mr.number), after.as_ref(), COMMENTS).await?;
        let authored = seen.authors.into_iter().map(|who| mail(&who).and_then(|email| self.people.by_email(email)).unwrap_or(who));
        let pushers: BTreeSet<User> = authored.chain(pushed).chain([row.author.clone()]).collect();
        let depends_on = self.dependencies(mr, &row).await?;
        let incident = row.marks.get("incident").filter(|by| self.people.right(&mr.repo, by) >= Right::Approve).cloned();
        let Statuses { ours: _, checks, checked_by, about: _ } = statuses;
        // Set before the merge request was opened, perhaps, when nobody knew yet whose head it is.
        let checks = checks.into_iter().filter(|(name, _)| checked_by.get(name).is_none_or(|by| !pushers.contains(by))).collect();
        let own_head = self.holds_own(mr, &row, &seen.head).await?;
        Ok(Sighting {
            mr: mr.clone(),
            draft: row.draft,
            title: row.title,
            // Whoever pushed to the server's own branch may write here, and it itself runs nothing of theirs.
            author_trusted: row.author == self.bot || self.people.right(&mr.repo, &row.author) >= Right::Write,
            own_head,
            proposed: row.proposed,
            unread: Vec::new(),
            edited: Vec::new(),
            altered: None,
            // It merges whatever can be merged.
            behind: None,
            author: row.author,
            pushers,
            source_branch: row.source,
            base_branch: row.target,
            head: seen.head,
            base: seen.base,
            state: row.state,
            reviews: Vec::new(),
            checks,
            unresolved_threads: 0,
            depends_on,
            incident,
            brings: None,
            teams: Default::default(),
            comments: comments
                .into_iter()
                .map(|stored| stored.value)
                .filter(|comment| !comment.ours)
                .map(|CommentBody { id, by, body, at, to: _, ours: _, edited: _ }| Comment { id, right: self.people.right(&mr.repo, &by), by, body, at })
                .collect(),
        })
    }

    /// Writes down what git says and the row does not: a new head, or that the target holds it now.
    async fn remember(&self, mr: &MrId, row: MrRow, seen: &Branches) -> Result<MrRow, LocalError> {
        let ahead = if seen.held { row.ahead.clone() } else { Some(seen.head.clone()) };
        let state = match (&row.state, &seen.merged) {
            (MrState::Open, Some(commit)) => MrState::Merged { commit: commit.clone(), by: self.bot.clone(), with: None },
            (MrState::Open, None) if seen.held && row.ahead.as_ref() == Some(&seen.head) => {
                // Neither merge is ours: somebody with access to the folder put it there, and it is said as it is.
                match &seen.brought {
                    Some((commit, with)) => MrState::Merged { commit: commit.clone(), by: self.bot.clone(), with: Some(with.clone()) },
                    None => MrState::Merged { commit: seen.base.clone(), by: User::new("somebody with access to the repository"), with: None },
                }
            }
            (MrState::Open | MrState::Closed | MrState::Merged { .. }, _) => row.state.clone(),
        };
        let merged = matches!(state, MrState::Merged { .. });
        if row.head == seen.head && row.ahead == ahead && row.state == state {
            return Ok(row);
        }
        if row.head != seen.head {
            let (number, head) = (mr.number, seen.head.clone());
            self.git(&mr.repo, move |place| place.keep(number, &head)).await?;
        }
        loop {
            let open = if merged { self.store.row::<u64>(&rows::open_for(&mr.repo, &row.source)).await? } else { None };
            let edited = self.edit_once(mr, |row, batch| {
                row.head = seen.head.clone();
                row.ahead = ahead.clone();
                if row.state == MrState::Open {
                    row.state = state.clone();
                }
                Ok((Some(super::desk::without_open(batch, mr, row, open.as_ref())), row.clone()))
            });
            if let Some(row) = edited.await? {
                return Ok(row);
            }
        }
    }
}

fn branches(place: &Place, mr: &MrId, row: &MrRow) -> Result<Branches, LocalError> {
    let gone = || LocalError::new(super::LocalErrorKind::Unavailable, format!("branch `{}` is gone from {}; put it back", row.target, mr.repo));
    let head = match row.state {
        MrState::Merged { .. } => row.head.clone(),
        MrState::Open | MrState::Closed => place.tip(&row.source)?.unwrap_or_else(|| row.head.clone()),
    };
    let Standing { tip: base, held, behind: _, authors, ahead: _ } = place.standing(&row.target, &head)?.ok_or_else(gone)?;
    let fresh = held && row.state == MrState::Open;
    let merged = if fresh { super::merge::made_by_us(place, mr, &base, &head)? } else { None };
    let brought = if fresh && merged.is_none() { crate::forges::with::brought_by_us(&place.git, &base, &head)? } else { None };
    Ok(Branches { head, base, authors, held, merged, brought })
}
