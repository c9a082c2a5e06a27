//! Who people are: tokens, mail addresses and rights, from the server's configuration.

use super::config;
use crate::{
    core::{
        model::{RepoId, User},
        review::{Right, team_of},
    },
    ports::{People, Secrets},
};
use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// The people of one configuration. Tokens are kept as SHA-256 only.
pub struct Directory {
    server: Arc<config::Server>,
    tokens: Vec<([u8; 32], User)>,
}

impl Directory {
    /// Reads every user's token once.
    pub async fn read(server: Arc<config::Server>, secrets: &dyn Secrets) -> anyhow::Result<Self> {
        let mut tokens = Vec::new();
        for user in &server.users {
            let hash = match (&user.token, user.token.reference()) {
                (config::TokenSource::Sha256(hex), _) => {
                    crate::core::model::Fingerprint::parse(hex).with_context(|| format!("the token hash of {} is not 64 hex digits", user.name))?.0
                }
                (_, Some(reference)) => {
                    let token = secrets.resolve(&reference).await.with_context(|| format!("the token of user {}", user.name))?;
                    anyhow::ensure!(!token.expose().is_empty(), "the token of user {} is empty", user.name);
                    Sha256::digest(token.expose().as_bytes()).into()
                }
                (_, None) => anyhow::bail!("user {} has no token", user.name),
            };
            tokens.push((hash, User::new(user.name.clone())));
        }
        Ok(Self { server, tokens })
    }

    /// The same where nobody signs in.
    pub fn strangers(server: Arc<config::Server>) -> Self {
        Self { server, tokens: Vec::new() }
    }

    /// Whose token this is. Only hashes are compared, so the time it takes tells nothing about a token.
    pub fn by_token(&self, token: &str) -> Option<User> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        self.tokens.iter().find(|(known, _)| *known == hash).map(|(_, user)| user.clone())
    }
}

impl People for Directory {
    fn right(&self, repo: &RepoId, who: &User) -> Right {
        let found = self.server.repositories.iter().find(|repository| *repository.name == *repo.0);
        found.map_or(Right::None, |repository| self.server.right(repository, who.as_str()))
    }

    fn teams(&self, repo: &RepoId) -> Vec<(Right, String)> {
        let found = self.server.repositories.iter().find(|repository| *repository.name == *repo.0);
        let lists = found.into_iter().flat_map(|of| [(Right::Admin, &of.admins), (Right::Approve, &of.approvers), (Right::Write, &of.writers), (Right::Read, &of.readers)]);
        lists.flat_map(|(right, names)| names.iter().filter_map(move |name| Some((right, team_of(name)?.to_owned())))).collect()
    }

    fn by_email(&self, email: &str) -> Option<User> {
        let mine = |user: &&config::User| user.emails.iter().any(|known| known.eq_ignore_ascii_case(email));
        self.server.users.iter().find(mine).map(|user| User::new(user.name.clone()))
    }

    fn by_login(&self, login: &str) -> User {
        let bots = self.server.forges.values().filter_map(|forge| forge.bot.clone());
        let mut known = self.server.users.iter().map(|user| user.name.clone()).chain(self.server.accounts()).chain(bots);
        User::new(known.find(|name| name.eq_ignore_ascii_case(login)).unwrap_or_else(|| login.into()))
    }
}
