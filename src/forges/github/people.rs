//! Who people are to a repository: their right, who pushed, and who labelled.

use super::{
    forge::{GitHub, Place},
    wire::{Account, Activity, Commit, Event, Permission, Pull},
};
use crate::{
    core::{
        model::{CommitId, RepoId, User},
        review::Right,
    },
    forges::net::{KnownTeams, MEMBER_PAGES, NetError, Teamed, Unread, encoded, parts},
    git::mail,
    ports::{ForgeErrorKind, Fut},
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
        let found: Option<Permission> = place.api.find(&place.path(format!("/collaborators/{}/permission", encoded(who.as_str())))).await?;
        Ok(match found.as_ref().map(|found| &*found.permission) {
            Some("admin" | "write" | "maintain") => Right::Write,
            Some("read" | "triage") => Right::Read,
            Some(_) | None => Right::None,
        })
    }

    /// Everybody who authored, committed or pushed what the request holds, as far as GitHub tells.
    ///
    /// `authors` are those of the commits themselves, as `name <address>`.
    pub(super) async fn pushers(&self, place: &Place, pull: &Pull, events: &[Event], authors: BTreeSet<User>, unread: &mut Unread) -> Result<BTreeSet<User>, NetError> {
        let mut found = self.called(authors);
        found.insert(self.user(pull.user.as_ref()));
        let (commits, _): (Vec<Commit>, bool) = unread.part(place.api.pages(&place.path(format!("/pulls/{}/commits?per_page=100", pull.number)), COMMITS).await)?;
        let accounts = commits.iter().flat_map(|commit| [&commit.author, &commit.committer]).flatten().filter_map(|account| account.login.as_deref());
        found.extend(accounts.map(|login| self.people.by_login(login)));
        let forced = events.iter().filter(|event| matches!(&*event.event, "head_ref_force_pushed" | "head_ref_restored"));
        found.extend(forced.map(|event| self.user(event.actor.as_ref())));
        match &pull.head.repo {
            Some(repo) => found.extend(unread.part(self.who_pushed(place, &repo.full_name, &pull.head.name, pull).await)?),
            None => unread.say(format!("who pushed `{}` is not known, because the repository that it came from is gone; push it to a branch here", pull.head.name)),
        }
        Ok(found)
    }

    /// Who brought what is on a branch that is to take over from another: they do not approve that (I2).
    pub(super) async fn made(&self, place: &Place, from: &str, (pull, base): (&Pull, &CommitId), unread: &mut Unread) -> Result<BTreeSet<User>, NetError> {
        let brings = place.mirror.standing(&format!("refs/heads/{from}"), base)?;
        let mut found = self.called(brings.map(|brings| brings.authors).unwrap_or_default());
        found.extend(unread.part(self.who_pushed(place, &place.project.path, &pull.base.name, pull).await)?);
        Ok(found)
    }

    /// Authors of commits as the server knows them; who is nobody's here stands as it is written.
    fn called(&self, authors: BTreeSet<User>) -> BTreeSet<User> {
        authors.into_iter().map(|who| mail(&who).and_then(|mail| self.people.by_email(mail)).unwrap_or(who)).collect()
    }

    /// Who pushed to a branch since it was made, or since the request was. Not to know that is no answer: whoever may approve may have pushed (I2).
    async fn who_pushed(&self, place: &Place, path: &str, branch: &str, pull: &Pull) -> Result<BTreeSet<User>, NetError> {
        let asked = format!("/repos/{path}/activity?ref={}&per_page=100", encoded(&format!("refs/heads/{branch}")));
        let (activity, whole): (Vec<Activity>, bool) = place.api.pages(&asked, PUSHES).await.map_err(|error| {
            let what = format!("who pushed `{branch}` of {path} is not told ({}); let the server's account read that repository, or push to a branch here", error.what);
            NetError { what, ..error }
        })?;
        let mut found = BTreeSet::new();
        for push in activity {
            // Also whoever merged another request into it, by hand or by a queue, and whatever is thought of next.
            if push.activity_type != "branch_deletion" {
                found.insert(self.user(push.actor.as_ref()));
            }
            // Newest first: what is older was another branch of this name, unless it was made anew under an open request.
            if push.activity_type == "branch_creation" && push.timestamp <= pull.created_at {
                return Ok(found);
            }
        }
        if whole {
            return Ok(found);
        }
        Err(NetError::new(ForgeErrorKind::Invalid, format!("`{branch}` of {path} was pushed to more often than is read, so who did is not known; push it anew under another name")))
    }

    /// The history of a request.
    pub(super) async fn events(&self, place: &Place, number: u64) -> Result<Vec<Event>, NetError> {
        place.api.whole(&place.path(format!("/issues/{number}/events?per_page=100")), HISTORY).await
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

impl Teamed for GitHub {
    fn known_teams(&self) -> &KnownTeams {
        &self.teams
    }

    fn members<'a>(&'a self, repo: &'a RepoId, team: &'a str) -> Fut<'a, Result<BTreeSet<User>, NetError>> {
        Box::pin(async move {
            let (org, name) = parts(team, &self.place(repo)?.project.path)?;
            let path = format!("/orgs/{}/teams/{}/members?per_page=100", encoded(org), encoded(&name.to_ascii_lowercase()));
            let all: Vec<Account> = self.door.of_owner(org)?.whole(&path, MEMBER_PAGES).await?;
            Ok(all.iter().map(|account| self.user(Some(account))).collect())
        })
    }
}
