//! The keys of `server.yaml` about health probes: what repositories may name, and what may be reached.

use super::{SecretSource, Server, Target};
use crate::core::model::{Span, Str};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// What health probes of repositories may name.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Probes {
    /// A file of authorities that HTTPS probes and Prometheus trust beside the machine's own.
    pub ca: Option<PathBuf>,
    /// Commands by name. A repository names one; only what stands here is run, as the server's own user.
    pub commands: BTreeMap<Str, Command>,
    /// Prometheus servers by name. A repository writes the query and the test.
    pub prometheus: BTreeMap<Str, Prometheus>,
    /// Probes asked at the same time, all changes together.
    pub at_once: u32,
}

impl Default for Probes {
    /// Enough that a thousand different probes are asked in a few seconds, few enough for one process.
    fn default() -> Self {
        Self { ca: None, commands: BTreeMap::new(), prometheus: BTreeMap::new(), at_once: 32 }
    }
}

/// A command that health probes may name.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The program, by its whole path, and its arguments. `{name}` stands for an argument that the repository gives. No shell reads it.
    pub argv: Vec<Str>,
    /// The arguments by name, each with the patterns (glob) of what it may be: `[prod, staging]`. One that begins with `-` is never passed.
    #[serde(default)]
    pub args: BTreeMap<Str, Vec<Str>>,
    /// All of its environment: nothing of the server's own is handed on.
    #[serde(default)]
    pub env: BTreeMap<Str, Str>,
    /// How long it may run before it is killed with all it started; a probe's own `timeout` may be shorter.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
}

/// A Prometheus that health probes may query.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prometheus {
    /// Its URL, up to `/api`: `http://prometheus.example.com:9090`.
    pub url: Str,
    /// Where the bearer token comes from, if it wants one.
    #[serde(default)]
    pub token: Option<SecretSource>,
}

/// A smoke test of a few requests ends long before.
fn default_timeout() -> Span {
    Span::secs(30)
}

impl Server {
    /// `host:port` of every configured target. A connection or a DNS question of a probe may go there whatever `networks` says.
    pub fn target_addresses(&self) -> Vec<(String, u16)> {
        let named = |target: &Target| {
            let dns = target.address.iter().chain(&target.nameservers).map(|address| split(address, 53));
            dns.chain(target.endpoints.iter().map(at)).collect::<Vec<_>>()
        };
        self.targets.values().flat_map(named).collect()
    }

    /// `host:port` of what else the server speaks to: its store, Vault, Prometheus.
    pub fn system_addresses(&self) -> Vec<(String, u16)> {
        let vault = self.vault.iter().map(|vault| &vault.address);
        self.store.endpoints.iter().chain(vault).chain(self.probes.prometheus.values().map(|prometheus| &prometheus.url)).map(at).collect()
    }
}

/// Where a URL leads.
fn at(url: &Str) -> (String, u16) {
    let usual = if url.starts_with("https://") { 443 } else { 80 };
    let authority = url.split_once("://").map_or(&**url, |(_, rest)| rest).split(['/', '?', '#']).next().unwrap_or_default();
    split(authority.rsplit('@').next().unwrap_or_default(), usual)
}

fn split(text: &str, usual: u16) -> (String, u16) {
    match text.parse::<std::net::SocketAddr>() {
        Ok(address) => (address.ip().to_string(), address.port()),
        Err(_) if text.parse::<std::net::IpAddr>().is_ok() => (text.to_owned(), usual),
        Err(_) => match text.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?))) {
            Some(named) => named,
            None => (text.to_owned(), usual),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{at, split};

    #[test]
    fn where_a_url_or_an_address_leads_is_read_with_its_usual_port() {
        assert_eq!(at(&"https://etcd1.example.com:2379/v3".into()), ("etcd1.example.com".into(), 2379));
        assert_eq!(at(&"http://user:word@[::1]:8500".into()), ("::1".into(), 8500));
        assert_eq!(at(&"https://vault.example.com".into()), ("vault.example.com".into(), 443));
        assert_eq!(at(&"http://192.0.2.1/x".into()), ("192.0.2.1".into(), 80));
        assert_eq!(split("2001:db8::53", 53), ("2001:db8::53".into(), 53));
    }
}
