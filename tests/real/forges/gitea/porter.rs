//! A porter before a real Gitea: holds all that our driver asks, and all that it is answered, against Gitea's own description, and fails on demand.

use crate::{
    forges::{
        failing::Failing,
        fake::{Call, Description, Fault, met},
    },
    harness::GiteaServer,
};
use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};
use tokio::runtime::Runtime;

/// The longest body anybody sends.
const BODY: usize = 64 << 20;

/// Gitea's description of itself, as its module carries it.
pub fn description() -> &'static Description {
    static GITEA: OnceLock<Description> = OnceLock::new();
    GITEA.get_or_init(|| {
        let file = GiteaServer::files().join("templates/swagger/v1_json.tmpl");
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        // It is served with its version and its own address filled in.
        let mut whole: Value = serde_json::from_str(&text.replace("{{.SwaggerAppVer}}", "").replace("{{.SwaggerAppSubUrl}}", "")).expect("the description is JSON");
        // What Gitea answers beside its own description: `login` under its old name.
        whole["definitions"]["User"]["properties"]["username"] = json!({ "type": "string" });
        Description::of_version_two(whole)
    })
}

/// A running porter; dropped, it fails the test in which something was asked or answered that Gitea does not describe.
pub struct Porter {
    pub url: String,
    desk: Arc<Desk>,
    /// It answers in its own threads, whatever the test does in its.
    threads: Option<Runtime>,
}

struct Desk {
    gitea: String,
    url: String,
    http: reqwest::Client,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    faults: Vec<Fault>,
    calls: Vec<Call>,
    /// What was asked or answered against the description.
    wrong: Vec<String>,
}

impl Porter {
    pub fn start(gitea: &GiteaServer) -> Self {
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads can be started");
        let listener = threads.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("loopback has free ports");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let desk = Arc::new(Desk { gitea: gitea.url.clone(), url: url.clone(), http, notes: Mutex::default() });
        let inside = desk.clone();
        let router = axum::Router::new().fallback(move |request: Request| {
            let desk = inside.clone();
            async move { desk.serve(request).await }
        });
        threads.spawn(async move { axum::serve(listener, router).await });
        Self { url, desk, threads: Some(threads) }
    }

    /// What was asked or answered against the description, which the caller expects.
    pub fn wrong(&self) -> Vec<String> {
        std::mem::take(&mut self.desk.notes().wrong)
    }
}

impl Failing for Porter {
    fn fail(&self, fault: Fault) {
        self.desk.notes().faults.push(fault);
    }

    fn mend(&self) {
        self.desk.notes().faults.clear();
    }

    fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.desk.notes().calls)
    }
}

impl Drop for Porter {
    fn drop(&mut self) {
        // A Gitea that was stopped leaves questions open; nobody waits for them here.
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
        let wrong = self.wrong();
        if !std::thread::panicking() {
            assert!(wrong.is_empty(), "against Gitea's description:\n{}", wrong.join("\n"));
        }
    }
}

impl Desk {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let Ok(body) = to_bytes(body, BODY).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
        let whole = head.uri.path_and_query().map_or("", |whole| whole.as_str()).to_owned();
        let Some(path) = head.uri.path().strip_prefix("/api/v1") else {
            return self.passed(head.method, &whole, head.headers, body.to_vec()).await.map_or_else(lost, |(status, headers, body)| answered(status, headers, body));
        };
        let method = head.method.to_string();
        let said: Value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or_else(|error| Value::String(format!("not JSON: {error}"))) };
        let fault = met(&mut self.notes().faults, &method, &whole);
        let note = |status: u16| {
            let call = Call { method: method.clone(), path: whole.clone(), status, body: said.clone() };
            self.notes().calls.push(call);
        };
        let failed = |fault: &Fault| {
            note(fault.answer.status);
            let headers = fault.answer.headers.iter().filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?))).collect();
            answered(fault.answer.status, headers, fault.answer.body.to_string().into_bytes())
        };
        if let Some(fault) = fault.as_ref().filter(|fault| !fault.after) {
            return failed(fault);
        }
        let query: BTreeMap<String, String> = reqwest::Url::parse(&format!("{}{whole}", self.url)).expect("a client asks for a URL").query_pairs().into_owned().collect();
        let operation = match description().request(&method, path, &query, &said) {
            Ok(operation) => operation,
            Err(why) => {
                self.notes().wrong.push(why.clone());
                return (StatusCode::BAD_REQUEST, why).into_response();
            }
        };
        match self.passed(head.method, &whole, head.headers, body.to_vec()).await {
            Ok((status, headers, body)) => {
                // How it refuses is described by headers that it does not send.
                if (200..300).contains(&status) {
                    let told: Value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or_else(|_| Value::String("not JSON".into())) };
                    if let Err(why) = description().answer(&operation, status, &told) {
                        self.notes().wrong.push(why);
                    }
                }
                if let Some(fault) = &fault {
                    return failed(fault);
                }
                note(status);
                answered(status, headers, body)
            }
            Err(error) => lost(error),
        }
    }

    /// Hands a request on; what came.
    async fn passed(&self, method: reqwest::Method, whole: &str, mut headers: HeaderMap, body: Vec<u8>) -> Result<(u16, HeaderMap, Vec<u8>), reqwest::Error> {
        for name in [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION] {
            headers.remove(name);
        }
        let response = self.http.request(method, format!("{}{whole}", self.gitea)).headers(headers).body(body).send().await?;
        let (status, mut headers) = (response.status().as_u16(), response.headers().clone());
        for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION] {
            headers.remove(name);
        }
        // The next page is where this one came from.
        if let Some(link) = headers.get(header::LINK).and_then(|link| link.to_str().ok()?.replace(&self.gitea, &self.url).parse().ok()) {
            headers.insert(header::LINK, link);
        }
        Ok((status, headers, response.bytes().await?.to_vec()))
    }
}

fn answered(status: u16, headers: HeaderMap, body: Vec<u8>) -> Response {
    (StatusCode::from_u16(status).expect("a status"), headers, Body::from(body)).into_response()
}

fn lost(error: reqwest::Error) -> Response {
    (StatusCode::BAD_GATEWAY, error.to_string()).into_response()
}
