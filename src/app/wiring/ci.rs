//! What jobs of CI sign in with: the issuers of the configuration with where their keys are, and the hashes of its tokens.

use crate::{
    app::{
        ci::{Issuer, KeyFault, KeySource, Keys, SignIns},
        config::{self, TokenSource},
    },
    core::model::{Fingerprint, RepoId},
    ports::{Clock, Exam, Secrets},
};
use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, sync::Arc};

/// The sign-ins of the configuration, with their secrets read. Nobody is contacted yet.
pub async fn sign_ins(server: &config::Server, secrets: &dyn Secrets, clock: Arc<dyn Clock>) -> anyhow::Result<SignIns> {
    let mut issuers = Vec::new();
    for sign_in in &server.ci.sign_ins {
        let about = format!("the sign-in of CI on forge {}", sign_in.forge);
        issuers.push(issuer(server, sign_in).with_context(|| about)?);
    }
    let mut tokens = Vec::new();
    for token in &server.ci.tokens {
        let hash = match (&token.token, token.token.reference()) {
            (TokenSource::Sha256(hex), _) => Fingerprint::parse(hex).with_context(|| format!("the hash of the CI token {} is not 64 hex digits", token.name))?.0,
            (TokenSource::Env(_) | TokenSource::File(_), Some(reference)) => {
                let text = secrets.resolve(&reference).await.with_context(|| format!("the CI token {}", token.name))?;
                anyhow::ensure!(!text.expose().is_empty(), "the CI token {} is empty", token.name);
                Sha256::digest(text.expose().as_bytes()).into()
            }
            (TokenSource::Env(_) | TokenSource::File(_), None) => anyhow::bail!("the CI token {} comes from nowhere", token.name),
        };
        tokens.push((hash, token.name.clone(), token.repositories.iter().map(|name| RepoId::new(name.clone())).collect()));
    }
    Ok(SignIns::new(issuers, tokens, clock))
}

/// Looks whether the issuers' keys can be read, as a job's first token would have it.
pub async fn examine(server: &config::Server) -> Vec<Exam> {
    let mut exams = Vec::new();
    for sign_in in &server.ci.sign_ins {
        let about = format!("sign-in of CI on forge {}", sign_in.forge);
        let issuer = match issuer(server, sign_in) {
            Ok(issuer) => issuer,
            Err(error) => {
                exams.push(Exam::fail(about, format!("{error:#}"), "mend it under `ci.sign_ins`; the server does not start without"));
                continue;
            }
        };
        exams.push(match issuer.keys.key("").await {
            Ok(_) | Err(KeyFault::Unknown) => Exam::ok(about, format!("the keys of {} are read, for tokens made for {}", issuer.name, issuer.audience)),
            Err(KeyFault::Away(why)) => Exam::fail(about, why, "let the server reach it, or name a copy with `keys_file`"),
        });
    }
    exams
}

fn issuer(server: &config::Server, sign_in: &config::SignIn) -> anyhow::Result<Issuer> {
    let forge = server.forges.get(&sign_in.forge).context("no such forge")?;
    // The keys of github.com are at another address than its API; those of a forge of one's own stand behind the same authority.
    let ca = match &forge.ca {
        None => None,
        Some(path) => Some(std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?),
    };
    let source = match &sign_in.keys_file {
        Some(path) => KeySource::File(path.clone()),
        None => KeySource::Url { url: sign_in.keys(server), ca },
    };
    let mut projects: BTreeMap<String, Vec<RepoId>> = BTreeMap::new();
    for repository in server.repositories.iter().filter(|repository| repository.forge == sign_in.forge) {
        if let Some(project) = &repository.project {
            projects.entry(project.to_ascii_lowercase()).or_default().push(RepoId::new(repository.name.clone()));
        }
    }
    Ok(Issuer {
        name: sign_in.issuer(server),
        kind: forge.kind,
        // As the command asks for it: without a slash at its end.
        audience: sign_in.audience.as_ref().map_or_else(|| server.url.as_deref().unwrap_or_default().trim_end_matches('/').to_owned(), ToString::to_string),
        keys: Keys::new(source)?,
        claims: sign_in.claims.clone(),
        leeway: sign_in.leeway,
        projects,
    })
}
