//! The token that a job asks with. It is never an argument, and nothing prints it.

use super::job::Environment;
use anyhow::{Context as _, bail};
use reqwest::Url;
use serde_json::Value;
use std::{path::Path, time::Duration};

/// A token; its `Debug` says nothing of it.
pub struct Token(pub String);

/// The largest answer that is read: tokens have a few kilobytes.
const MOST: usize = 64 << 10;

/// How long GitHub may take to make one.
const PATIENCE: Duration = Duration::from_secs(20);

/// It fails now and then under load; a job asks again this often.
const TRIES: u32 = 3;

/// The token of a file, of TRUEUP_TOKEN, or of GitHub Actions, in this order.
pub async fn token(file: Option<&Path>, audience: &str, from: &dyn Environment) -> anyhow::Result<Token> {
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the token in {}", path.display()))?;
        let text = text.trim();
        anyhow::ensure!(!text.is_empty(), "the file {} holds no token", path.display());
        return Ok(Token(text.to_owned()));
    }
    if let Some(token) = from.var("TRUEUP_TOKEN") {
        return Ok(Token(token.trim().to_owned()));
    }
    match (from.var("ACTIONS_ID_TOKEN_REQUEST_URL"), from.var("ACTIONS_ID_TOKEN_REQUEST_TOKEN")) {
        (Some(url), Some(bearer)) => of_actions(&url, &bearer, audience).await,
        _ if from.var("GITHUB_ACTIONS").is_some() => bail!(
            "this job has no token to ask with: add `permissions: {{id-token: write}}` to it (GitHub; pull requests from forks are never given one), or set TRUEUP_TOKEN from a secret (Gitea, Forgejo)"
        ),
        _ if from.var("GITLAB_CI").is_some() => bail!("this job has no token to ask with: add `id_tokens: {{TRUEUP_TOKEN: {{aud: {audience}}}}}` to it"),
        _ => bail!("there is no token to ask with: set TRUEUP_TOKEN, or name its file with --token-file"),
    }
}

/// Asks GitHub for the job's token, made for `audience` alone.
async fn of_actions(url: &str, bearer: &str, audience: &str) -> anyhow::Result<Token> {
    let mut url = Url::parse(url).context("ACTIONS_ID_TOKEN_REQUEST_URL is no URL")?;
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    anyhow::ensure!(url.scheme() == "https" || local, "ACTIONS_ID_TOKEN_REQUEST_URL is not encrypted; no token is asked for there");
    url.query_pairs_mut().append_pair("audience", audience);
    // The answer is a token: nobody else is asked for it.
    let builder = reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).user_agent(concat!("trueup/", env!("CARGO_PKG_VERSION")));
    let http = if local { builder.no_proxy() } else { builder }.build()?;
    let mut tries = 0;
    loop {
        tries += 1;
        match once(&http, url.clone(), bearer).await {
            Ok(token) => return Ok(token),
            Err(Failed::Passing(_)) if tries < TRIES => tokio::time::sleep(Duration::from_secs(1) * tries).await,
            Err(Failed::Passing(why) | Failed::Lasting(why)) => bail!("GitHub gave no token for this job: {why}; look whether the job has `permissions: id-token: write`"),
        }
    }
}

enum Failed {
    Passing(String),
    Lasting(String),
}

async fn once(http: &reqwest::Client, url: Url, bearer: &str) -> Result<Token, Failed> {
    // An error of the client prints the URL it was for, which is no secret, and never a header.
    let lost = |error: reqwest::Error| Failed::Passing(error.without_url().to_string());
    let mut response = http.get(url).bearer_auth(bearer).header("accept", "application/json").send().await.map_err(lost)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(lost)? {
        body.extend_from_slice(&part);
        if body.len() > MOST {
            return Err(Failed::Lasting("the answer is far too long for a token".into()));
        }
    }
    if !status.is_success() {
        let why = format!("it answered {status}");
        return Err(if status.is_server_error() || status.as_u16() == 429 { Failed::Passing(why) } else { Failed::Lasting(why) });
    }
    let answer: Value = serde_json::from_slice(&body).map_err(|_| Failed::Lasting("the answer is no JSON".into()))?;
    let token = answer["value"].as_str().filter(|token| !token.is_empty());
    token.map(|token| Token(token.to_owned())).ok_or_else(|| Failed::Lasting("the answer holds no token".into()))
}
