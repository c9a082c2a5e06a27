//! The network forges that the configuration names, each with the mirrors of its repositories.

use crate::{
    app::{
        config::{self, ForgeKind},
        forges::Elsewhere,
        people::Directory,
        world::Forge,
    },
    core::model::{RepoId, Str, User},
    forges::{
        gitea::Gitea,
        net::{ForgeConfig, Project},
    },
    ports::{Clock, Exam, People, Secrets, SystemClock},
};
use anyhow::Context as _;
use std::{collections::BTreeMap, sync::Arc};

/// What there is beside the local forge.
pub struct Found {
    /// The forge of each repository that is not the local one's.
    pub network: BTreeMap<RepoId, Arc<dyn Forge>>,
    pub elsewhere: BTreeMap<RepoId, Elsewhere>,
}

/// Makes every network forge with its mirrors. Nothing is contacted yet.
pub async fn network(server: &config::Server, secrets: &dyn Secrets, people: Arc<dyn People>, clock: Arc<dyn Clock>) -> anyhow::Result<Found> {
    let mut found = Found { network: BTreeMap::new(), elsewhere: BTreeMap::new() };
    for (name, forge) in &server.forges {
        let config = configured(server, name, forge, secrets).await?;
        let ids: Vec<RepoId> = config.projects.iter().map(|project| project.id.clone()).collect();
        for project in &config.projects {
            found.elsewhere.insert(project.id.clone(), Elsewhere { page: project.page.clone(), requests: requests(forge.kind) });
        }
        let spoken = spoken(forge.kind, config, people.clone(), clock.clone()).with_context(|| format!("forge {name}"))?;
        found.network.extend(ids.into_iter().map(|id| (id, spoken.clone())));
    }
    Ok(found)
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
async fn configured(server: &config::Server, name: &Str, forge: &config::Forge, secrets: &dyn Secrets) -> anyhow::Result<ForgeConfig> {
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
            branch: repository.branch.clone(),
            mirror: server.repository_path(repository),
        })
    };
    Ok(ForgeConfig {
        name: name.to_string(),
        web: forge.web().to_owned(),
        api: forge.api(),
        token: super::resolve(secrets, &forge.token.reference()).await.with_context(|| format!("the token of forge {name}"))?,
        ca,
        bot: forge.bot.clone().map(User::new),
        answer: forge.answer_timeout.std(),
        projects: server.repositories.iter().filter(|repository| repository.forge == *name).filter_map(project).collect(),
    })
}

/// Looks at the forges and their repositories, as the server would use them; their mirrors are left alone.
pub async fn examine(server: &config::Server, secrets: &dyn Secrets) -> Vec<Exam> {
    if server.forges.is_empty() {
        return Vec::new();
    }
    let fail = |error: anyhow::Error| vec![Exam::fail("forges", format!("{error:#}"), "mend the key under `forges:`; the server does not start without")];
    let made = async || {
        let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
        let elsewhere = Arc::new(config::Server { data: scratch.path().to_owned(), ..server.clone() });
        let people = Arc::new(Directory::strangers(elsewhere.clone()));
        let found = network(&elsewhere, secrets, people, Arc::new(SystemClock)).await?;
        anyhow::Ok((found, scratch))
    };
    let (found, _scratch) = match made().await {
        Ok(made) => made,
        Err(error) => return fail(error),
    };
    let mut exams = Vec::new();
    for (repo, forge) in &found.network {
        exams.extend(forge.examine(repo).await);
    }
    exams
}
