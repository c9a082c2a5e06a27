//! What others' programs say of a head, and which people reviewed it.

use super::{
    forge::{GitHub, Place},
    wire::{self, CheckRun, CheckRuns, Status},
};
use crate::{
    core::{
        model::{CommitId, Fingerprint, RepoId, Str, User},
        review::{Check, Review, Status as OwnStatus},
    },
    forges::net::{NetError, forged},
    ports::ForgeErrorKind,
};
use std::collections::{BTreeMap, BTreeSet};

/// Pages of statuses and of check runs of one commit; GitHub keeps a thousand statuses of a context.
const PAGES: usize = 20;

/// Pages of reviews.
const REVIEWS: usize = 10;

/// Where people stand with their reviews.
#[derive(Debug, Default)]
pub struct Standing {
    /// Approvals at the head.
    pub approved: Vec<Review>,
    /// People whose last word was that something must change.
    pub against: u32,
}

impl GitHub {
    /// Every status that was ever set on a commit, newest first.
    pub(super) async fn all_statuses(&self, place: &Place, head: &CommitId) -> Result<Vec<Status>, NetError> {
        place.api.whole(&place.path(format!("/commits/{head}/statuses?per_page=100")), PAGES).await
    }

    /// Of each context on a commit the newest.
    async fn statuses(&self, place: &Place, head: &CommitId) -> Result<Vec<Status>, NetError> {
        let mut seen = BTreeSet::new();
        Ok(self.all_statuses(place, head).await?.into_iter().filter(|status| seen.insert(status.context.clone())).collect())
    }

    /// What others say of a head; ours, and what people who pushed it say of their own, is left out. With it what somebody else says in our name.
    pub(super) async fn checks(&self, place: &Place, head: &CommitId, pushers: &BTreeSet<User>) -> Result<(BTreeMap<Str, Check>, Option<Fingerprint>), NetError> {
        let bot = self.bot().await?;
        let mut found: BTreeMap<Str, Check> = BTreeMap::new();
        let mut say = |name: &str, check: Check| {
            // A status and a check run may share a name: green is only what both say.
            let known = found.entry(name.into()).or_insert(check);
            *known = known.worse(check);
        };
        let mut in_our_name = None;
        let us = match self.door.app() {
            Some(app) => Some(app.me().await?.id),
            None => None,
        };
        for status in self.statuses(place, head).await? {
            let by = self.user(status.creator.as_ref());
            if by != *bot && status.context.starts_with(OwnStatus::OURS) {
                in_our_name = in_our_name.or(Some(forged(&status.context, &by)));
            } else if by != *bot && !pushers.contains(&by) {
                say(&status.context, of_status(&status.state));
            }
        }
        let mut next = Some(place.path(format!("/commits/{head}/check-runs?per_page=100")));
        for _ in 0..PAGES {
            let Some(path) = next else { break };
            let (answer, after) = place.api.page(&path).await?;
            for run in answer.json::<CheckRuns>()?.check_runs {
                let of = run.app.as_ref();
                if us.is_some() && of.map(|app| app.id) == us {
                    continue;
                }
                if run.name.starts_with(OwnStatus::OURS) {
                    let by = User::new(of.and_then(|app| app.slug.as_deref()).unwrap_or("another app"));
                    in_our_name = in_our_name.or(Some(forged(&run.name, &by)));
                    continue;
                }
                say(&run.name, of_run(&run));
            }
            next = after;
        }
        if next.is_some() {
            // The rest could say the opposite.
            let what = format!("forge {} has more check runs of {head} than the {} that are read", self.name, PAGES * 100);
            return Err(NetError::new(ForgeErrorKind::Invalid, what));
        }
        Ok((found, in_our_name))
    }

    /// Reviews that stand: of each person the last that judged, approvals only where they were given at this head.
    pub(super) async fn reviews(&self, repo: &RepoId, place: &Place, number: u64, head: &CommitId) -> Result<Standing, NetError> {
        let all: Vec<wire::Review> = place.api.whole(&place.path(format!("/pulls/{number}/reviews?per_page=100")), REVIEWS).await?;
        let mut last: BTreeMap<User, wire::Review> = BTreeMap::new();
        // Oldest first; a remark judges nothing, and what is being written is nobody's word yet.
        for review in all.into_iter().filter(|review| matches!(&*review.state, "APPROVED" | "CHANGES_REQUESTED" | "DISMISSED")) {
            last.insert(self.user(review.user.as_ref()), review);
        }
        let mut standing = Standing::default();
        for (by, review) in last {
            match (&*review.state, review.submitted_at.as_deref().and_then(wire::instant)) {
                ("APPROVED", Some(at)) if review.commit_id.as_deref() == Some(head.as_str()) => {
                    let right = self.right_of(repo, &by).await?;
                    standing.approved.push(Review { by, right, at, head: head.clone() });
                }
                // Anybody can review; who may not write here blocks nobody.
                ("CHANGES_REQUESTED", _) if self.may_write(repo, &by).await? => standing.against += 1,
                _ => {}
            }
        }
        Ok(standing)
    }
}

fn of_status(state: &str) -> Check {
    match state {
        "success" => Check::Success,
        "pending" => Check::Pending,
        _ => Check::Failure,
    }
}

fn of_run(run: &CheckRun) -> Check {
    match (&*run.status, run.conclusion.as_deref()) {
        ("completed", Some("success" | "neutral" | "skipped")) => Check::Success,
        ("completed", _) => Check::Failure,
        _ => Check::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_green_only_when_it_is_over_and_nobody_of_its_name_says_otherwise() {
        let run = |status: &str, conclusion: Option<&str>| {
            of_run(&CheckRun { name: "ci".into(), status: status.into(), conclusion: conclusion.map(str::to_owned), ..CheckRun::default() })
        };
        assert_eq!([run("completed", Some("success")), run("completed", Some("skipped")), run("completed", Some("neutral"))], [Check::Success; 3]);
        assert_eq!([run("in_progress", None), run("queued", Some("success"))], [Check::Pending; 2]);
        assert_eq!([run("completed", Some("action_required")), run("completed", Some("cancelled")), run("completed", None)], [Check::Failure; 3]);
        assert_eq!([of_status("success"), of_status("pending"), of_status("error"), of_status("failure")], [Check::Success, Check::Pending, Check::Failure, Check::Failure]);
        assert_eq!(
            [Check::Success.worse(Check::Pending), Check::Pending.worse(Check::Failure), Check::Success.worse(Check::Success)],
            [Check::Pending, Check::Failure, Check::Success]
        );
    }
}
