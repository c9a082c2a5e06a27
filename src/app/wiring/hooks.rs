//! Where webhooks come in: a door for each forge that the configuration names, with what its deliveries are signed with.

use crate::{
    app::{
        config::{self, ForgeKind, SecretSources},
        hooks::{Door, Project},
    },
    core::model::{RepoId, Str},
    forges::hooks::Dialect,
    ports::{SecretText, Secrets},
};
use anyhow::Context as _;
use std::collections::BTreeMap;

/// The doors of the configuration, with their secrets read.
pub async fn doors(server: &config::Server, secrets: &dyn Secrets) -> anyhow::Result<BTreeMap<Str, Door>> {
    let mut doors = BTreeMap::new();
    for (name, forge) in &server.forges {
        let mut door = Door::new(dialect(forge.kind), read(&forge.webhook_secret, secrets).await.with_context(|| format!("the webhook secret of forge {name}"))?);
        // Further branches hear of what their repository is told.
        for repository in server.repositories.iter().filter(|repository| repository.forge == *name && repository.of.is_none()) {
            let Some(path) = &repository.project else { continue };
            let own = read(&repository.webhook_secret, secrets).await.with_context(|| format!("the webhook secret of repository {}", repository.name))?;
            door = door.with(path, Project { repo: RepoId::new(repository.name.clone()), secrets: own });
        }
        doors.insert(name.clone(), door);
    }
    Ok(doors)
}

fn dialect(kind: ForgeKind) -> Dialect {
    match kind {
        ForgeKind::Gitea | ForgeKind::Forgejo => Dialect::Gitea,
        ForgeKind::Github => Dialect::GitHub,
        ForgeKind::Gitlab => Dialect::GitLab,
    }
}

async fn read(sources: &SecretSources, secrets: &dyn Secrets) -> anyhow::Result<Vec<SecretText>> {
    let mut all = Vec::new();
    for source in &sources.0 {
        all.push(super::resolve(secrets, &source.reference()).await?);
    }
    Ok(all)
}
