//! Who people are to a repository: their right, who pushed, and who labelled.

use super::{
    forge::{GitHub, Place},
    wire::{Activity, Commit, Event, Permission, Pull},
};
use crate::{
    core::{
        model::{RepoId, User},
        review::Right,
    },
    forges::net::{NetError, encoded},
    ports::ForgeErrorKind,
};
use std::collections::BTreeSet;

/// GitHub tells 250 commits of a pull request, and not who made the rest: those are known by their addresses alone.
const COMMITS: usize = 3;

/// Pages of history; a pull request with more has seen thousands of pushes and labels.
const HISTORY: usize = 20;

/// Pages of a branch's pushes.
const PUSHES: usize = 5;

/// The label that an approver sets to let a request go first.
const INCIDENT: &str = "incident";

impl GitHub {
    /// What the forge itself gives somebody.
    pub(super) async fn forge_right(&self, repo: &RepoId, who: &User) -> Result<Right, NetError> {
        let place = self.place(repo)?;
        let found: Option<Permission> = self.api.find(&place.path(format!("/collaborators/{}/permission", encoded(who.as_str())))).await?;
        Ok(match found.as_ref().map(|found| &*found.permission) {
            Some("admin" | "write" | "maintain") => Right::Write,
            Some("read" | "triage") => Right::Read,
            Some(_) | None => Right::None,
        })
    }

    /// Everybody who authored, committed or pushed what the request holds, as far as GitHub tells.
    ///
    /// `authors` are those of the commits themselves, as `name <address>`.
    pub(super) async fn pushers(&self, place: &Place, pull: &Pull, events: &[Event], authors: BTreeSet<User>) -> Result<BTreeSet<User>, NetError> {
        let mut found: BTreeSet<User> = authors.into_iter().map(|who| mail(&who).and_then(|mail| self.people.by_email(mail)).unwrap_or(who)).collect();
        found.insert(self.user(pull.user.as_ref()));
        let (commits, _): (Vec<Commit>, bool) = self.api.pages(&place.path(format!("/pulls/{}/commits?per_page=100", pull.number)), COMMITS).await?;
        let accounts = commits.iter().flat_map(|commit| [&commit.author, &commit.committer]).flatten().filter_map(|account| account.login.as_deref());
        found.extend(accounts.map(|login| self.people.by_login(login)));
        let forced = events.iter().filter(|event| matches!(&*event.event, "head_ref_force_pushed" | "head_ref_restored"));
        found.extend(forced.map(|event| self.user(event.actor.as_ref())));
        if let Some(repo) = &pull.head.repo {
            found.extend(self.who_pushed(&repo.full_name, &pull.head.name).await?);
        }
        Ok(found)
    }

    /// Who pushed to a branch since it was made.
    async fn who_pushed(&self, path: &str, branch: &str) -> Result<BTreeSet<User>, NetError> {
        let asked = format!("/repos/{path}/activity?ref={}&per_page=100", encoded(&format!("refs/heads/{branch}")));
        let activity: Vec<Activity> = match self.api.pages(&asked, PUSHES).await {
            Ok((activity, _)) => activity,
            // Older Enterprise servers keep none, and a fork may be closed to us: commits and force pushes are told elsewhere.
            Err(error) if matches!(error.kind, ForgeErrorKind::NotFound | ForgeErrorKind::Denied) => return Ok(BTreeSet::new()),
            Err(error) => return Err(error),
        };
        let mut found = BTreeSet::new();
        for push in activity {
            match &*push.activity_type {
                "push" | "force_push" | "branch_creation" => drop(found.insert(self.user(push.actor.as_ref()))),
                _ => {}
            }
            // Newest first: what is older was another branch of this name.
            if push.activity_type == "branch_creation" {
                break;
            }
        }
        Ok(found)
    }

    /// The history of a request.
    pub(super) async fn events(&self, place: &Place, number: u64) -> Result<Vec<Event>, NetError> {
        self.api.whole(&place.path(format!("/issues/{number}/events?per_page=100")), HISTORY).await
    }

    /// Who set the label `incident`, where they may approve here.
    pub(super) async fn incident(&self, repo: &RepoId, pull: &Pull, events: &[Event]) -> Result<Option<User>, NetError> {
        if !pull.labels.iter().any(|label| label.name == INCIDENT) {
            return Ok(None);
        }
        let is_it = |event: &&Event| event.event == "labeled" && event.label.as_ref().and_then(|label| label.name.as_deref()) == Some(INCIDENT);
        let Some(event) = events.iter().rfind(is_it) else { return Ok(None) };
        let who = self.user(event.actor.as_ref());
        Ok((self.right_of(repo, &who).await? >= Right::Approve).then_some(who))
    }
}

/// The address of `name <address>`.
fn mail(who: &User) -> Option<&str> {
    who.as_str().rsplit_once('<').and_then(|(_, rest)| rest.strip_suffix('>'))
}
