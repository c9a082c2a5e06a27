//! What the driver must be told: where the server is, which key signs, how long to wait.

use crate::ports::SecretText;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hickory_proto::rr::{Name, TSigner, rdata::tsig::TsigAlgorithm};
use std::time::Duration;

/// One primary server, as the operators configured it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The target's name, for texts.
    pub target: String,
    /// `host:port` of the primary that takes updates; without a port, 53.
    pub address: String,
    /// `host:port` of every server that must answer with the new content before it counts as healthy. Empty: the primary alone.
    pub nameservers: Vec<String>,
    /// The key that signs everything sent to the primary; `None` only for servers that take unsigned updates.
    pub tsig: Option<Tsig>,
    pub timeouts: Timeouts,
}

/// A TSIG key (RFC 8945).
#[derive(Clone, Debug)]
pub struct Tsig {
    pub name: String,
    /// `hmac-sha256`, `hmac-sha384` or `hmac-sha512`.
    pub algorithm: String,
    /// The key itself in base64, as `tsig-keygen` prints it.
    pub secret: SecretText,
}

/// How long to wait; a call's own deadline cuts each short.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    pub connect: Duration,
    /// For one answer after its question, and between two messages of a transfer.
    pub answer: Duration,
}

impl Default for Timeouts {
    /// Five seconds to connect, as resolvers give a server; thirty for an answer, because a primary signs and syncs large updates before it answers.
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), answer: Duration::from_secs(30) }
    }
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot use the configuration of {target}: {what}")]
pub struct ConfigError {
    pub target: String,
    /// A lowercase fragment that says what to do next.
    pub what: String,
}

/// Seconds that our clock and the server's may differ: what RFC 8945 §10 recommends.
const FUDGE: u16 = 300;

impl Config {
    /// The signer of the key; the error never holds the key.
    pub(super) fn signer(&self) -> Result<Option<TSigner>, ConfigError> {
        let fault = |what: String| ConfigError { target: self.target.clone(), what };
        let Some(tsig) = &self.tsig else { return Ok(None) };
        let algorithm = match tsig.algorithm.to_ascii_lowercase().as_str() {
            "hmac-sha256" => TsigAlgorithm::HmacSha256,
            "hmac-sha384" => TsigAlgorithm::HmacSha384,
            "hmac-sha512" => TsigAlgorithm::HmacSha512,
            other => return Err(fault(format!("the TSIG algorithm `{other}` is not supported; use hmac-sha256, hmac-sha384 or hmac-sha512"))),
        };
        let name = Name::from_ascii(&tsig.name).map_err(|_| fault(format!("the TSIG key name `{}` is no domain name", tsig.name)))?;
        let key = STANDARD.decode(tsig.secret.expose().trim()).map_err(|_| fault("the TSIG secret is not base64; copy the `secret` that tsig-keygen prints".into()))?;
        if key.is_empty() {
            return Err(fault("the TSIG secret is empty; copy the `secret` that tsig-keygen prints".into()));
        }
        TSigner::new(key, algorithm, name, FUDGE).map(Some).map_err(|_| fault("the TSIG key cannot be used by this build".into()))
    }
}

/// `host:port`, with 53 where no port is said.
pub(super) fn with_port(address: &str) -> String {
    let bare_v6 = address.matches(':').count() > 1 && !address.starts_with('[');
    if bare_v6 {
        return format!("[{address}]:53");
    }
    let has_port = address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok() && (!host.starts_with('[') || host.ends_with(']')));
    if has_port { address.to_owned() } else { format!("{address}:53") }
}
