//! Who is in the teams of a forge, remembered for a while.

use super::NetError;
use crate::{
    core::{
        model::{RepoId, Span, Time, User},
        review::Right,
    },
    ports::{ForgeErrorKind, Fut, People},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

/// How long a team is believed where nothing is decided by it; within it somebody who left is still shown.
const BELIEVED: Span = Span::mins(5);

/// Rights that a team gives are asked for with every comment: within this somebody who left may still speak.
const RIGHTS: Span = Span::secs(30);

/// How long a team is remembered for whoever stops something while its forge cannot be asked.
const REMEMBERED_FOR: Span = Span::mins(24 * 60);

/// Pages of members of one team, of a hundred or fewer: a rule that names more names everybody.
pub const MEMBER_PAGES: usize = 20;

/// Teams that are remembered; beyond it everything is asked again.
const REMEMBERED: usize = 1000;

/// What the last questions told, by team.
#[derive(Debug, Default)]
pub struct KnownTeams(Mutex<BTreeMap<String, (BTreeSet<User>, Time)>>);

/// A forge that can be asked for the members of its teams.
pub trait Teamed: Sync {
    fn known_teams(&self) -> &KnownTeams;

    /// Asks for the members of a team by its whole name (`platform/sre`), bounded; an error where not all of them were told.
    fn members<'a>(&'a self, repo: &'a RepoId, team: &'a str) -> Fut<'a, Result<BTreeSet<User>, NetError>>;
}

/// The members of a team, as young as asked for.
pub async fn members(forge: &dyn Teamed, repo: &RepoId, team: &str, fresh: bool, now: Time) -> Result<BTreeSet<User>, NetError> {
    within(forge, repo, team, if fresh { Span(0) } else { BELIEVED }, now).await
}

/// The greatest right that teams of the configuration give somebody. A team that cannot be read gives nobody anything.
pub async fn right_by_teams(forge: &dyn Teamed, people: &dyn People, repo: &RepoId, who: &User, listed: Right, now: Time) -> Result<Right, NetError> {
    let mut right = listed;
    for (given, team) in people.teams(repo) {
        if given <= right {
            continue;
        }
        match within(forge, repo, &team, RIGHTS, now).await {
            Ok(all) if all.contains(who) => right = given,
            Ok(_) => {}
            // It is asked again, and who speaks waits.
            Err(error) if error.kind.passes() => return Err(error),
            Err(error) => tracing::warn!(%repo, team, "nobody counts as one of the team: {error}"),
        }
    }
    Ok(right)
}

/// The greatest right by the configuration and by teams as they were last told; asks nobody.
pub fn right_remembered(forge: &dyn Teamed, people: &dyn People, repo: &RepoId, who: &User, now: Time) -> Right {
    let teams = forge.known_teams().0.lock().unwrap_or_else(PoisonError::into_inner);
    let told = |team: &str| teams.get(&called(repo, team)).is_some_and(|(members, at)| *at <= now && now - *at < REMEMBERED_FOR && members.contains(who));
    people.teams(repo).into_iter().filter(|(_, team)| told(team)).map(|(given, _)| given).fold(people.right(repo, who), Right::max)
}

/// How a team is remembered. By repository: a bare name is another team for another owner.
fn called(repo: &RepoId, team: &str) -> String {
    format!("{repo} {team}")
}

async fn within(forge: &dyn Teamed, repo: &RepoId, team: &str, most: Span, now: Time) -> Result<BTreeSet<User>, NetError> {
    let teams = &forge.known_teams().0;
    let called = called(repo, team);
    let known = teams.lock().unwrap_or_else(PoisonError::into_inner).get(&called).cloned();
    if let Some((members, _)) = known.filter(|(_, at)| *at <= now && now - *at < most) {
        return Ok(members);
    }
    let found = forge.members(repo, team).await?;
    let mut teams = teams.lock().unwrap_or_else(PoisonError::into_inner);
    if teams.len() >= REMEMBERED {
        teams.clear();
    }
    teams.insert(called, (found.clone(), now));
    Ok(found)
}

/// Whose a team is and its name; one without says whose repository it is for.
pub fn parts<'a>(team: &'a str, project: &'a str) -> Result<(&'a str, &'a str), NetError> {
    let owner = project.split('/').next().unwrap_or_default();
    let (of, name) = team.rsplit_once('/').unwrap_or((owner, team));
    let fits = |part: &str| !part.is_empty() && part != "." && part != ".." && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    if fits(of) && fits(name) {
        Ok((of, name))
    } else {
        Err(NetError::new(ForgeErrorKind::Invalid, format!("`{}` names no team; write it as `platform/sre`", team.escape_debug())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_is_named_by_whose_it_is_and_its_name_and_leads_nowhere_else() {
        let read = |team: &'static str| parts(team, "platform/dns").ok();
        assert_eq!(read("platform/sre"), Some(("platform", "sre")));
        assert_eq!(read("sre"), Some(("platform", "sre")));
        assert_eq!(read("a/b/sre"), Some(("a/b", "sre")));
        assert_eq!(["", "/", "a/", "/b", "../sre", "a/..", "a b/c", "a/b?x=1", "a/b#"].map(read), [None; 9]);
    }
}
