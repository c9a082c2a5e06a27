//! Who is in an organisation's teams.

use super::{
    forge::Gitea,
    wire::{Account, Team},
};
use crate::{
    core::model::{RepoId, User},
    forges::net::{KnownTeams, MEMBER_PAGES, NetError, Teamed, encoded, parts},
    ports::{ForgeErrorKind, Fut},
};
use std::collections::BTreeSet;

/// Entries of a page; the most that Gitea gives unless its operators say otherwise.
const PAGE: usize = 50;

impl Teamed for Gitea {
    fn known_teams(&self) -> &KnownTeams {
        &self.teams
    }

    fn members<'a>(&'a self, repo: &'a RepoId, team: &'a str) -> Fut<'a, Result<BTreeSet<User>, NetError>> {
        Box::pin(async move {
            let (org, name) = parts(team, &self.place(repo)?.path)?;
            let whole = |whole: bool, what: &str| match whole {
                true => Ok(()),
                false => Err(NetError::new(ForgeErrorKind::Invalid, format!("forge {} has more {what} than are read; not all of it was", self.client.name()))),
            };
            let (teams, all) = self.client.pages::<Team>(&format!("/orgs/{}/teams?limit={PAGE}", encoded(org)), MEMBER_PAGES).await?;
            let missing = || NetError::new(ForgeErrorKind::NotFound, format!("forge {} shows no team `{name}` in `{org}` to the server's account", self.client.name()));
            let Some(team) = teams.into_iter().find(|team| team.name.eq_ignore_ascii_case(name)) else {
                whole(all, "teams")?;
                return Err(missing());
            };
            let (members, all) = self.client.pages::<Account>(&format!("/teams/{}/members?limit={PAGE}", team.id), MEMBER_PAGES).await?;
            whole(all, "members of the team")?;
            Ok(members.iter().map(|account| self.user(&account.login)).collect())
        })
    }
}
