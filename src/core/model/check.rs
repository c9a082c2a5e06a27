//! Health checks that desired state itself carries: of a resource's values, one by one, whatever those are by then.

use super::{HealthRule, HttpProbe, Place, Probe, Str};
use serde::{Deserialize, Serialize};

/// A health check beside a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    Asked(HealthCheck),
    /// It stands there and nobody asks it, with the reason.
    Unasked {
        why: Str,
        place: Place,
    },
}

/// What is asked of every value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    pub door: Door,
    pub port: u16,
    pub place: Place,
}

/// How a value is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    Web {
        tls: bool,
        /// Whom it is asked for (`Host`, and the name in TLS); `None`: the value itself.
        host: Option<Str>,
        /// With its slash.
        path: Str,
    },
    /// It must take a connection.
    Tcp,
}

impl HealthCheck {
    /// What asks one value: an address, or a name without its last dot.
    pub fn probe(&self, value: &str) -> Probe {
        let port = self.port;
        // No name and no IPv4 address has a colon in it.
        let plain = if value.contains(':') { format!("[{value}]") } else { value.to_owned() };
        let rule = match &self.door {
            Door::Tcp => HealthRule { tcp: Some(format!("{plain}:{port}").into()), ..HealthRule::default() },
            Door::Web { tls, host, path } => {
                let (scheme, usual) = if *tls { ("https", 443) } else { ("http", 80) };
                let named = host.as_deref().unwrap_or(&plain);
                let port = if port == usual { String::new() } else { format!(":{port}") };
                let at = host.as_ref().filter(|host| ***host != *value).map(|_| value.into());
                HealthRule { http: Some(HttpProbe { at, ..HttpProbe::of(format!("{scheme}://{named}{port}{path}")) }), ..HealthRule::default() }
            }
        };
        rule.probe().expect("a rule with one question is sound")
    }
}
