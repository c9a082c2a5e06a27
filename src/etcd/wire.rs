//! One question to the gateway and what its answer means.

use super::config::{Config, ConfigError};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};
use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// A member that is down answers no connection; the next one is asked after this.
const CONNECT: Duration = Duration::from_secs(3);

/// What to do about a full quota; etcd keeps its alarm until somebody clears it.
pub const NO_SPACE: &str =
    "etcd's quota is used up and it takes no write; compact and defragment it, clear the alarm with `etcdctl alarm disarm`, or raise --quota-backend-bytes, then retry";

/// Why there is no answer to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing was sent: no member takes a connection.
    Unreachable(String),
    /// It may have happened.
    Lost(String),
    /// The user's role does not allow it.
    Denied(String),
    /// More operations than the server takes in one transaction.
    TooMany,
    /// More bytes than the server takes in one request.
    TooLarge,
    /// The quota of the server's disk is used up; it takes no write.
    NoSpace,
    /// The server will never do this.
    Other(String),
}

/// A live key as the server holds it; revision 0: there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    pub revision: u64,
    pub bytes: Option<Vec<u8>>,
}

/// One cluster: where its members are, and what the last sign-in gave.
pub struct Wire {
    client: reqwest::Client,
    config: Config,
    /// What the last sign-in gave.
    token: Mutex<Option<String>>,
    /// The member that is asked first: the one that answered last.
    first: AtomicUsize,
}

impl Wire {
    /// Makes a client; nothing is sent yet.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let fault = |what: String| ConfigError { target: config.target.clone(), what };
        let mut builder = reqwest::Client::builder().connect_timeout(CONNECT).no_proxy();
        if let Some(tls) = &config.tls {
            let authorities = reqwest::Certificate::from_pem_bundle(&tls.ca).map_err(|_| fault("`tls.ca` holds no certificate in PEM; name the authority's file".into()))?;
            builder = builder.tls_certs_only(authorities);
            if let Some(identity) = &tls.identity {
                let identity = reqwest::Identity::from_pem(identity.expose().as_bytes());
                builder = builder.identity(identity.map_err(|_| fault("the client certificate and key are no PEM of one pair; check `tls.identity`".into()))?);
            }
        }
        let client = builder.build().map_err(|error| fault(format!("no client can be made of it: {error}")))?;
        Ok(Self { client, config, token: Mutex::default(), first: AtomicUsize::new(0) })
    }

    /// Asks the member that answered last, else the next that takes a connection; an outdated sign-in is renewed once.
    pub async fn ask(&self, path: &str, body: &Json, deadline: Instant) -> Result<Json, Fault> {
        for renewed in [false, true] {
            let token = self.signed_in(renewed, deadline).await?;
            match self.send(path, body, token.as_deref(), deadline).await? {
                Reply::Good(answer) => return Ok(answer),
                Reply::Bad { text, .. } if !renewed && token.is_some() && (text.contains("invalid auth token") || text.contains("revision of auth store is old")) => {}
                Reply::Bad { status, code, text } => return Err(fault(status, code, &text)),
            }
        }
        Err(Fault::Denied("the server takes no sign-in of this user; check the user and its password".into()))
    }

    async fn signed_in(&self, renew: bool, deadline: Instant) -> Result<Option<String>, Fault> {
        let Some(user) = &self.config.user else { return Ok(None) };
        let known = self.token.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        if let Some(token) = known.filter(|_| !renew) {
            return Ok(Some(token));
        }
        let body = json!({ "name": user.name, "password": user.password.expose() });
        let answer = match self.send("/v3/auth/authenticate", &body, None, deadline).await? {
            Reply::Good(answer) => answer,
            Reply::Bad { text, .. } if text.contains("authentication is not enabled") => {
                return Err(Fault::Denied("the cluster has authentication turned off; turn it on with `etcdctl auth enable`, or take `user` out".into()));
            }
            Reply::Bad { text, .. } if text.contains("authentication failed") => {
                return Err(Fault::Denied(format!("the user `{}` cannot sign in; check its name and password", user.name)));
            }
            Reply::Bad { status, code, text } => return Err(fault(status, code, &text)),
        };
        let token = answer["token"].as_str().map(str::to_owned).ok_or_else(|| Fault::Other("the sign-in gave no token".into()))?;
        *self.token.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(token.clone());
        Ok(Some(token))
    }

    async fn send(&self, path: &str, body: &Json, token: Option<&str>, deadline: Instant) -> Result<Reply, Fault> {
        let mut away = Vec::new();
        let (count, first) = (self.config.endpoints.len(), self.first.load(Ordering::Relaxed));
        for (at, endpoint) in self.config.endpoints.iter().enumerate().cycle().skip(first).take(count) {
            let patience = self.config.answer.min(deadline.saturating_duration_since(Instant::now()));
            let mut request = self.client.post(format!("{}{path}", endpoint.trim_end_matches('/'))).timeout(patience).json(body);
            if let Some(token) = token {
                request = request.header("Authorization", token);
            }
            match request.send().await {
                Ok(response) => {
                    self.first.store(at, Ordering::Relaxed);
                    return reply(response).await;
                }
                Err(error) if error.is_connect() || error.is_builder() => away.push(format!("{endpoint}: {}", innermost(&error))),
                Err(error) => {
                    // Whoever asks again asks another member.
                    self.first.store((at + 1) % count, Ordering::Relaxed);
                    return Err(Fault::Lost(format!("{endpoint}: {}", innermost(&error))));
                }
            }
        }
        Err(Fault::Unreachable(format!("{}; check `endpoints` and that the server is up", away.join(", "))))
    }

    /// As whom it signs in.
    pub fn user(&self) -> &str {
        self.config.user.as_ref().map_or("nobody", |user| &user.name)
    }
}

/// What came back, before anybody judges it.
enum Reply {
    Good(Json),
    Bad { status: u16, code: i64, text: String },
}

async fn reply(response: reqwest::Response) -> Result<Reply, Fault> {
    let status = response.status();
    let bytes = response.bytes().await.map_err(|error| Fault::Lost(innermost(&error)))?;
    let answer: Option<Json> = serde_json::from_slice(&bytes).ok();
    match answer {
        Some(answer) if status.is_success() => Ok(Reply::Good(answer)),
        Some(answer) => {
            let text = answer["message"].as_str().or(answer["error"].as_str()).unwrap_or_default().to_owned();
            Ok(Reply::Bad { status: status.as_u16(), code: answer["code"].as_i64().unwrap_or(-1), text })
        }
        None => Ok(Reply::Bad { status: status.as_u16(), code: -1, text: format!("HTTP {status} without JSON; check that `endpoints` name etcd's client port") }),
    }
}

/// By the gRPC code where the gateway passes one on, else by its text.
fn fault(status: u16, code: i64, text: &str) -> Fault {
    const PERMISSION_DENIED: i64 = 7;
    const UNAUTHENTICATED: i64 = 16;
    const UNAVAILABLE: [i64; 5] = [1, 2, 4, 13, 14];
    if text.contains("too many operations in txn") {
        Fault::TooMany
    } else if text.contains("request is too large") || text.contains("message larger than max") {
        Fault::TooLarge
    } else if text.contains("database space exceeded") {
        Fault::NoSpace
    } else if text.contains("user name is empty") {
        Fault::Denied("the cluster asks who is there; add `user` and `password`".into())
    } else if code == PERMISSION_DENIED || code == UNAUTHENTICATED || status == 401 || status == 403 {
        Fault::Denied(text.to_owned())
    } else if UNAVAILABLE.contains(&code) || (code < 0 && status >= 500) {
        Fault::Lost(text.to_owned())
    } else {
        Fault::Other(text.to_owned())
    }
}

fn innermost(error: &reqwest::Error) -> String {
    let mut error: &dyn std::error::Error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Bytes as the gateway takes them.
pub fn encoded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The keys of a range's answer, each with what it holds.
pub fn kvs(range: &Json) -> Result<Vec<(Vec<u8>, Live)>, Fault> {
    let odd = || Fault::Other("the server's answer is no answer to a range".into());
    let decode = |field: &Json| STANDARD.decode(field.as_str().unwrap_or_default()).map_err(|_| odd());
    let one = |kv: &Json| -> Result<(Vec<u8>, Live), Fault> {
        let revision = kv["mod_revision"].as_str().and_then(|text| text.parse().ok()).ok_or_else(odd)?;
        Ok((decode(&kv["key"])?, Live { revision, bytes: Some(decode(&kv["value"])?) }))
    };
    range["kvs"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(one).collect()
}

/// The single key of each range among a transaction's answers, in their order.
pub fn ranges(answer: &Json, count: usize) -> Result<Vec<Live>, Fault> {
    let responses = answer["responses"].as_array().map(Vec::as_slice).unwrap_or_default();
    if responses.len() != count {
        return Err(Fault::Other(format!("the server answered {} of {count} ranges", responses.len())));
    }
    let one = |response: &Json| Ok(kvs(&response["response_range"])?.into_iter().next().map_or(Live { revision: 0, bytes: None }, |(_, live)| live));
    responses.iter().map(one).collect()
}
