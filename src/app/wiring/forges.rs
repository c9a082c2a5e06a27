//! The network forges that the configuration names, each with the mirrors of its repositories.

use crate::{
    app::{
        config::{self, ForgeKind},
        forges::Elsewhere,
        people::Directory,
        world::Forge,
    },
    core::{
        model::{RepoId, Str, User, nearest},
        review::labels,
    },
    forges::{
        gitea::Gitea,
        net::{ForgeConfig, Project, SignIn},
    },
    ports::{Clock, Exam, Furnished, Governed, Hook, Outcome, People, Secrets, SystemClock, Wish},
};
use anyhow::Context as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What there is beside the local forge.
pub struct Found {
    /// The forge of each repository that is not the local one's.
    pub network: BTreeMap<RepoId, Arc<dyn Forge>>,
    pub elsewhere: BTreeMap<RepoId, Elsewhere>,
}

/// Makes every network forge with its mirrors. Nothing is contacted yet.
pub async fn network(server: &config::Server, secrets: &dyn Secrets, branches: &BTreeMap<Str, Governed>, people: Arc<dyn People>, clock: Arc<dyn Clock>) -> anyhow::Result<Found> {
    let mut found = Found { network: BTreeMap::new(), elsewhere: BTreeMap::new() };
    for (name, forge) in &server.forges {
        let config = configured(server, name, forge, secrets, branches).await?;
        let ids: Vec<RepoId> = config.projects.iter().map(|project| project.id.clone()).collect();
        for project in &config.projects {
            found.elsewhere.insert(project.id.clone(), Elsewhere { page: project.page.clone(), requests: requests(forge.kind) });
        }
        let spoken = spoken(forge.kind, config, people.clone(), clock.clone()).with_context(|| format!("forge {name}"))?;
        found.network.extend(ids.into_iter().map(|id| (id, spoken.clone())));
    }
    Ok(found)
}

/// A forge without repositories, to ask which there are.
pub async fn finder(server: &config::Server, name: &Str, secrets: &dyn Secrets, clock: Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Forge>> {
    let forge = server.forges.get(name).with_context(|| format!("no forge is named `{name}`"))?;
    let alone = config::Server { repositories: Vec::new(), ..server.clone() };
    let config = configured(&alone, name, forge, secrets, &BTreeMap::new()).await?;
    spoken(forge.kind, config, Arc::new(Directory::strangers(Arc::new(alone))), clock).with_context(|| format!("forge {name}"))
}

/// The driver of one forge.
fn spoken(kind: ForgeKind, config: ForgeConfig, people: Arc<dyn People>, clock: Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Forge>> {
    match kind {
        ForgeKind::Gitea | ForgeKind::Forgejo => Ok(Arc::new(Gitea::new(config, people, clock)?)),
        #[cfg(feature = "forges")]
        ForgeKind::Github => Ok(Arc::new(crate::forges::github::GitHub::new(config, people, clock)?)),
        #[cfg(feature = "forges")]
        ForgeKind::Gitlab => Ok(Arc::new(crate::forges::gitlab::GitLab::new(config, people, clock)?)),
        #[cfg(not(feature = "forges"))]
        ForgeKind::Github | ForgeKind::Gitlab => {
            drop((config, people, clock));
            anyhow::bail!("this binary was built without forges of kind `{}`; build it with `--features forges`", kind.as_str())
        }
    }
}

/// What comes between a repository's page and the number of a merge request.
fn requests(kind: ForgeKind) -> &'static str {
    match kind {
        ForgeKind::Gitea | ForgeKind::Forgejo => "/pulls/",
        ForgeKind::Github => "/pull/",
        ForgeKind::Gitlab => "/-/merge_requests/",
    }
}

/// One forge with its secrets and authorities read.
async fn configured(server: &config::Server, name: &Str, forge: &config::Forge, secrets: &dyn Secrets, branches: &BTreeMap<Str, Governed>) -> anyhow::Result<ForgeConfig> {
    let ca = match &forge.ca {
        None => None,
        Some(path) => Some(std::fs::read(path).with_context(|| format!("cannot read {}, the authority of forge {name}", path.display()))?),
    };
    let project = |repository: &config::Repository| {
        let path = repository.project.as_ref()?;
        Some(Project {
            id: RepoId::new(repository.name.clone()),
            path: path.to_string(),
            page: format!("{}/{path}", forge.web()),
            branch: branches.get(&repository.name).cloned().unwrap_or_else(|| repository.governed()),
            mirror: server.repository_path(repository),
        })
    };
    let sign_in = match (&forge.app, &forge.token) {
        (Some(app), _) => {
            let key = super::resolve(secrets, &app.key.reference()).await.with_context(|| format!("the private key of the app on forge {name}"))?;
            SignIn::App { id: app.id.to_string(), key }
        }
        (None, Some(token)) => SignIn::Token(super::resolve(secrets, &token.reference()).await.with_context(|| format!("the token of forge {name}"))?),
        (None, None) => anyhow::bail!("forge {name} has neither `token` nor `app`"),
    };
    Ok(ForgeConfig {
        name: name.to_string(),
        web: forge.web().to_owned(),
        api: forge.api(),
        sign_in,
        ca,
        bot: forge.bot.clone().map(User::new),
        answer: forge.answer_timeout.std(),
        projects: server.repositories.iter().filter(|repository| repository.forge == *name).filter_map(project).collect(),
    })
}

/// Whom the lists and the policy of a repository name that only its forge knows.
#[derive(Default)]
pub struct NamedBy {
    pub teams: BTreeSet<Str>,
    /// People who may be in one of the teams.
    pub unknown: BTreeSet<Str>,
}

/// Names that nobody in the teams has: nobody can approve under them.
fn nobodies(repo: &RepoId, unknown: &BTreeSet<Str>, people: &BTreeSet<User>) -> Vec<Exam> {
    let there = |name: &str| people.iter().any(|who| who.as_str().eq_ignore_ascii_case(name));
    let one = |name: &Str| {
        let said = format!("policy asks `{name}`, who is no user of the configuration and in none of the teams: nobody can approve under that name");
        let next = match nearest(name, people.iter().map(User::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "correct it in `policy.approvals`, or put them into a team".to_owned(),
        };
        Exam::warn(format!("repository {repo}: approvals"), said, next)
    };
    unknown.iter().filter(|name| !there(name)).map(one).collect()
}

/// Looks at the forges and their repositories, as the server would use them; their mirrors are left alone.
pub async fn examine(server: &config::Server, secrets: &dyn Secrets, named_by: &BTreeMap<RepoId, NamedBy>) -> Vec<Exam> {
    if server.forges.is_empty() {
        return Vec::new();
    }
    let (found, _scratch) = match apart(server, secrets).await {
        Ok(made) => made,
        Err(error) => return vec![Exam::fail("forges", format!("{error:#}"), "mend the key under `forges:`; the server does not start without")],
    };
    let mut exams = Vec::new();
    for (repo, forge) in &found.network {
        let wished = wish(server, repo, secrets, false).await;
        exams.extend(forge.examine(repo, &wished.wish).await);
        exams.extend(wished.lacks);
        let named = named_by.get(repo);
        let mut people = Some(BTreeSet::new());
        for team in named.into_iter().flat_map(|named| &named.teams) {
            let about = format!("repository {repo}: team {team}");
            let members = forge.team(repo, team, true).await;
            match &members {
                Ok(members) => people.iter_mut().for_each(|people| people.extend(members.iter().cloned())),
                // Whoever is named may be in it.
                Err(_) => people = None,
            }
            exams.push(match members {
                Ok(members) if members.is_empty() => Exam::warn(about, "nobody is in it", "put people into it, or name others"),
                Ok(members) => Exam::ok(about, format!("{} people are in it", members.len())),
                Err(error) => Exam::fail(about, format!("nobody counts as one of it: {error}"), "let the server's account see the team, or name people"),
            });
        }
        if let (Some(named), Some(people)) = (named, people) {
            exams.extend(nobodies(repo, &named.unknown, &people));
        }
    }
    exams
}

/// Makes the same things stand at one forge, of these repositories, or of all that it holds. `dry`: says what it would do; `anew`: sets secrets again that nobody can read back.
pub async fn setup(server: &config::Server, secrets: &dyn Secrets, forge: &str, repositories: &[String], dry: bool, anew: bool) -> anyhow::Result<Vec<Furnished>> {
    anyhow::ensure!(server.forges.contains_key(forge), "no forge is named `{forge}`; `forges:` names {}", listed(server.forges.keys()));
    let of_it: Vec<&config::Repository> = server.repositories.iter().filter(|repository| *repository.forge == *forge).collect();
    if let Some(stranger) = repositories.iter().find(|name| !of_it.iter().any(|repository| *repository.name == ***name)) {
        anyhow::bail!("no repository `{stranger}` is on forge {forge}; it holds {}", listed(of_it.iter().map(|repository| &repository.name)));
    }
    let wanted = |repository: &config::Repository| *repository.forge == *forge && (repositories.is_empty() || repositories.iter().any(|name| **name == *repository.name));
    let only = config::Server {
        forges: server.forges.iter().filter(|(name, _)| ***name == *forge).map(|(name, forge)| (name.clone(), forge.clone())).collect(),
        repositories: server.repositories.iter().filter(|repository| wanted(repository)).cloned().collect(),
        ..server.clone()
    };
    let (found, _scratch) = apart(&only, secrets).await?;
    let mut done = Vec::new();
    for (repo, forge) in &found.network {
        let wished = wish(&only, repo, secrets, anew).await;
        done.extend(forge.furnish(repo, &wished.wish, dry).await);
        done.extend(wished.lacks.map(|exam| Furnished { about: exam.about, outcome: Outcome::Lacks, said: exam.said, next: exam.next }));
    }
    Ok(done)
}

fn listed<'a>(names: impl Iterator<Item = &'a Str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The forges with mirrors in a folder that goes when it is dropped.
async fn apart(server: &config::Server, secrets: &dyn Secrets) -> anyhow::Result<(Found, tempfile::TempDir)> {
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let elsewhere = Arc::new(config::Server { data: scratch.path().to_owned(), ..server.clone() });
    let people = Arc::new(Directory::strangers(elsewhere.clone()));
    let found = network(&elsewhere, secrets, &BTreeMap::new(), people, Arc::new(SystemClock)).await?;
    Ok((found, scratch))
}

/// What is wished of a forge for a repository, and why not more.
struct Wished {
    wish: Wish,
    lacks: Option<Exam>,
}

async fn wish(server: &config::Server, repo: &RepoId, secrets: &dyn Secrets, anew: bool) -> Wished {
    let about = format!("repository {repo}: webhook");
    let labels = labels();
    let without = |said: String, next: &str| Wished {
        wish: Wish { hook: None, labels: labels.clone() },
        lacks: Some(Exam::warn(&*about, format!("{said}, so that news is found by the sweep alone"), next)),
    };
    let Some(repository) = server.repositories.iter().find(|repository| *repository.name == *repo.0) else { return without("it is not configured".to_owned(), "add it") };
    if repository.of.is_some() {
        // Its repository's webhook tells of all branches.
        return Wished { wish: Wish { hook: None, labels }, lacks: None };
    }
    let forges = server.forge_of(repository).map(|(_, forge)| forge.webhook_secret.0.first());
    let Some(source) = repository.webhook_secret.0.first().or(forges.flatten()) else {
        return without("the server has no `webhook_secret` for it".to_owned(), "add it to the forge or the repository: `openssl rand -hex 32` makes one");
    };
    let Some(url) = &server.url else {
        return without("the server's configuration has no `url`".to_owned(), "add `url: https://…`, under which the forge reaches the server");
    };
    match super::resolve(secrets, &source.reference()).await {
        Ok(secret) => Wished { wish: Wish { hook: Some(Hook { url: format!("{}/hooks/{}", url.trim_end_matches('/'), repository.forge), secret, anew }), labels }, lacks: None },
        Err(error) => without(format!("its secret cannot be read: {error:#}"), "run this as the server's user, with its environment"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_policy_that_nobody_in_the_teams_has_is_told_with_the_nearest() {
        let people: BTreeSet<User> = ["ben", "Cleo"].map(User::new).into();
        let told = nobodies(&RepoId::new("dns"), &["bem".into(), "cleo".into(), "x".into()].into(), &people);
        let said: Vec<(bool, &str)> = told.iter().map(|exam| (exam.said.contains("`bem`"), exam.next.as_deref().unwrap_or_default())).collect();
        assert!(matches!(said[..], [(true, "did you mean `ben`?"), (false, _)]), "{said:?}");
    }
}
