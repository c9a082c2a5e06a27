//! What is open, and what changed: one conditional request and the branch's tip where nothing did.

use super::{
    forge::{GitLab, Place},
    wire::{Branch, Request},
};
use crate::{
    core::model::{CommitId, Time},
    forges::net::{Known, NetError, encoded},
    ports::{ForgeErrorKind, MrRef},
};

/// Pages of a hundred open requests; more than any project has.
const OPEN: usize = 300;

/// Pages of requests that ended, read when nothing is known yet: who was away longer finds the rest when it is looked at.
const ENDED: usize = 5;

/// A sweep that finds more pages of changes than this starts over with what is open.
const CHANGED: usize = 20;

/// How a request is now; `None`: without a head it was made this moment, and the next sweep has it. One that aims at another branch than the governed one is not open here.
fn reference(place: &Place, request: &Request) -> Option<MrRef> {
    let ours = place.governs(&request.target_branch);
    let stray = (request.is_open() && !ours).then(|| request.target_branch.as_str().into());
    Some(MrRef { mr: place.mr(request.iid), head: CommitId::new(request.sha.clone()?), updated: request.updated_at, open: request.is_open() && ours, stray })
}

fn take(place: &Place, known: &mut Known, all: &[Request]) {
    all.iter().filter_map(|request| reference(place, request)).for_each(|found| known.take(found));
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
        // Which of several governs is found elsewhere, once.
        if let Some(branch) = place.project.branch.now() {
            let base = self.tip(place, &branch).await?;
            place.follow(&branch, &base, None).await?;
        }
        let mut known = place.known.lock().await;
        if let Some(newest) = known.newest
            && self.changes(place, &mut known, newest).await?
        {
            return Ok(());
        }
        let mut fresh = Known::default();
        let list = |state: &str| place.path(format!("/merge_requests?state={state}&scope=all&order_by=updated_at&sort=desc&per_page=100"));
        take(place, &mut fresh, &self.api.whole::<Request>(&list("opened"), OPEN).await?);
        for state in ["merged", "closed"] {
            take(place, &mut fresh, &self.api.pages::<Request>(&list(state), ENDED).await?.0);
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
        take(place, known, &found);
        Ok(whole)
    }
}
