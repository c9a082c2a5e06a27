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
    /// `host:port` of every configured target, which probes may reach as well.
    pub fn target_addresses(&self) -> Vec<(String, u16)> {
        let named = |target: &Target| {
            let dns = target.address.iter().chain(&target.nameservers).map(|address| (address.to_string(), 53));
            let urls = target.endpoints.iter().map(|url| {
                let usual = if url.starts_with("https://") { 443 } else { 80 };
                let authority = url.split_once("://").map_or(&**url, |(_, rest)| rest).split(['/', '?', '#']).next().unwrap_or_default();
                (authority.to_owned(), usual)
            });
            dns.chain(urls).collect::<Vec<_>>()
        };
        let split = |(text, usual): (String, u16)| match text.parse::<std::net::SocketAddr>() {
            Ok(address) => (address.ip().to_string(), address.port()),
            Err(_) if text.parse::<std::net::IpAddr>().is_ok() => (text, usual),
            Err(_) => match text.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?))) {
                Some(named) => named,
                None => (text, usual),
            },
        };
        self.targets.values().flat_map(named).map(split).collect()
    }
}
