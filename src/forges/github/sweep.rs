//! What is open, and what changed: one conditional request and the branch's tip where nothing did.

use super::{
    api::encoded_path,
    forge::{GitHub, Place},
    wire::{Pull, Reference},
};
use crate::{
    core::model::{CommitId, Time},
    forges::net::{Known, NetError},
    ports::{ForgeErrorKind, MrRef},
};

/// Pages of a hundred open requests; more than any repository has.
const OPEN: usize = 300;

/// Pages of requests that ended, read when nothing is known yet: who was away longer finds the rest when it is looked at.
const ENDED: usize = 5;

/// A sweep that finds more pages of changes than this starts over with what is open.
const CHANGED: usize = 20;

/// One that aims at another branch than the governed one is not open here. GitHub tells seconds; what changed at some time within one counts as changed at its end, so that nothing seems older than it is.
fn reference(place: &Place, pull: &Pull) -> MrRef {
    MrRef {
        mr: place.mr(pull.number),
        head: CommitId::new(pull.head.sha.clone()),
        updated: Time(pull.updated_at.0 + 999),
        open: pull.is_open() && place.governs(&pull.base.name),
        stray: (pull.is_open() && !place.governs(&pull.base.name)).then(|| pull.base.name.as_str().into()),
    }
}

impl GitHub {
    /// The tip of a branch, there and in the mirror.
    pub(super) async fn tip(&self, place: &Place, branch: &str) -> Result<CommitId, NetError> {
        let found: Option<Reference> = place.api.find(&place.path(format!("/git/ref/heads/{}", encoded_path(branch)))).await?;
        let gone = || {
            NetError::new(
                ForgeErrorKind::Unavailable,
                format!("forge {} knows no branch `{branch}` in {}; put it back, or say in the configuration which it is", self.name, place.project.path),
            )
        };
        found.map(|reference| CommitId::new(reference.object.sha)).ok_or_else(gone)
    }

    /// Brings what is known of a repository up to now.
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
        for pull in place.api.whole::<Pull>(&place.path("/pulls?state=open&per_page=100"), OPEN).await? {
            fresh.take(reference(place, &pull));
        }
        let ended = place.path("/pulls?state=closed&sort=updated&direction=desc&per_page=100");
        for pull in place.api.pages::<Pull>(&ended, ENDED).await?.0 {
            fresh.take(reference(place, &pull));
        }
        // Nothing there yet is something known, too.
        fresh.newest = fresh.newest.or(Some(Time(0)));
        *known = fresh;
        Ok(())
    }

    /// Reads what changed since; whether that was all of it.
    async fn changes(&self, place: &Place, known: &mut Known, newest: Time) -> Result<bool, NetError> {
        let mut next = Some(place.path("/pulls?state=all&sort=updated&direction=desc&per_page=100"));
        let mut found = Vec::new();
        for _ in 0..CHANGED {
            let Some(path) = next else { break };
            let (answer, after) = place.api.page(&path).await?;
            let page: Vec<Pull> = answer.json()?;
            // Changes of one second come in no order: all of the last one known are read again.
            let older = page.iter().any(|pull| pull.updated_at.0 + 999 < newest.0);
            found.extend(page);
            next = if older { None } else { after };
        }
        for pull in &found {
            known.take(reference(place, pull));
        }
        Ok(next.is_none())
    }
}
