//! Vault (and OpenBao) by its HTTP API: version 2 of the key-value engine, signed in by token or AppRole.
//!
//! `secret://vault/MOUNT/PATH#FIELD@VERSION` is `FIELD` of `GET /v1/MOUNT/data/PATH?version=VERSION`
//! (<https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version>). The mount is the first part of the path.

use crate::{
    core::model::SecretRef,
    ports::{Fut, SecretError, SecretErrorKind, SecretText, Secrets},
};
use serde_json::{Value as Json, json};
use std::{fmt::Write as _, time::Duration};
use tokio::sync::Mutex;

/// The largest answer that is read: a secret is a password, a key or a chain of certificates.
const LARGEST: usize = 1 << 20;

/// Where a Vault is and how it is signed in to.
pub struct VaultConfig {
    /// `https://vault.example.com:8200`.
    pub address: String,
    pub namespace: Option<String>,
    pub login: Login,
    /// Authorities in PEM that alone are trusted; none: the machine's.
    pub ca: Option<Vec<u8>>,
    /// How long one answer may take.
    pub answer: Duration,
}

/// How the server signs in.
pub enum Login {
    Token(SecretText),
    AppRole { mount: String, role_id: SecretText, secret_id: SecretText },
}

/// One Vault.
pub struct Vault {
    http: reqwest::Client,
    config: VaultConfig,
    /// What the last sign-in gave.
    token: Mutex<Option<SecretText>>,
}

/// A configuration of which no client can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("vault: {0}")]
pub struct VaultError(pub String);

/// Why a request did not come to an answer.
enum Fault {
    /// The sign-in is not good, or not any more.
    Forbidden,
    Absent,
    Away(String),
    Odd(String),
}

impl Vault {
    /// Makes a client; nothing is sent yet.
    pub fn new(config: VaultConfig) -> Result<Self, VaultError> {
        // A redirect would carry the token to wherever it points.
        let mut builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(config.answer);
        if let Some(ca) = &config.ca {
            let authorities = reqwest::Certificate::from_pem_bundle(ca).map_err(|_| VaultError("`ca` holds no certificate in PEM; name the authority's file".into()))?;
            builder = builder.tls_certs_only(authorities);
        }
        let http = builder.build().map_err(|error| VaultError(format!("no client can be made: {error}")))?;
        Ok(Self { http, config, token: Mutex::new(None) })
    }

    async fn read(&self, reference: &SecretRef) -> Result<SecretText, SecretError> {
        let fault = |kind, what: &str| SecretError { uri: reference.to_string(), what: what.to_owned(), kind };
        let missing = |what: &str| fault(SecretErrorKind::Missing, what);
        let field = reference.field().ok_or_else(|| missing("a secret in Vault has fields; name one: `secret://vault/MOUNT/PATH#FIELD`"))?;
        let (mount, path) = reference.path().split_once('/').ok_or_else(|| missing("the engine's mount comes first: `secret://vault/MOUNT/PATH#FIELD`"))?;
        let version = match &reference.version {
            None => String::new(),
            Some(version) if version.parse::<u32>().is_ok_and(|version| version > 0) => format!("?version={version}"),
            Some(_) => return Err(missing("versions in Vault are numbers from 1")),
        };
        let url = format!("{}/v1/{}/data/{}{version}", self.config.address.trim_end_matches('/'), escaped(mount), escaped(path));
        let told = |said: Fault| match said {
            Fault::Forbidden => fault(SecretErrorKind::Denied, "Vault does not let the server read it; give its token or role a policy with `read` on it"),
            Fault::Absent => missing("Vault has no such secret or version, or it was deleted"),
            Fault::Away(why) => fault(SecretErrorKind::Unavailable, &why),
            Fault::Odd(why) => fault(SecretErrorKind::Denied, &why),
        };
        let answer = match self.get(&url, false).await {
            // A token that ran out is renewed once by signing in again.
            Err(Fault::Forbidden) if matches!(self.config.login, Login::AppRole { .. }) => self.get(&url, true).await,
            answer => answer,
        };
        let answer = answer.map_err(told)?;
        let data = answer.pointer("/data/data").and_then(Json::as_object).ok_or_else(|| missing("the engine there is no version 2 of key-value, or this version was deleted"))?;
        let text = match data.get(field) {
            Some(Json::String(text)) => text.clone(),
            Some(Json::Number(number)) => number.to_string(),
            Some(Json::Bool(is)) => is.to_string(),
            Some(Json::Null | Json::Array(_) | Json::Object(_)) => return Err(missing("the field is no single value")),
            None => return Err(missing("the secret has no such field")),
        };
        let text = SecretText::new(text);
        Ok(match answer.pointer("/data/metadata/version").and_then(Json::as_u64) {
            Some(version) => text.of_version(version.to_string()),
            None => text,
        })
    }

    async fn get(&self, url: &str, anew: bool) -> Result<Json, Fault> {
        let token = self.signed_in(anew).await?;
        self.send(self.http.get(url).header("X-Vault-Token", token.expose())).await
    }

    async fn signed_in(&self, anew: bool) -> Result<SecretText, Fault> {
        let (mount, role_id, secret_id) = match &self.config.login {
            Login::Token(token) => return Ok(token.clone()),
            Login::AppRole { mount, role_id, secret_id } => (mount, role_id, secret_id),
        };
        // Held over the sign-in, so that many reads at once are one of it.
        let mut token = self.token.lock().await;
        if let Some(token) = token.as_ref().filter(|_| !anew) {
            return Ok(token.clone());
        }
        let url = format!("{}/v1/auth/{}/login", self.config.address.trim_end_matches('/'), escaped(mount));
        let asked = self.http.post(url).json(&json!({ "role_id": role_id.expose(), "secret_id": secret_id.expose() }));
        let answer = self.send(asked).await.map_err(|fault| match fault {
            Fault::Forbidden | Fault::Absent | Fault::Odd(_) => Fault::Odd("Vault does not take the AppRole's ids; check `role_id`, `secret_id` and `mount`".into()),
            away @ Fault::Away(_) => away,
        })?;
        let given = answer.pointer("/auth/client_token").and_then(Json::as_str).ok_or_else(|| Fault::Odd("Vault's sign-in gave no token".into()))?;
        let given = SecretText::new(given);
        *token = Some(given.clone());
        Ok(given)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Json, Fault> {
        let request = match &self.config.namespace {
            Some(namespace) => request.header("X-Vault-Namespace", namespace.as_str()),
            None => request,
        };
        // The address is told, the request is not: it carries the token.
        let away = |what: &str| Fault::Away(format!("Vault at {} {what}", self.config.address));
        let mut response = request.header("X-Vault-Request", "true").send().await.map_err(|error| {
            away(if error.is_timeout() { "did not answer in time; check that it is up" } else { "cannot be reached, or its certificate is not trusted; check `address` and `ca`" })
        })?;
        match response.status().as_u16() {
            200 => {}
            403 => return Err(Fault::Forbidden),
            404 => return Err(Fault::Absent),
            400 => return Err(Fault::Odd("Vault does not understand the request; check the mount and the sign-in".into())),
            503 => return Err(away("is sealed or not ready; unseal it")),
            code => return Err(away(&format!("answers {code}; look at its log"))),
        }
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|_| away("stopped in the middle of its answer"))? {
            if body.len() + part.len() > LARGEST {
                return Err(Fault::Odd(format!("Vault's answer is larger than {LARGEST} bytes")));
            }
            body.extend_from_slice(&part);
        }
        // What cannot be read is not quoted: it may hold the secret.
        serde_json::from_slice(&body).map_err(|_| Fault::Odd("Vault's answer is no JSON; check `address`".into()))
    }
}

/// A path of a URL, each part escaped.
fn escaped(path: &str) -> String {
    path.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

impl Secrets for Vault {
    fn resolve<'a>(&'a self, reference: &'a SecretRef) -> Fut<'a, Result<SecretText, SecretError>> {
        Box::pin(self.read(reference))
    }
}
