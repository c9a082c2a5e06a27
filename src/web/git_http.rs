//! `git clone`, `fetch` and `push` over HTTP: git's own backend, run as CGI, with bodies streamed both ways.
//!
//! Git keeps the protocol, we keep the door: who it is (basic auth, user and token), what they may do, and who pushed. The repository's
//! hooks protect the governed branch here as they do by path.

use crate::{
    core::{
        model::{RepoId, User},
        review::Right,
    },
    forges::local::{ADMIN, PUSHER},
    git::program,
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, RawQuery, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use base64::Engine as _;
use futures::StreamExt;
use std::{path::PathBuf, process::Stdio, sync::Arc};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout},
};
use tokio_util::io::ReaderStream;

/// What the door asks of the server.
pub trait GitDoor: Send + Sync {
    /// Whose token this is, if it is that user's.
    fn sign_in(&self, user: &str, token: &str) -> Option<User>;

    fn right(&self, repo: &RepoId, who: &User) -> Right;

    /// The bare repository; `None`: not one of ours.
    fn dir(&self, repo: &RepoId) -> Option<PathBuf>;

    /// Something may have been pushed: called after git is done, whether it took it or not.
    fn pushed(&self, repo: &RepoId);
}

/// The header of a CGI answer is a few short lines.
const HEAD: u64 = 16 << 10;

/// Serves repositories below `/git/`: `git clone http://USER:TOKEN@HOST/git/NAME.git`. A push may have `push_bytes` bytes.
pub fn router(door: Arc<dyn GitDoor>, push_bytes: u64) -> Router {
    Router::new().route("/git/{*path}", any(serve)).layer(axum::extract::DefaultBodyLimit::disable()).with_state(Doorway { door, push_bytes })
}

#[derive(Clone)]
struct Doorway {
    door: Arc<dyn GitDoor>,
    push_bytes: u64,
}

/// What one request asks of git.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    Fetch,
    Push,
}

async fn serve(State(way): State<Doorway>, Path(path): Path<String>, RawQuery(query): RawQuery, request: Request) -> Response {
    let query = query.unwrap_or_default();
    let Some((repo, tail, service)) = asked(&path, &query, request.method()) else {
        return said(StatusCode::NOT_FOUND, "no such thing here; clone NAME.git below /git/ with git 2 or newer");
    };
    let Some(user) = signed_in(&*way.door, request.headers()) else {
        let mut answer = said(StatusCode::UNAUTHORIZED, "sign in with your user name and token");
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"trueup\", charset=\"UTF-8\""));
        return answer;
    };
    let right = way.door.right(&repo, &user);
    let Some(dir) = way.door.dir(&repo).filter(|_| right >= Right::Read) else {
        return said(StatusCode::NOT_FOUND, "no such repository, or you may not read it; ask an admin of the server");
    };
    if service == Service::Push && right < Right::Write {
        return said(StatusCode::FORBIDDEN, "you may read this repository, not push to it; ask an admin of it");
    }
    match run(&way, &repo, dir, tail, &query, &user, right, request).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::error!(%repo, "git over HTTP: {error}");
            said(StatusCode::INTERNAL_SERVER_ERROR, "git could not be run; see the server's log")
        }
    }
}

fn said(status: StatusCode, what: &'static str) -> Response {
    (status, format!("{what}\n")).into_response()
}

/// Splits `team/dns.git/info/refs`; only the three requests of the smart protocol are served, so no file is ever named.
fn asked(path: &str, query: &str, method: &Method) -> Option<(RepoId, &'static str, Service)> {
    let service = |name: &str| match name {
        "git-upload-pack" => Some(Service::Fetch),
        "git-receive-pack" => Some(Service::Push),
        _ => None,
    };
    let tails = [("/info/refs", Method::GET), ("/git-upload-pack", Method::POST), ("/git-receive-pack", Method::POST)];
    let (name, tail) = tails.iter().filter(|(_, with)| with == method).find_map(|(tail, _)| Some((path.strip_suffix(tail)?, *tail)))?;
    let service = match tail {
        "/info/refs" => service(query.strip_prefix("service=")?)?,
        posted => service(&posted[1..])?,
    };
    let name = name.strip_suffix(".git").unwrap_or(name);
    Some((RepoId::new(name), tail, service))
}

fn signed_in(door: &dyn GitDoor, headers: &HeaderMap) -> Option<User> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, token) = decoded.split_once(':')?;
    door.sign_in(user, token)
}

#[expect(clippy::too_many_arguments, reason = "the parts of one request, judged one after the other by the only caller")]
async fn run(way: &Doorway, repo: &RepoId, dir: PathBuf, tail: &str, query: &str, user: &User, right: Right, request: Request) -> std::io::Result<Response> {
    let mut command = tokio::process::Command::new(program::path());
    command.arg("http-backend").env_clear().envs(program::environment());
    command
        .env("GIT_PROJECT_ROOT", dir)
        .env("PATH_INFO", tail)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", request.method().as_str())
        .env("QUERY_STRING", query)
        .env(PUSHER, user.as_str())
        .env(ADMIN, if right >= Right::Admin { "1" } else { "0" })
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "receive.maxInputSize")
        .env("GIT_CONFIG_VALUE_0", way.push_bytes.to_string());
    let passed = [(header::CONTENT_TYPE, "CONTENT_TYPE"), (header::CONTENT_LENGTH, "CONTENT_LENGTH"), (header::CONTENT_ENCODING, "HTTP_CONTENT_ENCODING")];
    for (name, variable) in passed.into_iter().chain([(HeaderName::from_static("git-protocol"), "GIT_PROTOCOL")]) {
        if let Some(value) = request.headers().get(&name).and_then(|value| value.to_str().ok()) {
            command.env(variable, value);
        }
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let missing = || std::io::Error::other("git has no pipes");
    let (stdin, stdout) = (child.stdin.take().ok_or_else(missing)?, child.stdout.take().ok_or_else(missing)?);
    tokio::spawn(feed(stdin, request.into_body()));
    let (done, ended) = tokio::sync::oneshot::channel();
    // Not tied to the connection: a push whose client went away still ends in order, and is looked at.
    tokio::spawn(watch(child, way.door.clone(), repo.clone(), tail == "/git-receive-pack", done));
    answer(BufReader::new(stdout), ended).await
}

/// Gives git the request's body. A git that stops reading has said why on its output.
async fn feed(mut stdin: ChildStdin, body: Body) {
    let mut chunks = body.into_data_stream();
    while let Some(Ok(chunk)) = chunks.next().await {
        if stdin.write_all(&chunk).await.is_err() {
            return;
        }
    }
    let _ = stdin.shutdown().await;
}

/// Waits for git, then tells the server of a push; `done` fires after that, so that a client that has its answer knows the server has heard.
async fn watch(mut child: Child, door: Arc<dyn GitDoor>, repo: RepoId, push: bool, done: tokio::sync::oneshot::Sender<()>) {
    let mut complaint = String::new();
    if let Some(stderr) = child.stderr.take() {
        let _ = stderr.take(HEAD).read_to_string(&mut complaint).await;
    }
    match child.wait().await {
        Ok(status) if status.success() => {}
        Ok(status) => tracing::warn!(%repo, "git http-backend ended with {status}: {}", complaint.trim()),
        Err(error) => tracing::error!(%repo, "git http-backend: {error}"),
    }
    if push {
        door.pushed(&repo);
    }
    let _ = done.send(());
}

/// Turns git's CGI answer into ours.
async fn answer(mut stdout: BufReader<ChildStdout>, ended: tokio::sync::oneshot::Receiver<()>) -> std::io::Result<Response> {
    let mut status = StatusCode::OK;
    let mut headers = HeaderMap::new();
    let mut left = HEAD;
    loop {
        let mut line = Vec::new();
        let read = (&mut stdout).take(left).read_until(b'\n', &mut line).await?;
        left = left.saturating_sub(read as u64);
        if !line.ends_with(b"\n") {
            return Err(std::io::Error::other("git ended before its answer began"));
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let Some((name, value)) = line.split_once(':') else {
            if line.is_empty() {
                break;
            }
            return Err(std::io::Error::other("git's answer has no header"));
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().and_then(|code| code.parse::<u16>().ok());
            status = code.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::BAD_GATEWAY);
        } else if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            headers.append(name, value);
        }
    }
    let waits = futures::stream::once(async move {
        let _ = ended.await;
        Ok::<_, std::io::Error>(Bytes::new())
    });
    let body = ReaderStream::new(stdout).chain(waits);
    Ok((status, headers, Body::from_stream(body)).into_response())
}
