//! Asking one probe, as a test says it in YAML's words.

use serde_json::Value;
use std::{io, net::SocketAddr, sync::Mutex};
use trueup::{
    core::model::{HealthRule, Probe, Saw},
    drivers::probes::{Asker, Config, Lookup, Networks},
    ports::{Fut, Probes},
};

/// A probe from its rule.
pub fn probe(rule: Value) -> Probe {
    let rule: HealthRule = serde_json::from_value(rule).expect("a rule");
    rule.probe().expect("one question")
}

/// A configuration that may reach these networks.
pub fn reaching(networks: &[&str]) -> Config {
    let allowed = networks.iter().map(|text| text.parse().expect("a network")).collect();
    Config { networks: Networks::new(allowed, Vec::new()), at_once: 8, ..Config::default() }
}

/// Asks once.
pub async fn ask(config: Config, rule: Value) -> Saw {
    Asker::new(config).expect("a sound configuration").ask(&probe(rule)).await
}

/// Asks once with names that a test resolves.
pub async fn ask_named(config: Config, names: Names, rule: Value) -> Saw {
    Asker::resolving(config, Box::new(names)).expect("a sound configuration").ask(&probe(rule)).await
}

/// Names with the addresses of each answer in turn; the last is given for ever.
pub struct Names(Mutex<Vec<(&'static str, Vec<&'static str>)>>);

impl Names {
    pub fn new(answers: &[(&'static str, &[&'static str])]) -> Self {
        Self(Mutex::new(answers.iter().map(|(name, answers)| (*name, answers.to_vec())).collect()))
    }
}

impl Lookup for Names {
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> Fut<'a, io::Result<Vec<SocketAddr>>> {
        let mut names = self.0.lock().expect("whole");
        let found = names.iter_mut().find(|(name, _)| *name == host).map(|(_, answers)| if answers.len() > 1 { answers.remove(0) } else { answers[0] });
        let found = found.map(|address| vec![SocketAddr::new(address.parse().expect("an address"), port)]).ok_or_else(|| io::Error::other("no such name"));
        Box::pin(async move { found })
    }
}

/// The line of a good answer.
pub fn good(saw: Saw) -> String {
    match saw {
        Saw::Good(said) => said.to_string(),
        other => panic!("a good answer was expected: {other:?}"),
    }
}

/// The line of a wrong answer.
pub fn bad(saw: Saw) -> String {
    match saw {
        Saw::Bad(said) => said.to_string(),
        other => panic!("a wrong answer was expected: {other:?}"),
    }
}

/// The line that says why there is none.
pub fn nothing(saw: Saw) -> String {
    match saw {
        Saw::Nothing(said) => said.to_string(),
        other => panic!("no answer was expected: {other:?}"),
    }
}
