//! Asks probes: so many at once, each within its own time, whatever it is that does not answer.

use super::{
    command,
    config::{Config, ConfigError},
    dns,
    http::{self, Http},
    prometheus,
    reach::{Lookup, SystemLookup, split},
    tcp,
};
use crate::{
    core::model::{DnsProbe, HttpProbe, Probe, Question, Saw, Str, nearest},
    ports::{Fut, Probes},
};
use reqwest::{Client, Url, redirect::Policy};
use tokio::sync::Semaphore;

/// Asks every kind of probe.
pub struct Asker {
    config: Config,
    lookup: Box<dyn Lookup>,
    http: Http,
    /// For what operators named, which needs no judging; redirects lead elsewhere and are not followed.
    known: Client,
    turns: Semaphore,
}

impl Asker {
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::resolving(config, Box::new(SystemLookup))
    }

    /// The same with a resolver of the caller's.
    pub fn resolving(config: Config, lookup: Box<dyn Lookup>) -> Result<Self, ConfigError> {
        let fault = |what: String| ConfigError { what };
        let http = Http::new(config.authority.clone())?;
        let mut known = Client::builder().no_proxy().redirect(Policy::none());
        if let Some(authority) = &config.authority {
            known = known.tls_certs_merge(reqwest::Certificate::from_pem_bundle(&authority.0).map_err(|_| fault("`probes.ca` holds no certificate in PEM".into()))?);
        }
        let known = known.build().map_err(|error| fault(format!("no client can be made: {error}")))?;
        let turns = Semaphore::new(config.at_once.max(1));
        Ok(Self { config, lookup, http, known, turns })
    }

    fn unreachable(&self, host: &str) -> Option<(String, String)> {
        let what = self.config.networks.fault(host)?;
        Some((what, "the server's operators can add it to `networks`".to_owned()))
    }

    /// A connection or a DNS question may go to a target's own port.
    fn unreachable_port(&self, host: &str, port: u16) -> Option<(String, String)> {
        if self.config.networks.is_target(host, port) { None } else { self.unreachable(host) }
    }

    async fn asked(&self, probe: &Probe) -> Saw {
        let (networks, lookup) = (&self.config.networks, &*self.lookup);
        match &probe.ask {
            Question::Http(http) => self.http.ask(networks, lookup, http).await,
            Question::Tcp(address) => tcp::ask(networks, lookup, address).await,
            Question::Dns(dns) => dns::ask(networks, lookup, dns).await,
            Question::Command(asked) => match self.config.commands.get(&*asked.name) {
                Some(command) => command::ask(command, asked).await,
                None => missing(self, probe),
            },
            Question::Prometheus(asked) => match self.config.prometheus.get(&*asked.server) {
                Some(at) => prometheus::ask(&self.known, at, asked, probe.timeout.std()).await,
                None => missing(self, probe),
            },
        }
    }
}

fn missing(asker: &Asker, probe: &Probe) -> Saw {
    let (what, advice) = asker.fault(probe).unwrap_or_default();
    Saw::Nothing(format!("{what}; {advice}").into())
}

impl Probes for Asker {
    fn ask<'a>(&'a self, probe: &'a Probe) -> Fut<'a, Saw> {
        Box::pin(async move {
            let _turn = self.turns.acquire().await;
            match tokio::time::timeout(probe.timeout.std(), self.asked(probe)).await {
                Ok(saw) => saw,
                Err(_) => Saw::Nothing(format!("no answer within {}", probe.timeout).into()),
            }
        })
    }

    fn fault(&self, probe: &Probe) -> Option<(String, String)> {
        let instead = |word: &Str, known: Vec<&str>, section: &str| match nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the server's operators can add it under `{section}`"),
        };
        match &probe.ask {
            Question::Command(asked) => match self.config.commands.get(&*asked.name) {
                Some(command) => command::argv(command, asked).err(),
                None => {
                    let known = self.config.commands.keys().map(String::as_str).collect();
                    Some((format!("the server has no command `{}`", asked.name), instead(&asked.name, known, "probes.commands")))
                }
            },
            Question::Prometheus(asked) if !self.config.prometheus.contains_key(&*asked.server) => {
                let known = self.config.prometheus.keys().map(String::as_str).collect();
                Some((format!("the server has no Prometheus `{}`", asked.server), instead(&asked.server, known, "probes.prometheus")))
            }
            Question::Http(asked @ HttpProbe { url, .. }) => match Url::parse(url) {
                Ok(url) => self.unreachable(http::door(&url, asked)).or_else(|| http::too_curious(&self.config.networks, &url, asked)),
                Err(error) => Some((format!("the URL cannot be read: {error}"), "write it as `https://api.example.com/healthz`".to_owned())),
            },
            Question::Tcp(address) | Question::Dns(DnsProbe { server: address, .. }) => split(address, 53).and_then(|(host, port)| self.unreachable_port(&host, port)),
            Question::Prometheus(_) => None,
        }
    }
}
