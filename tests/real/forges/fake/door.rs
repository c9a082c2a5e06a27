//! The door of a fake forge: git and its API on one port, with tokens, limits, entity tags, faults, and every request held against the vendor's description.

use super::{
    apps::{self, Holder},
    fault::{self, Fault},
    git, github, gitlab,
    openapi::Description,
    state::{Call, Role, State},
};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use trueup::{
    core::{
        model::{RepoId, User},
        review::Right,
    },
    web::git_http::{self, GitDoor},
};

/// The longest body anybody sends.
const BODY: usize = 32 << 20;

/// Calls an hour, as GitHub counts them.
const LIMIT: u64 = 5000;

/// Whose words it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    GitHub,
    GitLab,
}

impl Wire {
    /// Where its API begins, as on a host of one's own.
    pub fn api(self) -> &'static str {
        match self {
            Self::GitHub => "/api/v3",
            Self::GitLab => "/api/v4",
        }
    }
}

/// One request as a projection sees it.
pub struct Ask<'a> {
    pub method: &'a str,
    /// The parts of the path below the API's beginning, decoded.
    pub path: Vec<&'a str>,
    pub query: BTreeMap<String, String>,
    pub body: Value,
    /// Whose token it carries.
    pub who: String,
    /// `http://127.0.0.1:PORT`
    pub host: String,
}

impl Ask<'_> {
    pub fn asks(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub fn says(&self, name: &str) -> Option<&str> {
        self.body.get(name)?.as_str()
    }
}

/// What it answers.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

impl Answer {
    pub fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    pub fn ok(body: Value) -> Self {
        Self::new(200, body)
    }

    pub fn refused(status: u16, message: impl Into<String>) -> Self {
        Self::new(status, json!({ "message": message.into(), "documentation_url": "https://docs.example" }))
    }
}

/// A running fake forge; dropped, it fails the test in which somebody asked for what the vendor does not describe.
pub struct FakeForge {
    pub url: String,
    inside: Arc<Inside>,
    serving: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

struct Inside {
    state: Mutex<State>,
    wire: Wire,
    url: String,
    /// What was asked or answered against the description.
    wrong: Mutex<Vec<String>>,
}

impl FakeForge {
    pub async fn start(wire: Wire) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State {
            users: BTreeMap::new(),
            projects: BTreeMap::new(),
            teams: BTreeMap::new(),
            app: None,
            last_id: 1000,
            last_at: 0,
            faults: Vec::new(),
            calls_left: LIMIT,
            calls: Vec::new(),
            folder: folder.path().to_owned(),
        };
        let inside = Arc::new(Inside { state: Mutex::new(state), wire, url: url.clone(), wrong: Mutex::default() });
        let repositories = TowerToHyperService::new(git_http::router(inside.clone(), 64 << 20));
        let door = inside.clone();
        let router = axum::Router::new().fallback(move |request: Request| {
            let (door, repositories) = (door.clone(), repositories.clone());
            async move { door.serve(repositories, request).await }
        });
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inside, serving, _folder: folder }
    }

    /// What it holds, with all that was pushed taken in.
    pub fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.inside.state();
        git::refresh(&mut state);
        state
    }

    pub fn api(&self) -> String {
        format!("{}{}", self.url, self.inside.wire.api())
    }

    pub fn wire(&self) -> Wire {
        self.inside.wire
    }

    pub fn fail(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    pub fn mend(&self) {
        self.state().faults.clear();
    }

    /// What was asked or answered against the description, which the caller expects.
    pub fn wrong(&self) -> Vec<String> {
        std::mem::take(&mut *self.inside.wrong.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The calls since the last time this was asked.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state().calls)
    }
}

impl Drop for FakeForge {
    fn drop(&mut self) {
        self.serving.abort();
        let wrong = self.wrong();
        if !std::thread::panicking() {
            assert!(wrong.is_empty(), "against the vendor's description:\n{}", wrong.join("\n"));
        }
    }
}

impl GitDoor for Inside {
    fn sign_in(&self, _: &str, token: &str) -> Option<User> {
        let state = self.state();
        match apps::holder(&state, Some(token)).ok()? {
            Holder::Account(login) => Some(User::new(login)),
            Holder::App => None,
            Holder::Installed(_) => state.app.as_ref().map(|app| User::new(app.login())),
        }
    }

    fn right(&self, repo: &RepoId, who: &User) -> Right {
        match self.state().role(repo.as_str(), who.as_str()) {
            Role::None => Right::None,
            Role::Read | Role::Triage => Right::Read,
            Role::Write | Role::Maintain => Right::Write,
            Role::Admin => Right::Admin,
        }
    }

    fn dir(&self, repo: &RepoId) -> Option<PathBuf> {
        self.state().projects.get(repo.as_str()).map(|project| project.dir.clone())
    }

    fn pushed(&self, _: &RepoId) {}
}

impl Inside {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(self: Arc<Self>, repositories: TowerToHyperService<axum::Router>, mut request: Request) -> Response {
        if request.uri().path().contains(".git/") {
            let path = format!("/git{}", request.uri());
            *request.uri_mut() = path.parse::<Uri>().unwrap();
            return match hyper::service::Service::call(&repositories, request).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            };
        }
        let (head, body) = request.into_parts();
        let Ok(body) = to_bytes(body, BODY).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
        tokio::task::spawn_blocking(move || self.call(head.method.as_str(), &head.uri, &head.headers, &body)).await.unwrap()
    }

    fn call(&self, method: &str, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Response {
        let mut state = self.state();
        git::refresh(&mut state);
        let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let token = said("authorization").and_then(|value| Some(value.split_once(' ')?.1.to_owned())).or_else(|| said("private-token"));
        let who = apps::holder(&state, token.as_deref());
        let whole = uri.path_and_query().map_or("", |whole| whole.as_str()).to_owned();
        let body: Value = if body.is_empty() { Value::Null } else { serde_json::from_slice(body).unwrap_or_else(|error| json!({ "not JSON": error.to_string() })) };
        let mut met = fault::met(&mut state.faults, method, &whole);
        if let Some(deed) = met.as_mut().and_then(|fault| fault.deed.take()) {
            deed.0(&mut state);
            met = None;
        }
        let mut answer = match (&who, met) {
            (Err((status, why)), _) => Answer::refused(*status, *why),
            (_, Some(fault)) if !fault.after => fault.answer,
            (Ok(_), _) if state.calls_left == 0 => Answer::refused(403, "API rate limit exceeded for user ID 1."),
            (Ok(who), fault) => {
                let done = self.answer(&mut state, method, uri, &body, who);
                fault.map_or(done, |fault| fault.answer)
            }
        };
        let tag = format!("W/\"{}\"", hex(&answer.body));
        let known = headers.get("if-none-match").and_then(|value| value.to_str().ok()) == Some(&tag);
        if method == "GET" && answer.status == 200 && known {
            answer = Answer { status: 304, headers: Vec::new(), body: Value::Null };
        } else {
            // What did not change costs nothing.
            state.calls_left = state.calls_left.saturating_sub(1);
        }
        state.calls.push(Call { method: method.into(), path: whole, status: answer.status, body });
        let mut out = Response::builder().status(answer.status).header("content-type", "application/json; charset=utf-8");
        let until = (jiff::Timestamp::now().as_second() + 3600).to_string();
        let counted = [("x-ratelimit-limit", LIMIT.to_string()), ("x-ratelimit-remaining", state.calls_left.to_string()), ("x-ratelimit-reset", until)];
        for (name, value) in counted.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(answer.headers) {
            out = out.header(name, HeaderValue::from_str(&value).unwrap());
        }
        if method == "GET" && matches!(answer.status, 200 | 304) {
            out = out.header("etag", tag);
        }
        let body = if answer.body.is_null() { Body::empty() } else { Body::from(answer.body.to_string()) };
        out.body(body).unwrap()
    }

    /// Answers one request that nothing stands against, and holds it and the answer against the description.
    fn answer(&self, state: &mut State, method: &str, uri: &Uri, body: &Value, holder: &Holder) -> Answer {
        let bot = || state.app.as_ref().map(|app| app.login()).unwrap_or_default();
        let who = &match holder {
            Holder::Account(login) => login.clone(),
            Holder::App | Holder::Installed(_) => bot(),
        };
        let query: BTreeMap<String, String> = pairs(uri.query().unwrap_or_default());
        // GitHub's second API stands beside the first.
        if self.wire == Wire::GitHub && uri.path() == "/api/graphql" {
            return github::graphql(state, body, who);
        }
        let Some(path) = uri.path().strip_prefix(self.wire.api()) else { return Answer::refused(404, "Not Found") };
        let refused = |why: String| {
            self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(why.clone());
            Answer::refused(400, why)
        };
        let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        let ask = Ask { method, path: parts.iter().map(String::as_str).collect(), query, body: body.clone(), who: who.to_owned(), host: self.url.clone() };
        match self.wire {
            Wire::GitHub => {
                let description = Description::of_github();
                let operation = match description.request(method, path, &ask.query, body) {
                    Ok(operation) => operation,
                    Err(why) => return refused(why),
                };
                let installed = |id: u64| state.app.iter().flat_map(|app| &app.installations).find(|one| one.id == id);
                let answer = match holder {
                    Holder::Account(_) => github::answer(state, &ask),
                    Holder::App => github::of_itself(state, &ask),
                    Holder::Installed(id) => match installed(*id).and_then(|one| github::of_installation(state, &ask, one)) {
                        Some(answer) => answer,
                        None => github::answer(state, &ask),
                    },
                };
                if let Err(why) = description.answer(&operation, answer.status, &answer.body) {
                    refused(why);
                }
                answer
            }
            Wire::GitLab => match gitlab::described(method, path, &ask.query, body) {
                Ok(()) => gitlab::answer(state, &ask),
                Err(why) => refused(why),
            },
        }
    }
}

fn hex(body: &Value) -> String {
    Sha256::digest(body.to_string()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn pairs(query: &str) -> BTreeMap<String, String> {
    let split = |pair: &str| pair.split_once('=').map(|(key, value)| (decoded(key), decoded(&value.replace('+', " "))));
    query.split('&').filter_map(split).collect()
}

fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digits: String = bytes.by_ref().take(2).map(char::from).collect();
                out.push(u8::from_str_radix(&digits, 16).expect("a client encodes right"));
            }
            byte => out.push(byte),
        }
    }
    String::from_utf8(out).expect("paths are UTF-8")
}

/// One page of a list, with the links to others as GitHub and GitLab give them.
pub fn paged(ask: &Ask<'_>, api: &str, all: Vec<Value>) -> Answer {
    paged_by(ask, api, all, |one| one)
}

/// The same of a list of which nothing is written out but that page.
pub fn paged_by<T>(ask: &Ask<'_>, api: &str, all: Vec<T>, written: impl Fn(T) -> Value) -> Answer {
    let number = |name: &str, usual: usize| ask.asks(name).map_or(usual, |text| text.parse().unwrap());
    let (size, page) = (number("per_page", 30).min(100), number("page", 1));
    let pages = all.len().div_ceil(size).max(1);
    let link = |page: usize, rel: &str| {
        let mut query = ask.query.clone();
        query.insert("page".into(), page.to_string());
        let query: Vec<String> = query.iter().map(|(key, value)| format!("{key}={}", value.replace('/', "%2F"))).collect();
        let path: Vec<String> = ask.path.iter().map(|part| part.replace('/', "%2F")).collect();
        format!("<{}{api}/{}?{}>; rel=\"{rel}\"", ask.host, path.join("/"), query.join("&"))
    };
    let mut links = Vec::new();
    if page < pages {
        links.extend([link(page + 1, "next"), link(pages, "last")]);
    }
    if page > 1 {
        links.extend([link(page - 1, "prev"), link(1, "first")]);
    }
    let mut answer = Answer::ok(all.into_iter().skip((page - 1) * size).take(size).map(written).collect());
    if !links.is_empty() {
        answer.headers.push(("link".into(), links.join(", ")));
    }
    answer
}
