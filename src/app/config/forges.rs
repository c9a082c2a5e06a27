//! The keys of `server.yaml` for network forges, and what can be wrong with them.

use super::{
    Discover, Repository, SecretSource, SecretSources, Server,
    check::{Check, instead},
};
use crate::core::model::{Refusal, RefusalKind, Span, Str};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// What `forge:` of a repository says when nobody says it.
pub const LOCAL: &str = "local";

/// One forge in the network.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Forge {
    /// Which program it is.
    pub kind: ForgeKind,
    /// Where people open it: `https://git.example.com`.
    pub url: Str,
    /// Where its API begins, where that does not follow from `url` and `kind`.
    #[serde(default)]
    pub api: Option<Str>,
    /// Where the token of the server's own account there comes from. That account alone should be able to merge. Either this or `app`.
    #[serde(default)]
    pub token: Option<SecretSource>,
    /// Instead of a token, on GitHub: an app that is installed where the repositories are.
    #[serde(default)]
    pub app: Option<App>,
    /// Where the secret comes from with which its webhooks are signed; a list while it is rotated. Without it only repositories with one of their own take webhooks. For GitLab: the signing token (`whsec_…`), or the older secret token.
    #[serde(default)]
    pub webhook_secret: SecretSources,
    /// The file of the authorities that alone are trusted. Without it: the machine's.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// The name of the server's own account. Without it the forge is asked whose the token is.
    #[serde(default)]
    pub bot: Option<Str>,
    /// Lets the token travel unencrypted to a forge at `http://` that is not on this machine.
    #[serde(default)]
    pub insecure: bool,
    /// Whether runs are shown among the forge's deployments, where it has such. On GitHub deployments are events, and workflows that wait for them start: say `false` where some would.
    #[serde(default = "default_deployments")]
    pub deployments: bool,
    /// Groups whose repositories are found by asking, and what each of them gets.
    #[serde(default)]
    pub discover: Vec<Discover>,
    /// How often it is asked for them. The server restarts itself, once nothing runs, to serve others than it does.
    #[serde(default = "super::discover::default_every")]
    pub discover_every: Span,
    /// How long one answer may take.
    #[serde(default = "default_answer")]
    pub answer_timeout: crate::core::model::Span,
}

fn default_deployments() -> bool {
    true
}

/// A GitHub App.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Its client id (`Iv23…`) or its number, as its page shows them.
    #[serde(deserialize_with = "text_or_number")]
    #[schemars(with = "Str")]
    pub id: Str,
    /// Where its private key comes from: the file that GitHub lets you download once (`-----BEGIN RSA PRIVATE KEY-----`).
    pub key: SecretSource,
}

/// People write the number as GitHub shows it.
fn text_or_number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Str, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(Str),
    }
    Ok(match Either::deserialize(from)? {
        Either::Number(number) => number.to_string().into(),
        Either::Text(text) => text,
    })
}

/// Forges compute a large comparison while one waits; longer than this and they are down.
fn default_answer() -> crate::core::model::Span {
    crate::core::model::Span::secs(30)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ForgeKind {
    Gitea,
    Forgejo,
    Github,
    Gitlab,
}

impl ForgeKind {
    /// As the file says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gitea => "gitea",
            Self::Forgejo => "forgejo",
            Self::Github => "github",
            Self::Gitlab => "gitlab",
        }
    }
}

impl Forge {
    /// Where people open it, without a slash at its end.
    pub fn web(&self) -> &str {
        self.url.trim_end_matches('/')
    }

    /// Where its API begins, without a slash at its end.
    pub fn api(&self) -> String {
        let web = self.web();
        match (&self.api, self.kind) {
            (Some(api), _) => api.trim_end_matches('/').to_owned(),
            (None, ForgeKind::Gitea | ForgeKind::Forgejo) => format!("{web}/api/v1"),
            (None, ForgeKind::Gitlab) => format!("{web}/api/v4"),
            (None, ForgeKind::Github) if web == "https://github.com" => "https://api.github.com".to_owned(),
            (None, ForgeKind::Github) => format!("{web}/api/v3"),
        }
    }
}

impl Repository {
    /// Whether it lies on this server, and is no forge's.
    pub fn is_local(&self) -> bool {
        &*self.forge == LOCAL
    }
}

impl Server {
    /// The forge of a repository; `None`: the server itself is.
    pub fn forge_of(&self, repository: &Repository) -> Option<(&Str, &Forge)> {
        self.forges.get_key_value(&repository.forge)
    }
}

/// Every fault of the forges and of what repositories say of theirs.
pub(super) fn check(check: &mut Check<'_>) {
    let server = check.server;
    for (name, forge) in &server.forges {
        one(check, name, forge);
    }
    let mut seen: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for (i, repository) in server.repositories.iter().enumerate() {
        let at = i.to_string();
        if repository.is_local() {
            for (key, said) in [("project", repository.project.is_some()), ("webhook_secret", !repository.webhook_secret.0.is_empty())] {
                if said {
                    check.fault(RefusalKind::Schema, &["repositories", &at, key], format!("`{key}` means nothing to a repository on this server"), "remove it, or name a `forge:`");
                }
            }
            continue;
        }
        if !server.forges.contains_key(&repository.forge) {
            let advice = instead(&repository.forge, server.forges.keys(), "add it under `forges:`");
            check.fault(RefusalKind::Unknown, &["repositories", &at, "forge"], format!("no forge is named `{}`", repository.forge), advice);
            continue;
        }
        if repository.path.is_some() {
            let what = format!("`path` means nothing to a repository on `{}`: the server keeps a mirror of its own", repository.forge);
            check.fault(RefusalKind::Schema, &["repositories", &at, "path"], what, "remove it");
        }
        if repository.webhook_secret.0.iter().any(|source| matches!(source, SecretSource::File(_))) {
            check.needs_folder(&["repositories", &at, "webhook_secret"]);
        }
        if server.forges.get(&repository.forge).is_some_and(|forge| forge.app.is_some()) && !repository.webhook_secret.0.is_empty() {
            let what = format!("`{}` is an app's, and an app has one webhook with one secret", repository.forge);
            check.fault(RefusalKind::Schema, &["repositories", &at, "webhook_secret"], what, "put it under the forge");
        }
        let Some(project) = &repository.project else {
            let what = format!("`project` is missing: which repository of `{}` is it?", repository.forge);
            check.fault(RefusalKind::Schema, &["repositories", &at], what, "add `project: OWNER/NAME`");
            continue;
        };
        let part_fits = |part: &str| !part.is_empty() && part != "." && part != ".." && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if project.split('/').count() < 2 || !project.split('/').all(part_fits) {
            let what = format!("`{}` is no path of a repository", project.escape_debug());
            check.fault(RefusalKind::Value, &["repositories", &at, "project"], what, "write it as in its address: `OWNER/NAME`");
        }
        // Forges do not tell letters of different case apart in paths.
        if let Some(first) = seen.insert((&repository.forge, project.to_ascii_lowercase()), i) {
            let place = |i: usize| check.node.nearest_to(&["repositories", &i.to_string(), "project"]).place.clone();
            let what = format!("`{}` and `{}` are both `{project}` on `{}`", server.repositories[first].name, repository.name, repository.forge);
            let fault = Refusal::new(RefusalKind::Overlap, what).at(place(i)).also(place(first)).advice("name each repository of a forge once");
            check.found.push(fault);
        }
    }
}

fn one(check: &mut Check<'_>, name: &Str, forge: &Forge) {
    let path = |key: &'static str| ["forges".to_owned(), name.to_string(), key.to_owned()];
    let fault = |check: &mut Check<'_>, kind: RefusalKind, key: &'static str, what: String, advice: &str| {
        let path = path(key);
        check.fault(kind, &[&path[0], &path[1], &path[2]], what, advice);
    };
    let place = check.node.nearest_to(&["forges", name]).place.clone();
    if &**name == LOCAL || name.is_empty() || name.chars().any(|c| !(c.is_ascii_alphanumeric() || "._-".contains(c))) {
        let advice = "use letters, digits, `.`, `-` and `_`; `local` is the server itself";
        fault(check, RefusalKind::Value, "kind", format!("`{}` is no forge's name", name.escape_debug()), advice);
    }
    for (key, url) in [("url", Some(&forge.url)), ("api", forge.api.as_ref())] {
        let Some(url) = url else { continue };
        match address(url) {
            Err(Wrong::Secret) => {
                // The line that is quoted would show it.
                let advice = "write it like `https://git.example.com`, put the token under `token`, and make a new one, because this file has held it";
                check.found.push(
                    Refusal::new(RefusalKind::Value, format!("a user or password stands in it: `{key}`")).at(crate::core::model::Place::file(place.file.clone())).advice(advice),
                );
            }
            Err(Wrong::Form(why)) => fault(check, RefusalKind::Value, key, format!("`{}` {why}", url.escape_debug()), "write it like `https://git.example.com`"),
            Ok(Safe::Plain) if !forge.insecure => {
                let what = "the token would travel unencrypted".to_owned();
                fault(check, RefusalKind::Value, key, what, "start it with `https://`, or say `insecure: true` if the network between is yours alone");
            }
            Ok(Safe::Encrypted | Safe::Here | Safe::Plain) => {}
        }
    }
    match (&forge.token, &forge.app) {
        (Some(_), None) => {}
        (None, None) => fault(check, RefusalKind::Schema, "kind", "the server has no account there".to_owned(), "add `token:`, or on GitHub `app:`"),
        (Some(_), Some(_)) => fault(check, RefusalKind::Schema, "app", "the server would have two accounts there".to_owned(), "name `token` or `app`, one of the two"),
        (None, Some(_)) if forge.kind != ForgeKind::Github => {
            fault(check, RefusalKind::Value, "app", format!("a forge of kind `{}` knows no apps", forge.kind.as_str()), "give it a `token:`");
        }
        (None, Some(app)) => {
            if app.id.is_empty() || !app.id.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
                fault(check, RefusalKind::Value, "app", format!("`{}` is no id of an app", app.id.escape_debug()), "copy the client id or the number from the app's page");
            }
        }
    }
    let keys = forge.token.iter().map(|source| ("token", source)).chain(forge.app.iter().map(|app| ("app", &app.key)));
    for (key, secret) in keys.chain(forge.webhook_secret.0.iter().map(|source| ("webhook_secret", source))) {
        if matches!(secret, SecretSource::File(_)) {
            let path = path(key);
            check.needs_folder(&[&path[0], &path[1], &path[2]]);
        }
    }
}

/// Why an address is none that can be used.
pub(super) enum Wrong {
    /// It holds what nobody may read.
    Secret,
    Form(&'static str),
}

/// How a token travels to an address.
pub(super) enum Safe {
    Encrypted,
    /// Unencrypted, and never over a wire.
    Here,
    Plain,
}

pub(super) fn address(url: &str) -> Result<Safe, Wrong> {
    let parsed = reqwest::Url::parse(url).map_err(|_| Wrong::Form("is no URL"))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(Wrong::Secret);
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(Wrong::Form("holds more than an address"));
    }
    match (parsed.scheme(), parsed.host_str()) {
        (_, None) => Err(Wrong::Form("names no host")),
        ("https", Some(_)) => Ok(Safe::Encrypted),
        ("http", Some(host)) => {
            let loopback = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
            Ok(if loopback || host == "localhost" { Safe::Here } else { Safe::Plain })
        }
        _ => Err(Wrong::Form("is no URL of a web page")),
    }
}
