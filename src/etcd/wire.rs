//! One question to the gateway and what its answer means.

use super::config::Config;
use crate::cluster::{Answer, ConfigError, Fault, Members};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};
use std::{sync::Mutex, time::Instant};

/// A live key as the server holds it; revision 0: there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    pub revision: u64,
    pub bytes: Option<Vec<u8>>,
}

/// One cluster: where its members are, and what the last sign-in gave.
pub struct Wire {
    members: Members,
    config: Config,
    /// What the last sign-in gave.
    token: Mutex<Option<String>>,
}

impl Wire {
    /// Makes a client; nothing is sent yet.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let members = Members::new(&config.target, &config.endpoints, config.tls.as_ref(), config.answer)?;
        Ok(Self { members, config, token: Mutex::default() })
    }

    /// Asks the member that answered last, else the next that takes a connection; an outdated sign-in is renewed once.
    pub async fn ask(&self, path: &str, body: &Json, deadline: Instant) -> Result<Json, Fault> {
        for renewed in [false, true] {
            let token = self.signed_in(renewed, deadline).await?;
            match self.send(path, body, token.as_deref(), deadline).await? {
                Reply::Good(answer) => return Ok(answer),
                Reply::Bad { text, .. } if !renewed && token.is_some() && (text.contains("invalid auth token") || text.contains("revision of auth store is old")) => {}
                Reply::Bad { status, code, text } => {
                    let fault = fault(status, code, &text);
                    // A member that has lost its leader may find another; meanwhile another member may answer.
                    if matches!(fault, Fault::Lost(_)) {
                        self.members.turn();
                    }
                    return Err(fault);
                }
            }
        }
        Err(Fault::Stranger("the server takes no sign-in of this user; check the user and its password".into()))
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
                return Err(Fault::Stranger("the cluster has authentication turned off; turn it on with `etcdctl auth enable`, or take `user` out".into()));
            }
            Reply::Bad { text, .. } if text.contains("authentication failed") => {
                return Err(Fault::Stranger(format!("the user `{}` cannot sign in; check its name and password", user.name)));
            }
            Reply::Bad { status, code, text } => return Err(fault(status, code, &text)),
        };
        let token = answer["token"].as_str().map(str::to_owned).ok_or_else(|| Fault::Other("the sign-in gave no token".into()))?;
        *self.token.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(token.clone());
        Ok(Some(token))
    }

    /// The members' URLs, in the order configured.
    pub fn endpoints(&self) -> &[String] {
        self.members.endpoints()
    }

    /// Asks one member about itself, by its place among the endpoints.
    pub async fn ask_member(&self, at: usize, path: &str, body: &Json, deadline: Instant) -> Result<Json, Fault> {
        let token = self.signed_in(false, deadline).await?;
        match reply(&self.members.ask_one(at, deadline, question(path, body, token.as_deref())).await?) {
            Reply::Good(answer) => Ok(answer),
            Reply::Bad { status, code, text } => Err(fault(status, code, &text)),
        }
    }

    /// What one member tells anybody, whatever its status says: `/health`, `/version`.
    pub async fn get_member(&self, at: usize, path: &str, deadline: Instant) -> Result<Json, Fault> {
        let answer = self.members.ask_one(at, deadline, |client, endpoint| client.get(format!("{endpoint}{path}"))).await?;
        serde_json::from_slice(&answer.body).map_err(|_| Fault::Other(format!("{path} answers {} without JSON; check that `endpoints` name etcd's client port", answer.status)))
    }

    async fn send(&self, path: &str, body: &Json, token: Option<&str>, deadline: Instant) -> Result<Reply, Fault> {
        Ok(reply(&self.members.ask(deadline, question(path, body, token)).await?))
    }

    /// Whether it signs in at all.
    pub fn signs_in(&self) -> bool {
        self.config.user.is_some()
    }

    /// As whom it signs in.
    pub fn user(&self) -> &str {
        self.config.user.as_ref().map_or("nobody", |user| &user.name)
    }
}

/// Makes the request of a client and a member's URL.
fn question(path: &str, body: &Json, token: Option<&str>) -> impl Fn(&reqwest::Client, &str) -> reqwest::RequestBuilder {
    move |client, endpoint| {
        let request = client.post(format!("{endpoint}{path}")).json(body);
        match token {
            Some(token) => request.header("Authorization", token),
            None => request,
        }
    }
}

/// What came back, before anybody judges it.
enum Reply {
    Good(Json),
    Bad { status: u16, code: i64, text: String },
}

fn reply(answer: &Answer) -> Reply {
    let status = answer.status;
    match serde_json::from_slice::<Json>(&answer.body) {
        Ok(body) if answer.good() => Reply::Good(body),
        Ok(body) => {
            let text = body["message"].as_str().or(body["error"].as_str()).unwrap_or_default().to_owned();
            Reply::Bad { status, code: body["code"].as_i64().unwrap_or(-1), text }
        }
        Err(_) if String::from_utf8_lossy(&answer.body).contains("CommonName of client") => Reply::Bad { status, code: -1, text: NAMED.to_owned() },
        Err(_) => Reply::Bad { status, code: -1, text: format!("HTTP {status} without JSON; check that `endpoints` name etcd's client port") },
    }
}

/// Where users sign in, etcd's gateway refuses every certificate that it could take for another sign-in.
const NAMED: &str = "where users sign in, etcd takes no client certificate with a common name (CN); give `tls.identity` a certificate without one";

/// What to do about a full quota; etcd keeps its alarm until somebody clears it.
pub const NO_SPACE: &str =
    "etcd's quota is used up and it takes no write; compact and defragment it, clear the alarm with `etcdctl alarm disarm`, or raise --quota-backend-bytes, then retry";

/// By the gRPC code where the gateway passes one on, else by its text.
fn fault(status: u16, code: i64, text: &str) -> Fault {
    const PERMISSION_DENIED: i64 = 7;
    const UNAUTHENTICATED: i64 = 16;
    const UNAVAILABLE: [i64; 5] = [1, 2, 4, 13, 14];
    if text.contains("too many operations in txn") {
        Fault::TooMany(None)
    } else if text.contains("request is too large") || text.contains("message larger than max") {
        Fault::TooLarge(None)
    } else if text.contains("database space exceeded") {
        Fault::Full(NO_SPACE)
    } else if text == NAMED {
        Fault::Stranger(text.to_owned())
    } else if text.contains("user name is empty") {
        Fault::Stranger("the cluster asks who is there; add `user` and `password`".into())
    } else if text.contains("permission denied") {
        Fault::Denied(Vec::new())
    } else if code == PERMISSION_DENIED || code == UNAUTHENTICATED || status == 401 || status == 403 {
        Fault::Stranger(text.to_owned())
    } else if UNAVAILABLE.contains(&code) || (code < 0 && !(300..500).contains(&status)) {
        Fault::Lost(text.to_owned())
    } else {
        Fault::Other(text.to_owned())
    }
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
    let one = |response: &Json| Ok(kvs(&response["response_range"])?.into_iter().next().map_or_else(Live::default, |(_, live)| live));
    responses.iter().map(one).collect()
}
