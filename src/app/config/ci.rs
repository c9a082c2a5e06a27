//! How jobs of CI sign in: with the tokens that their forge makes for them, or with tokens of their own.

use super::{
    ForgeKind, Repository, Server, TokenSource,
    check::{Check, instead},
    forges::{Safe, Wrong, address},
};
use crate::core::model::{RefusalKind, SecretRef, Span, Str};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// Who may ask for previews beside people: jobs of CI, about their own repository and nothing else.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ci {
    /// The forges whose tokens for jobs (OIDC) are taken. The token's own claims say which repository and commit it may ask about.
    pub sign_ins: Vec<SignIn>,
    /// Tokens of jobs, where the forge makes none (Gitea, Forgejo, this server itself).
    pub tokens: Vec<JobToken>,
}

/// One forge whose tokens for jobs are taken.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The forge under `forges` whose jobs these are: of kind `github` or `gitlab`.
    pub forge: Str,
    /// Who makes the tokens, exactly as their `iss` says. Without it: `https://token.actions.githubusercontent.com` for github.com, `URL/_services/token` for a GitHub of your own, the forge's `url` for GitLab.
    #[serde(default)]
    pub issuer: Option<Str>,
    /// For whom they must be made (`aud`). Without it: the server's `url`.
    #[serde(default)]
    pub audience: Option<Str>,
    /// The URL of the issuer's public keys. Without it: `ISSUER/.well-known/jwks` for GitHub, `ISSUER/oauth/discovery/keys` for GitLab. They are read again every hour, and when a token names a new one.
    #[serde(default)]
    pub keys: Option<Str>,
    /// A file with the issuer's public keys (a JWK set) instead, where the server cannot reach them.
    #[serde(default)]
    pub keys_file: Option<PathBuf>,
    /// Claims that every token must have with exactly this text: `repository_owner: example`.
    #[serde(default)]
    pub claims: BTreeMap<Str, Str>,
    /// By how much the clocks of issuer and server may differ; at most 5m.
    #[serde(default = "default_leeway")]
    pub leeway: Span,
}

/// What machines that keep their time differ by, many times over.
fn default_leeway() -> Span {
    Span::secs(30)
}

/// A token of a job. It asks for previews and does nothing else.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobToken {
    /// What it is called in logs.
    pub name: Str,
    /// Where the token, or its hash, comes from.
    pub token: TokenSource,
    /// The repositories whose merge requests it may ask about.
    pub repositories: Vec<Str>,
}

/// Clocks that differ by more are a fault to mend.
const MOST_LEEWAY: Span = Span::mins(5);

/// Claims that are judged anyhow.
const JUDGED: [&str; 5] = ["iss", "aud", "exp", "nbf", "iat"];

impl SignIn {
    /// Who makes the tokens.
    pub fn issuer(&self, server: &Server) -> String {
        let web = server.forges.get(&self.forge).map_or("", |forge| forge.web());
        match (&self.issuer, server.forges.get(&self.forge).map(|forge| forge.kind)) {
            (Some(issuer), _) => issuer.to_string(),
            (None, Some(ForgeKind::Github)) if web == "https://github.com" => "https://token.actions.githubusercontent.com".to_owned(),
            (None, Some(ForgeKind::Github)) => format!("{web}/_services/token"),
            (None, Some(ForgeKind::Gitlab | ForgeKind::Gitea | ForgeKind::Forgejo) | None) => web.to_owned(),
        }
    }

    /// Where the issuer's keys are.
    pub fn keys(&self, server: &Server) -> String {
        let path = match server.forges.get(&self.forge).map(|forge| forge.kind) {
            Some(ForgeKind::Gitlab) => "/oauth/discovery/keys",
            Some(ForgeKind::Github | ForgeKind::Gitea | ForgeKind::Forgejo) | None => "/.well-known/jwks",
        };
        self.keys.as_ref().map_or_else(|| format!("{}{path}", self.issuer(server).trim_end_matches('/')), ToString::to_string)
    }
}

impl Ci {
    /// The secrets of it that the server itself uses, with what they are.
    pub(super) fn own_secrets(&self) -> impl Iterator<Item = (String, SecretRef)> + '_ {
        self.tokens.iter().filter_map(|token| Some((format!("token of CI {}", token.name), token.token.reference()?)))
    }
}

/// Every fault of the sign-ins of jobs.
pub(super) fn check(check: &mut Check<'_>) {
    let server = check.server;
    let mut issuers: BTreeMap<String, usize> = BTreeMap::new();
    for (i, sign_in) in server.ci.sign_ins.iter().enumerate() {
        let at = i.to_string();
        let path = |key: &'static str| ["ci".to_owned(), "sign_ins".to_owned(), at.clone(), key.to_owned()];
        let mut fault = |kind, key, what: String, advice: String| {
            let path = path(key);
            check.fault(kind, &path.each_ref().map(String::as_str), what, advice);
        };
        match server.forges.get(&sign_in.forge).map(|forge| forge.kind) {
            None => {
                fault(RefusalKind::Unknown, "forge", format!("no forge is named `{}`", sign_in.forge), instead(&sign_in.forge, server.forges.keys(), "add it under `forges:`"));
                continue;
            }
            Some(kind @ (ForgeKind::Gitea | ForgeKind::Forgejo)) => {
                let what = format!("a forge of kind `{}` makes no tokens for its jobs", kind.as_str());
                fault(RefusalKind::Value, "forge", what, "give its jobs a token under `ci.tokens`".into());
                continue;
            }
            Some(ForgeKind::Github | ForgeKind::Gitlab) => {}
        }
        let (issuer, keys) = (sign_in.issuer(server), sign_in.keys(server));
        for (key, url) in [("issuer", Some(&issuer)), ("keys", Some(&keys).filter(|_| sign_in.keys_file.is_none()))] {
            let Some(url) = url else { continue };
            match address(url) {
                Ok(Safe::Encrypted | Safe::Here) => {}
                Ok(Safe::Plain) => fault(RefusalKind::Value, key, "whoever is between could put keys of their own there".into(), "start it with `https://`".into()),
                Err(Wrong::Secret) => fault(RefusalKind::Value, key, "a user or password stands in it".into(), "write it like `https://git.example.com`".into()),
                Err(Wrong::Form(why)) => fault(RefusalKind::Value, key, format!("`{}` {why}", url.escape_debug()), "write it like `https://git.example.com`".into()),
            }
        }
        if sign_in.keys.is_some() && sign_in.keys_file.is_some() {
            fault(RefusalKind::Schema, "keys_file", "the keys come from one place".into(), "name `keys` or `keys_file`, one of the two".into());
        }
        if sign_in.audience.as_deref().unwrap_or("x").is_empty() {
            fault(RefusalKind::Value, "audience", "a token for nobody is for anybody".into(), "write the server's URL, or leave it out".into());
        }
        if sign_in.leeway > MOST_LEEWAY {
            fault(RefusalKind::Value, "leeway", "clocks that differ by this much make expiry worth nothing".into(), "write 5m or less".into());
        }
        for claim in sign_in.claims.keys().filter(|claim| JUDGED.contains(&&***claim)) {
            fault(RefusalKind::Value, "claims", format!("`{claim}` is judged by itself"), "remove it from `claims`".into());
        }
        if let Some(first) = issuers.insert(issuer.clone(), i) {
            let what = format!("sign-ins {} and {} are both of {issuer}", first + 1, i + 1);
            fault(RefusalKind::Overlap, "forge", what, "name each issuer once; its repositories are found by their `project`".into());
        }
    }
    tokens(check);
}

/// Every repository that is configured by itself, further branches too.
fn all_names(server: &Server) -> Vec<Str> {
    let branches = |of: &Repository| of.branches.iter().map(|branch| format!("{}@{}", of.name, branch.label()).into()).collect::<Vec<Str>>();
    server.repositories.iter().flat_map(|of| std::iter::once(of.name.clone()).chain(branches(of))).collect()
}

/// Whether a name may be that of a repository that a forge is asked for, or of a further branch of it.
fn is_found(server: &Server, name: &str) -> bool {
    let (path, label) = name.split_once('@').map_or((name, None), |(path, label)| (path, Some(label)));
    server.forges.values().flat_map(|forge| &forge.discover).any(|entry| {
        let below = path.strip_prefix(&*entry.group).and_then(|rest| rest.strip_prefix('/'));
        below.is_some_and(|below| entry.takes(below, false).is_ok()) && label.is_none_or(|label| entry.branches.iter().any(|branch| *branch.label() == *label))
    })
}

fn tokens(check: &mut Check<'_>) {
    let server = check.server;
    let mut names: BTreeSet<&Str> = BTreeSet::new();
    for (i, token) in server.ci.tokens.iter().enumerate() {
        let at = i.to_string();
        if !names.insert(&token.name) || token.name.is_empty() {
            check.fault(RefusalKind::Overlap, &["ci", "tokens", &at, "name"], format!("`{}` names no one token", token.name.escape_debug()), "give each token a name of its own");
        }
        if matches!(token.token, TokenSource::File(_)) {
            check.needs_folder(&["ci", "tokens", &at, "token"]);
        }
        if token.repositories.is_empty() {
            check.fault(RefusalKind::Value, &["ci", "tokens", &at, "repositories"], "a token for no repository opens nothing".into(), "list the repositories it may ask about");
        }
        for (r, name) in token.repositories.iter().enumerate() {
            let all = all_names(server);
            if !all.contains(name) && !is_found(server, name) {
                let advice = instead(name, all.iter(), "add it under `repositories:`");
                check.fault(RefusalKind::Unknown, &["ci", "tokens", &at, "repositories", &r.to_string()], format!("no repository is named `{name}`"), advice);
            }
        }
    }
}
