//! Reading GitLab, as the port asks.

use super::forge::GitLab;
use crate::{
    core::{
        model::{MrId, RepoId, Span, Str, User},
        review::{CommentId, MrState, Right, Sighting},
    },
    forges::net::{Described, Furnishes as _, NetError, encoded, members, right_remembered},
    ports::{Abilities, Exam, ForgeError, ForgeReader, Fut, Hosted, MrRef, Wish},
};
use std::collections::BTreeSet;

/// Progress is told at most this often: people read no faster, and every edit counts against the account's limit.
const PROGRESS: Span = Span::secs(15);

/// Pages of a hundred projects; larger groups name theirs.
const GROUP: usize = 50;

impl ForgeReader for GitLab {
    fn abilities(&self, _repo: &RepoId) -> Abilities {
        Abilities {
            reviews: true,
            threads: true,
            checks: true,
            labelled_by: true,
            forks: true,
            pinned_merge: true,
            teams: true,
            deployments: true,
            reactions: true,
            progress: PROGRESS,
        }
    }

    fn sweep<'a>(&'a self, repo: &'a RepoId, since: u64) -> Fut<'a, Result<(Vec<MrRef>, u64), ForgeError>> {
        Box::pin(async move {
            let place = self.place(repo)?;
            self.refresh(place).await?;
            Ok(place.known.lock().await.since(since))
        })
    }

    fn open<'a>(&'a self, repo: &'a RepoId) -> Fut<'a, Result<Vec<MrRef>, ForgeError>> {
        Box::pin(async move {
            let place = self.place(repo)?;
            self.refresh(place).await?;
            Ok(place.known.lock().await.open.values().cloned().collect())
        })
    }

    fn look<'a>(&'a self, mr: &'a MrId, since: Option<CommentId>) -> Fut<'a, Result<Sighting, ForgeError>> {
        Box::pin(async move { Ok(self.sight(mr, since).await?) })
    }

    fn branches<'a>(&'a self, repo: &'a RepoId) -> Fut<'a, Result<Option<Vec<Str>>, ForgeError>> {
        Box::pin(async move {
            let place = self.place(repo)?;
            Ok(Some(place.mirror.branches(&place.project.branch).await?))
        })
    }

    fn repositories<'a>(&'a self, group: &'a str) -> Fut<'a, Result<Vec<Hosted>, ForgeError>> {
        Box::pin(async move {
            let path = format!("/groups/{}/projects?include_subgroups=true&with_shared=false&order_by=created_at&sort=asc&per_page=100", encoded(group));
            let found = self.api.whole::<super::wire::Hosted>(&path, GROUP).await?;
            Ok(found.into_iter().map(|one| Hosted { path: one.path_with_namespace, archived: one.archived }).collect())
        })
    }

    fn team<'a>(&'a self, repo: &'a RepoId, team: &'a str, fresh: bool) -> Fut<'a, Result<BTreeSet<User>, ForgeError>> {
        Box::pin(async move { Ok(members(self, repo, team, fresh, self.now()).await?) })
    }

    fn examine<'a>(&'a self, repo: &'a RepoId, wish: &'a Wish) -> Fut<'a, Vec<Exam>> {
        Box::pin(async move { self.needs(repo, wish).await.into_iter().flat_map(|need| need.exams).collect() })
    }

    fn right_known(&self, repo: &RepoId, who: &User) -> Right {
        right_remembered(self, &*self.people, repo, who, self.now())
    }

    fn right<'a>(&'a self, repo: &'a RepoId, who: &'a User) -> Fut<'a, Result<Right, ForgeError>> {
        Box::pin(async move {
            self.place(repo)?;
            Ok(self.right_of(repo, who).await?)
        })
    }
}

impl Described for GitLab {
    fn web(&self) -> &str {
        &self.web
    }

    fn meant(&self, named: MrId) -> Option<MrId> {
        Some(MrId { repo: self.repo_at(named.repo.as_str())?.clone(), number: named.number })
    }

    fn described<'a>(&'a self, mr: &'a MrId) -> Fut<'a, Result<Option<(MrState, String)>, NetError>> {
        Box::pin(async move {
            let place = self.place(&mr.repo)?;
            let Some(request) = self.api.find::<super::wire::Request>(&place.request(mr.number, "")).await? else { return Ok(None) };
            // Several repositories may be one there: the one that governs where it goes knows what it is.
            let place = self.beside(place).find(|other| other.governs(&request.target_branch)).unwrap_or(place);
            Ok(Some((self.state(place, &request), request.description.unwrap_or_default())))
        })
    }
}
