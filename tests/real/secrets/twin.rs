//! Vault's HTTP API for version 2 of the key-value engine, as far as reading it goes.
//!
//! Written to <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2> and <https://developer.hashicorp.com/vault/api-docs/auth/approle>;
//! docs/decisions/secrets.md says why no real one is built.

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// What the twin holds and what it was asked.
#[derive(Default)]
pub struct Held {
    /// By mount and path: versions from 1; none: deleted.
    pub secrets: BTreeMap<String, Vec<Option<Value>>>,
    pub tokens: Vec<String>,
    pub logins: u32,
    pub sealed: bool,
    pub namespaces: Vec<String>,
}

/// A running twin; it ends with its runtime.
pub struct Twin {
    pub address: String,
    pub held: Arc<Mutex<Held>>,
    _runtime: tokio::runtime::Runtime,
}

type Answer = (StatusCode, Json<Value>);

fn no(code: StatusCode, said: &[&str]) -> Answer {
    (code, Json(json!({ "errors": said })))
}

async fn read(State(held): State<Arc<Mutex<Held>>>, Path((mount, path)): Path<(String, String)>, Query(asked): Query<BTreeMap<String, usize>>, headers: HeaderMap) -> Answer {
    let mut held = held.lock().expect("whole");
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    held.namespaces.push(header("x-vault-namespace"));
    if held.sealed {
        return no(StatusCode::SERVICE_UNAVAILABLE, &["Vault is sealed"]);
    }
    if !held.tokens.contains(&header("x-vault-token")) {
        return no(StatusCode::FORBIDDEN, &["permission denied"]);
    }
    let Some(versions) = held.secrets.get(&format!("{mount}/{path}")) else { return no(StatusCode::NOT_FOUND, &[]) };
    let version = asked.get("version").copied().unwrap_or(versions.len());
    let about = |deleted: &str| json!({ "created_time": "2026-01-02T03:04:05Z", "custom_metadata": null, "deletion_time": deleted, "destroyed": false, "version": version });
    match version.checked_sub(1).and_then(|at| versions.get(at)) {
        None => no(StatusCode::NOT_FOUND, &[]),
        Some(None) => (StatusCode::NOT_FOUND, Json(json!({ "data": { "data": null, "metadata": about("2026-02-03T04:05:06Z") } }))),
        Some(Some(data)) => (StatusCode::OK, Json(json!({ "request_id": "r", "lease_id": "", "data": { "data": data, "metadata": about("") } }))),
    }
}

async fn login(State(held): State<Arc<Mutex<Held>>>, Json(asked): Json<Value>) -> Answer {
    if asked != json!({ "role_id": "role", "secret_id": "canary-secret-id" }) {
        return no(StatusCode::BAD_REQUEST, &["invalid role or secret ID"]);
    }
    let mut held = held.lock().expect("whole");
    held.logins += 1;
    let token = format!("canary-token-{}", held.logins);
    held.tokens.push(token.clone());
    (StatusCode::OK, Json(json!({ "auth": { "client_token": token, "lease_duration": 1200, "renewable": true } })))
}

impl Twin {
    pub fn start() -> Self {
        let held = Arc::new(Mutex::new(Held::default()));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime starts");
        let app = Router::new().route("/v1/auth/approle/login", post(login)).route("/v1/{mount}/data/{*path}", get(read)).with_state(held.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("loopback has a free port");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { address, held, _runtime: runtime }
    }
}
