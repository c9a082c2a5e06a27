//! One question to an agent and what its answer means.

use super::config::Config;
use crate::{
    cluster::{Answer, ConfigError, Fault, Members},
    drivers::config::center::Live,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Method, RequestBuilder};
use serde::{Deserialize, Serialize};
use std::time::Instant;

pub(super) struct Wire {
    pub members: Members,
    config: Config,
}

/// One operation of a transaction.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Op<'a> {
    #[serde(rename = "KV")]
    pub kv: KvOp<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KvOp<'a> {
    pub verb: &'static str,
    pub key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<u64>,
}

/// What a transaction answers, taken or not.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TxnAnswer {
    results: Option<Vec<TxnResult>>,
    errors: Option<Vec<TxnError>>,
}

#[derive(Deserialize)]
struct TxnResult {
    #[serde(rename = "KV")]
    kv: Option<Pair>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TxnError {
    pub op_index: usize,
    pub what: String,
}

/// A key as the server holds it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Pair {
    pub key: String,
    flags: u64,
    value: Option<String>,
    modify_index: u64,
}

impl Pair {
    pub fn live(&self) -> Result<Live, Fault> {
        if self.modify_index == 0 {
            return Ok(Live::default());
        }
        let bytes = STANDARD.decode(self.value.as_deref().unwrap_or_default()).map_err(|_| Fault::Other(format!("the server's answer for `{}` is no base64", self.key)))?;
        Ok(Live { revision: self.modify_index, flags: self.flags, bytes: Some(bytes) })
    }
}

/// What became of a transaction.
pub(super) enum Txn {
    Taken(Vec<Pair>),
    /// Nothing was done; what was wrong, by operation.
    Rejected(Vec<TxnError>),
}

impl Wire {
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let members = Members::new(&config.target, &config.endpoints, config.tls.as_ref(), config.answer)?;
        Ok(Self { members, config })
    }

    /// Whether a token is shown.
    pub fn signed(&self) -> bool {
        self.config.token.is_some()
    }

    /// A request with what every one carries.
    pub fn request(&self, client: &reqwest::Client, endpoint: &str, method: Method, path: &str) -> RequestBuilder {
        let datacenter = self.config.datacenter.as_ref().map_or_else(String::new, |name| format!("{}dc={}", if path.contains('?') { '&' } else { '?' }, percent(name)));
        let request = client.request(method, format!("{endpoint}{path}{datacenter}"));
        match &self.config.token {
            Some(token) => request.header("X-Consul-Token", token.expose()),
            None => request,
        }
    }

    /// Sends a transaction; one that only reads is read from the leader, which makes sure that it still is one.
    pub async fn transaction(&self, ops: &[Op<'_>], deadline: Instant) -> Result<Txn, Fault> {
        let answer = self.members.ask(deadline, |client, endpoint| self.request(client, endpoint, Method::PUT, "/v1/txn?consistent").json(ops)).await?;
        let body = |answer: &Answer| serde_json::from_slice::<TxnAnswer>(&answer.body).ok();
        match answer.status {
            // Whether a write was done is not known when its good answer cannot be read.
            200 => body(&answer).and_then(|body| Some(Txn::Taken(body.results?.into_iter().filter_map(|one| one.kv).collect()))).ok_or_else(|| lost(&answer)),
            409 => body(&answer).and_then(|body| Some(Txn::Rejected(body.errors?))).ok_or_else(|| self.fault(&answer)),
            _ => Err(self.fault(&answer)),
        }
    }

    /// Sets one key over an index, past transactions: the value travels as it is. Whether the index was still the same.
    pub async fn set(&self, key: &str, bytes: &[u8], index: u64, flags: u64, deadline: Instant) -> Result<bool, Fault> {
        let path = format!("{}?cas={index}&flags={flags}", path(key));
        let answer = self.members.ask(deadline, |client, endpoint| self.request(client, endpoint, Method::PUT, &path).body(bytes.to_vec())).await?;
        match (answer.status, answer.text().as_str()) {
            (200, "true") => Ok(true),
            (200, "false") => Ok(false),
            (200, _) => Err(lost(&answer)),
            _ => Err(self.fault(&answer)),
        }
    }

    /// What an answer that is no good one means; the text tells, as no code does.
    pub fn fault(&self, answer: &Answer) -> Fault {
        let text = answer.text();
        match answer.status {
            413 if text.contains("too many operations") => Fault::TooMany(number_after(&text, "> ")),
            413 => Fault::TooLarge(text.contains("Request body").then(|| number_after(&text, "max size: ")).flatten()),
            _ if text.contains("Permission denied") => Fault::Denied(Vec::new()),
            _ if text.contains("ACL not found") => Fault::Stranger("the server knows no such token; check `token`, and that nobody deleted it or let it expire".into()),
            _ if text.contains("No path to datacenter") => Fault::Other(format!("{text}; check `datacenter`")),
            429 => Fault::Unreachable(format!("the server takes fewer requests a second than are asked of it: {text}")),
            // A member that has lost its leader may find another; meanwhile another member may answer.
            500..600 => {
                self.members.turn();
                lost(answer)
            }
            status => Fault::Other(format!("the server answers {status}: {text}; check that `endpoints` name Consul's HTTP port")),
        }
    }
}

fn lost(answer: &Answer) -> Fault {
    Fault::Lost(format!("the server answers {}: {}", answer.status, answer.text()))
}

fn number_after(text: &str, mark: &str) -> Option<usize> {
    let rest = &text[text.rfind(mark)? + mark.len()..];
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// A body of JSON, made once.
pub(super) fn encoded_json(body: &[serde_json::Value]) -> String {
    serde_json::Value::Array(body.to_vec()).to_string()
}

pub(super) fn encoded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The path of a key, every `/` of it written as `%2F` so that no server tidies it up.
pub(super) fn path(key: &str) -> String {
    format!("/v1/kv/{}", percent(key))
}

fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
