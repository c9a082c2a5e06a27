//! What is open, and what changed: one conditional request and the branch's tip where nothing did.

use super::{
    forge::{GitLab, Place},
    wire::{Branch, Request},
};
use crate::{
    core::model::{CommitId, Time},
    forges::net::{NetError, encoded},
    ports::{ForgeErrorKind, MrRef},
};
use std::collections::BTreeMap;

/// Pages of a hundred open requests; more than any project has.
const OPEN: usize = 300;

/// Pages of requests that ended, read when nothing is known yet: who was away longer finds the rest when it is looked at.
const ENDED: usize = 5;

/// Ended requests that are remembered.
const REMEMBERED: usize = 1000;

/// A sweep that finds more pages of changes than this starts over with what is open.
const CHANGED: usize = 20;

/// What a project's requests were when they were last read.
#[derive(Debug, Default)]
pub struct Known {
    pub open: BTreeMap<u64, MrRef>,
    pub over: BTreeMap<u64, MrRef>,
    /// Of all that was read, the latest change; none: nothing was read yet.
    pub newest: Option<Time>,
}

impl Known {
    fn take(&mut self, place: &Place, request: &Request) {
        // Without a head it was made this moment; the next sweep has it.
        let Some(head) = &request.sha else { return };
        let open = request.is_open() && request.target_branch == *place.project.branch;
        let found = MrRef { mr: place.mr(request.iid), head: CommitId::new(head.clone()), updated: request.updated_at, open };
        self.newest = self.newest.max(Some(found.updated));
        let (is, was) = if found.open { (&mut self.open, &mut self.over) } else { (&mut self.over, &mut self.open) };
        was.remove(&request.iid);
        is.insert(request.iid, found);
        while self.over.len() > REMEMBERED {
            let Some(oldest) = self.over.values().min_by_key(|found| found.updated).map(|found| found.mr.number) else { break };
            self.over.remove(&oldest);
        }
    }
}

impl GitLab {
    /// The tip of a branch there.
    pub(super) async fn tip(&self, place: &Place, branch: &str) -> Result<CommitId, NetError> {
        let gone = || {
            NetError::new(
                ForgeErrorKind::Unavailable,
                format!("forge {} knows no branch `{branch}` in {}; put it back, or say in the configuration which it is", self.api.name(), place.project.path),
            )
        };
        self.branch(place, branch).await?.ok_or_else(gone)
    }

    /// Where a branch is; `None`: there is none.
    pub(super) async fn branch(&self, place: &Place, branch: &str) -> Result<Option<CommitId>, NetError> {
        let found: Option<Branch> = self.api.find(&place.path(format!("/repository/branches/{}", encoded(branch)))).await?;
        Ok(found.map(|branch| CommitId::new(branch.commit.id)))
    }

    /// Brings what is known of a project up to now.
    pub(super) async fn refresh(&self, place: &Place) -> Result<(), NetError> {
        let branch = place.project.branch.clone();
        let base = self.tip(place, &branch).await?;
        place.follow(&branch, &base, None).await?;
        let mut known = place.known.lock().await;
        if let Some(newest) = known.newest
            && self.changes(place, &mut known, newest).await?
        {
            return Ok(());
        }
        let mut fresh = Known::default();
        let list = |state: &str| place.path(format!("/merge_requests?state={state}&scope=all&order_by=updated_at&sort=desc&per_page=100"));
        for request in self.api.whole::<Request>(&list("opened"), OPEN).await? {
            fresh.take(place, &request);
        }
        for state in ["merged", "closed"] {
            for request in self.api.pages::<Request>(&list(state), ENDED).await?.0 {
                fresh.take(place, &request);
            }
        }
        // Nothing there yet is something known, too.
        fresh.newest = fresh.newest.or(Some(Time(0)));
        *known = fresh;
        Ok(())
    }

    /// Reads what changed since; whether that was all of it.
    async fn changes(&self, place: &Place, known: &mut Known, newest: Time) -> Result<bool, NetError> {
        // From the second before: what changed in the same instant as the last one known is not lost.
        let after = Time(newest.0.saturating_sub(1000).max(0));
        let asked = format!("/merge_requests?state=all&scope=all&order_by=updated_at&sort=asc&per_page=100&updated_after={}", encoded(&after.to_string()));
        let (found, whole): (Vec<Request>, bool) = self.api.pages(&place.path(asked), CHANGED).await?;
        for request in &found {
            known.take(place, request);
        }
        Ok(whole)
    }
}
