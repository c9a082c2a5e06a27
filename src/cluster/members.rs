//! The members of a cluster over HTTP: the next is asked when one takes no connection, and the one that answered is asked first from then on.

use super::{
    Fault,
    fault::{CHECK, UP},
};
use crate::ports::SecretText;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// A member that is down answers no connection; the next one is asked after this.
const CONNECT: Duration = Duration::from_secs(3);

/// Certificates in PEM.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The authorities that alone are trusted.
    pub ca: Vec<u8>,
    /// Our certificate followed by its key.
    pub identity: Option<SecretText>,
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot use the configuration of {target}: {what}")]
pub struct ConfigError {
    pub target: String,
    /// A lowercase fragment that says what to do next.
    pub what: String,
}

/// The members of one cluster.
pub struct Members {
    client: reqwest::Client,
    endpoints: Vec<String>,
    /// Which of them is asked first.
    first: AtomicUsize,
    answer: Duration,
}

/// What came back, before anybody judges it.
pub struct Answer {
    pub status: u16,
    headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

impl Members {
    /// Makes a client; nothing is sent yet.
    pub fn new(target: &str, endpoints: &[String], tls: Option<&Tls>, answer: Duration) -> Result<Self, ConfigError> {
        let fault = |what: String| ConfigError { target: target.to_owned(), what };
        // A redirect would send a body and a token to an address that nobody configured.
        let mut builder = reqwest::Client::builder().connect_timeout(CONNECT).redirect(reqwest::redirect::Policy::none()).no_proxy();
        if let Some(tls) = tls {
            let authorities = reqwest::Certificate::from_pem_bundle(&tls.ca).ok().filter(|all| !all.is_empty());
            builder = builder.tls_certs_only(authorities.ok_or_else(|| fault("`tls.ca` holds no certificate in PEM; name the authority's file".into()))?);
            if let Some(identity) = &tls.identity {
                let identity = reqwest::Identity::from_pem(identity.expose().as_bytes());
                builder = builder.identity(identity.map_err(|_| fault("the client certificate and key are no PEM of one pair; check `tls.identity`".into()))?);
            }
        }
        let client = builder.build().map_err(|error| fault(format!("no client can be made of it: {error}")))?;
        let endpoints = endpoints.iter().map(|endpoint| endpoint.trim_end_matches('/').to_owned()).collect();
        Ok(Self { client, endpoints, first: AtomicUsize::new(0), answer })
    }

    /// The members' URLs, in the order configured.
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// Asks the members in turn until one takes the connection; `question` makes the request of the client and the member's URL.
    pub async fn ask(&self, deadline: Instant, question: impl Fn(&reqwest::Client, &str) -> reqwest::RequestBuilder) -> Result<Answer, Fault> {
        let first = self.first.load(Ordering::Relaxed);
        let mut away = Vec::new();
        for turn in 0..self.endpoints.len() {
            let at = (first + turn) % self.endpoints.len();
            match self.ask_one(at, deadline, &question).await {
                Ok(answer) => {
                    self.first.store(at, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(Fault::Unreachable(why)) => away.push(why),
                Err(fault) => {
                    // It took the question and gave no answer: the next question goes to another.
                    self.first.store((at + 1) % self.endpoints.len(), Ordering::Relaxed);
                    return Err(fault);
                }
            }
        }
        // Whoever met a certificate met a server.
        let advice = if away.iter().all(|why| why.contains(CHECK)) { "" } else { UP };
        let what = away.join(", ");
        Err(Fault::Unreachable(format!("{what}{advice}")))
    }

    /// Asks one member, by its place among the endpoints.
    pub async fn ask_one(&self, at: usize, deadline: Instant, question: impl Fn(&reqwest::Client, &str) -> reqwest::RequestBuilder) -> Result<Answer, Fault> {
        let endpoint = &self.endpoints[at];
        let patience = self.answer.min(deadline.saturating_duration_since(Instant::now()));
        let response = match question(&self.client, endpoint).timeout(patience).send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() || error.is_builder() => return Err(Fault::Unreachable(format!("{endpoint}: {}", innermost(&error)))),
            Err(error) => return Err(Fault::Lost(format!("{endpoint}: {}", innermost(&error)))),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        match response.bytes().await {
            Ok(body) => Ok(Answer { status, headers, body: body.into() }),
            Err(error) => Err(Fault::Lost(format!("{endpoint}: {}", innermost(&error)))),
        }
    }

    /// Turns to the next member, for one that answers that it cannot.
    pub fn turn(&self) {
        self.first.fetch_add(1, Ordering::Relaxed);
    }
}

impl Answer {
    /// Whether the status says that it was done.
    pub fn good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What a header says.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text for people, cut where it gets long.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim().chars().take(300).collect()
    }
}

fn innermost(error: &reqwest::Error) -> String {
    let mut error: &dyn std::error::Error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    advised(&error.to_string())
}

/// What went wrong, with what to do where it is about certificates.
fn advised(what: &str) -> String {
    // The words are those of rustls; others are told as they are.
    let advice = if what.starts_with("invalid peer certificate") {
        "ca`, which must be the authority of the server's certificate, and that the certificate names this address"
    } else if what.starts_with("received fatal alert") {
        "identity`: the server asks for a certificate of an authority that it trusts"
    } else {
        return what.to_owned();
    };
    format!("{what}{CHECK}{advice}")
}
