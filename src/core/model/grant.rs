//! What a repository may touch, as the server's operators said.

use super::{CommandProbe, Kind, PrometheusProbe, Question, ResourceId, Str, nearest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Grants one target to a repository, narrowed by patterns over unit names (zones, prefixes, namespaces).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The target's name in the server's configuration.
    pub target: Str,
    /// What of the target the repository may write: a zone (`example.com.`), all zones below one (`*.example.com.`), a key (`/app/db/host`), all keys
    /// that start so (`/app/*`). Empty: the whole target.
    #[serde(default)]
    pub units: Vec<Str>,
    /// What of the target is sensitive, in the same words, whatever the repository's own policy says: its values are compared and recorded as keyed
    /// hashes, and a key takes references to secrets only.
    #[serde(default)]
    pub sensitive: Vec<Str>,
    /// Other repositories may be granted some of the same, if their grants say so too. Each resource still has one owner: what one repository's branch
    /// asks for is refused to the others, until it gives it up (`release:`).
    #[serde(default)]
    pub shared: bool,
}

impl Grant {
    /// Whether the grant covers the resource, in the words of its kind.
    pub fn covers(&self, id: &ResourceId, kind: &dyn Kind) -> bool {
        self.target == id.target && (self.units.is_empty() || self.units.iter().any(|pattern| kind.granted(id, pattern)))
    }

    /// Whether the grant says that the resource is sensitive.
    pub fn hides(&self, id: &ResourceId, kind: &dyn Kind) -> bool {
        self.target == id.target && self.sensitive.iter().any(|pattern| kind.granted(id, pattern))
    }

    /// A unit pattern of the other grant that covers what this one covers too; inside: `None` when the other is the whole target.
    ///
    /// Both are of one target; two patterns overlap when some unit could match both.
    pub fn overlap<'a>(&self, other: &'a Self) -> Option<Option<&'a Str>> {
        if self.units.is_empty() || other.units.is_empty() {
            return Some(other.units.first());
        }
        other.units.iter().find(|theirs| self.units.iter().any(|ours| may_both_match(ours, theirs))).map(Some)
    }
}

/// What health probes of a repository may name. Empty: none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeGrant {
    /// Commands of the server's `probes.commands`: one (`smoke`), or all that start so (`smoke-*`).
    pub commands: Vec<Str>,
    /// Servers of the server's `probes.prometheus`, in the same words: every query of a granted one may be asked.
    pub prometheus: Vec<Str>,
}

impl ProbeGrant {
    /// Why a question is not this repository's to ask: what, and what to do. Where a question leads on the network is not granted by repository.
    pub fn fault(&self, ask: &Question) -> Option<(String, String)> {
        let (what, name, granted, key) = match ask {
            Question::Command(CommandProbe { name, .. }) => ("command", name, &self.commands, "commands"),
            Question::Prometheus(PrometheusProbe { server, .. }) => ("Prometheus", server, &self.prometheus, "prometheus"),
            Question::Http(_) | Question::Tcp(_) | Question::Dns(_) => return None,
        };
        if granted.iter().any(|pattern| names(pattern, name)) {
            return None;
        }
        let advice = match nearest(name, granted.iter().map(|name| &**name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the server's operators can grant it: `probes: {{{key}: [{name}]}}` of the repository in the server's configuration"),
        };
        Some((format!("this repository is not granted the {what} `{name}`"), advice))
    }
}

/// Whether a granted name is this one: itself, or all that start so.
fn names(granted: &str, name: &str) -> bool {
    match granted.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => granted == name,
    }
}

/// Patterns hold one `*` at most: first for zones below one, last for keys that start so.
fn may_both_match(a: &str, b: &str) -> bool {
    let fits = |(prefix, suffix): (&str, &str), name: &str| {
        let long = name.len() >= prefix.len() + suffix.len() && (!prefix.is_empty() || name.len() > suffix.len());
        long && name.starts_with(prefix) && name.ends_with(suffix)
    };
    match (a.split_once('*'), b.split_once('*')) {
        (None, None) => a == b,
        (Some(pattern), None) => fits(pattern, b),
        (None, Some(pattern)) => fits(pattern, a),
        (Some((start, end)), Some((other, last))) => (start.starts_with(other) || other.starts_with(start)) && (end.ends_with(last) || last.ends_with(end)),
    }
}

#[cfg(test)]
mod tests {
    use super::ProbeGrant;
    use crate::core::model::{CommandProbe, PrometheusProbe, Question};
    use std::collections::BTreeMap;

    fn command(name: &str) -> Question {
        Question::Command(CommandProbe { name: name.into(), args: BTreeMap::new() })
    }

    fn prometheus(name: &str) -> Question {
        Question::Prometheus(PrometheusProbe { server: name.into(), query: "up".into(), test: "> 0".into(), lag: None })
    }

    #[test]
    fn what_a_repository_is_not_granted_it_does_not_ask() {
        let none = ProbeGrant::default();
        assert!(none.fault(&command("smoke")).is_some() && none.fault(&prometheus("main")).is_some());
        assert!(none.fault(&Question::Tcp("db.test:5432".into())).is_none(), "networks bound that");
        let some = ProbeGrant { commands: vec!["smoke".into(), "team-*".into()], prometheus: vec!["*".into()] };
        assert!(["smoke", "team-", "team-a"].iter().all(|name| some.fault(&command(name)).is_none()));
        assert!(["smoke2", "smok", "team", "", "Smoke"].iter().all(|name| some.fault(&command(name)).is_some()));
        assert!(some.fault(&prometheus("main")).is_none());
        let (what, advice) = some.fault(&command("smok")).expect("it is not granted");
        assert!(what.contains("`smok`") && advice == "did you mean `smoke`?");
        let (_, advice) = none.fault(&prometheus("main")).expect("it is not granted");
        assert!(advice.contains("operators") && advice.contains("prometheus: [main]"), "{advice}");
    }
}
