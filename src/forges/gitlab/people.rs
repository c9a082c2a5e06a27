//! Whose hand is in a request, who approved it, and who labelled it.

use super::{
    forge::{GitLab, Place},
    pushes::Of,
    wire::{Account, Approvals, GroupMember, LabelEvent, Note, Request, Reviewer},
};
use crate::{
    core::{
        model::{CommitId, RepoId, Time, User},
        review::{Review, Right},
    },
    forges::net::{KnownTeams, MEMBER_PAGES, NetError, Teamed, Unread, encoded, parts},
    git::mail,
    ports::{ForgeErrorKind, Fut},
};
use std::collections::BTreeSet;

/// Addresses of commits that are asked for; each is a question.
const ADDRESSES: usize = 30;

/// Pages of label events.
const LABELS: usize = 10;

/// Whoever may less is in a group to see it.
const DEVELOPER: u32 = 30;

/// The label that an approver sets to let a request go first.
const INCIDENT: &str = "incident";

impl GitLab {
    /// Everybody who authored, committed or pushed what the request holds, as far as GitLab tells.
    ///
    /// `authors` are those of the commits themselves, as `name <address>`.
    pub(super) async fn pushers(&self, place: &Place, request: &Request, notes: &[Note], authors: BTreeSet<User>, unread: &mut Unread) -> Result<BTreeSet<User>, NetError> {
        let mut found = unread.part(self.authors(authors).await)?;
        found.insert(self.user(request.author.as_ref()));
        // GitLab's own line of a push stands under the name of whoever pushed.
        let pushed = notes.iter().filter(|note| note.system && note.body.starts_with("added ") && note.body.contains(" commit"));
        found.extend(pushed.map(|note| self.user(note.author.as_ref())));
        if let Some(project) = request.source_project_id {
            let pushed = self.who_pushed(project, Of::Source(place, request), unread).await;
            let closed = |error: &NetError| matches!(error.kind, ForgeErrorKind::NotFound | ForgeErrorKind::Denied);
            match pushed {
                // A fork may be closed to us; what was pushed since the request was opened stands among its notes.
                Err(error) if project != request.target_project_id && closed(&error) => {}
                pushed => found.extend(unread.part(pushed)?),
            }
        }
        Ok(found)
    }

    /// Who brought what is on a branch that is to take over from another: they do not approve that (I2).
    pub(super) async fn made(&self, place: &Place, from: &str, request: &Request, base: &CommitId, unread: &mut Unread) -> Result<BTreeSet<User>, NetError> {
        let brings = place.mirror.standing(&format!("refs/heads/{from}"), base)?;
        let mut found = unread.part(self.authors(brings.map(|brings| brings.authors).unwrap_or_default()).await)?;
        let pushed = self.who_pushed(request.target_project_id, Of::Target(request), unread).await;
        found.extend(unread.part(pushed)?);
        Ok(found)
    }

    /// Whose the addresses of commits are: by the configuration, and by GitLab where they are public. What nobody's is stands as it is written.
    async fn authors(&self, authors: BTreeSet<User>) -> Result<BTreeSet<User>, NetError> {
        let mut found = BTreeSet::new();
        let mut asked = 0;
        for who in authors {
            let mail = mail(&who).filter(|mail| mail.contains('@'));
            match (mail, mail.and_then(|mail| self.people.by_email(mail))) {
                // A user of the server may have another name here: both are whose it is.
                (Some(mail), user) if asked < ADDRESSES => {
                    asked += 1;
                    let accounts: Vec<Account> = self.api.get(&format!("/users?search={}", encoded(mail))).await?;
                    found.extend(accounts.iter().map(|account| self.user(Some(account))));
                    found.insert(user.unwrap_or(who));
                }
                (Some(_) | None, user) => drop(found.insert(user.unwrap_or(who))),
            }
        }
        Ok(found)
    }

    /// Approvals that stand and were given at this head. GitLab keeps approvals over pushes unless told not to, and tells no head:
    /// one counts when it was given after the head was pushed.
    pub(super) async fn reviews(&self, repo: &RepoId, place: &Place, number: u64, head: &CommitId, notes: &[Note]) -> Result<Vec<Review>, NetError> {
        let approvals: Approvals = self.api.get(&place.request(number, "/approvals")).await?;
        if approvals.approved_by.is_empty() {
            return Ok(Vec::new());
        }
        let (versions, _) = self.versions(place, number).await?;
        let Some(pushed) = versions.iter().filter(|version| version.head_commit_sha == head.as_str()).map(|version| version.created_at).max() else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for approver in approvals.approved_by {
            let by = self.user(Some(&approver.user));
            let said = |note: &&Note| note.system && note.body == "approved this merge request" && self.user(note.author.as_ref()) == by;
            let at: Option<Time> = notes.iter().filter(said).map(|note| note.created_at).max();
            if let Some(at) = at.filter(|at| *at >= pushed) {
                let right = self.right_of(repo, &by).await?;
                found.push(Review { by, right, at, head: head.clone() });
            }
        }
        found.sort_by(|one, other| one.by.cmp(&other.by));
        Ok(found)
    }

    /// How many people who may write here asked for changes last.
    pub(super) async fn against(&self, repo: &RepoId, place: &Place, number: u64) -> Result<u32, NetError> {
        let reviewers: Vec<Reviewer> = self.api.get(&place.request(number, "/reviewers")).await?;
        let mut against = 0;
        for reviewer in reviewers.iter().filter(|reviewer| reviewer.state == "requested_changes") {
            against += u32::from(self.right_of(repo, &self.user(Some(&reviewer.user))).await? >= Right::Write);
        }
        Ok(against)
    }

    /// Who set the label `incident`, where they may approve here.
    pub(super) async fn incident(&self, repo: &RepoId, place: &Place, request: &Request) -> Result<Option<User>, NetError> {
        if !request.labels.iter().any(|label| label == INCIDENT) {
            return Ok(None);
        }
        let events: Vec<LabelEvent> = self.api.whole(&place.request(request.iid, "/resource_label_events?per_page=100"), LABELS).await?;
        let is_it = |event: &&LabelEvent| event.action == "add" && event.label.as_ref().is_some_and(|label| label.name == INCIDENT);
        let Some(event) = events.iter().rfind(is_it) else { return Ok(None) };
        let who = self.user(event.user.as_ref());
        Ok((self.right_of(repo, &who).await? >= Right::Approve).then_some(who))
    }
}

impl GitLab {
    /// Who is meant by `@name`: users and groups share one space of names, and whoever is no user is a group.
    async fn either(&self, name: &str) -> Result<BTreeSet<User>, NetError> {
        let users: Vec<Account> = self.api.get(&format!("/users?username={}", encoded(name))).await?;
        let is = |account: &&Account| account.username.eq_ignore_ascii_case(name);
        match users.iter().find(is) {
            Some(account) => Ok([self.user(Some(account))].into()),
            None => self.in_group(name).await.map_err(|error| match error.kind {
                ForgeErrorKind::NotFound => NetError { what: format!("`{name}` is neither a user nor a group that the server's account sees"), ..error },
                _ => error,
            }),
        }
    }

    async fn in_group(&self, path: &str) -> Result<BTreeSet<User>, NetError> {
        let all: Vec<GroupMember> = self.api.whole(&format!("/groups/{}/members?per_page=100", encoded(path)), MEMBER_PAGES).await?;
        let counts = all.iter().filter(|member| member.access_level >= DEVELOPER && member.state == "active");
        Ok(counts.map(|member| self.people.by_login(&member.username)).collect())
    }
}

impl Teamed for GitLab {
    fn known_teams(&self) -> &KnownTeams {
        &self.teams
    }

    /// A group's own members who may push; those of the groups above it are the forge's administrators.
    fn members<'a>(&'a self, repo: &'a RepoId, team: &'a str) -> Fut<'a, Result<BTreeSet<User>, NetError>> {
        Box::pin(async move {
            if let Some(name) = team.strip_prefix('@') {
                return self.either(name).await;
            }
            let (of, name) = parts(team, &self.place(repo)?.project.path)?;
            self.in_group(&format!("{of}/{name}")).await
        })
    }
}
