//! What client commands share: which server, which repository, and requests whose errors say what to do.

use anyhow::{Context as _, bail};
use futures::{Stream, TryStreamExt, stream};
use reqwest::{Method, Response, Url};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

/// Which server is asked, and as whom.
#[derive(clap::Args)]
#[command(next_help_heading = "Server")]
pub struct ServerArgs {
    /// The server's URL.
    #[arg(long, env = "TRUEUP_SERVER", value_name = "URL")]
    pub server: String,
    /// Your token; better from the environment, because others on the machine see arguments.
    #[arg(long, env = "TRUEUP_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub token: String,
    /// Print one JSON document (version 1) instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Which merge request.
#[derive(clap::Args)]
pub struct MrArgs {
    /// The merge request: `7`, or `REPOSITORY!7`.
    #[arg(value_name = "N")]
    pub number: String,
    /// The repository's name; not needed when you see only one.
    #[arg(long, env = "TRUEUP_REPO", value_name = "NAME")]
    pub repo: Option<String>,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// A server to ask.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: String,
}

impl Client {
    pub fn new(args: &ServerArgs) -> anyhow::Result<Self> {
        let text = if args.server.contains("://") { args.server.clone() } else { format!("http://{}", args.server) };
        let base = Url::parse(&text).with_context(|| format!("`{}` is no URL; write for example http://127.0.0.1:8080", args.server))?;
        if base.cannot_be_a_base() || !matches!(base.scheme(), "http" | "https") {
            bail!("`{}` is no http or https URL", args.server);
        }
        let builder = reqwest::Client::builder().connect_timeout(CONNECT).user_agent(concat!("trueup/", env!("CARGO_PKG_VERSION")));
        // A proxy cannot reach this machine's loopback on our behalf.
        let local = matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let http = if local { builder.no_proxy() } else { builder }.build()?;
        Ok(Self { http, base, token: args.token.clone() })
    }

    pub async fn get(&self, path: &[&str]) -> anyhow::Result<Value> {
        self.json(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &[&str], body: Value) -> anyhow::Result<Value> {
        self.json(Method::POST, path, Some(body)).await
    }

    /// Posts, and hands back whatever is answered: the status and its JSON, null where it is none. An error where nothing was.
    pub async fn exchange(&self, path: &[&str], body: &Value) -> anyhow::Result<(u16, Value)> {
        let sent = self.http.post(self.url(path)?).json(body).bearer_auth(&self.token).send().await;
        let response = sent.with_context(|| format!("{} does not answer; is the server running, and is --server (TRUEUP_SERVER) right?", self.base))?;
        let status = response.status().as_u16();
        Ok((status, response.json().await.unwrap_or_default()))
    }

    pub async fn delete(&self, path: &[&str]) -> anyhow::Result<Value> {
        self.json(Method::DELETE, path, None).await
    }

    /// Deletes what a query names.
    pub async fn delete_named(&self, path: &[&str], query: (&str, &str)) -> anyhow::Result<Value> {
        let mut url = self.url(path)?;
        url.query_pairs_mut().append_pair(query.0, query.1);
        self.send(self.http.delete(url)).await?.json().await.context("the server's answer is no JSON; is this a trueup server?")
    }

    /// An answer as text, asked for with query parameters.
    pub async fn text(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<String> {
        let mut url = self.url(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(self.send(self.http.get(url)).await?.text().await?)
    }

    /// The `data` of every event of a stream, until the server ends it.
    pub async fn events(&self, path: &[&str]) -> anyhow::Result<impl Stream<Item = anyhow::Result<Value>> + Unpin> {
        let lines = Self::lines(self.send(self.http.get(self.url(path)?)).await?);
        Ok(Box::pin(
            lines.try_filter_map(async |line| line.strip_prefix(b"data:").map(|data| serde_json::from_slice(data).context("the server sent an event that is no JSON")).transpose()),
        ))
    }

    /// The rows of an answer that comes line by line, until the server ends it.
    pub async fn rows<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<impl Stream<Item = anyhow::Result<T>> + Unpin + use<T>> {
        let mut url = self.url(path)?;
        url.query_pairs_mut().extend_pairs(query);
        let lines = Self::lines(self.send(self.http.get(url)).await?);
        Ok(Box::pin(lines.and_then(async |line| serde_json::from_slice(&line).context("the server sent a line that is not understood; are server and command of one version?"))))
    }

    fn lines(response: Response) -> impl Stream<Item = anyhow::Result<Vec<u8>>> + use<> {
        let mut rest = Vec::new();
        let lines = response.bytes_stream().map_err(anyhow::Error::from).map_ok(move |bytes| {
            rest.extend_from_slice(&bytes);
            let mut found = Vec::new();
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                found.push(Ok(rest.drain(..=end).collect::<Vec<u8>>()));
            }
            stream::iter(found)
        });
        lines.try_flatten()
    }

    async fn json(&self, method: Method, path: &[&str], body: Option<Value>) -> anyhow::Result<Value> {
        let mut request = self.http.request(method, self.url(path)?);
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.send(request).await?.json().await.context("the server's answer is no JSON; is this a trueup server?")
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Response> {
        let sent = request.bearer_auth(&self.token).send().await;
        let response = sent.with_context(|| format!("{} does not answer; is the server running, and is --server (TRUEUP_SERVER) right?", self.base))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let said: Value = response.json().await.unwrap_or(json!({}));
        match (said["error"].as_str(), said["advice"].as_str()) {
            (Some(error), Some(advice)) => bail!("{error}; {advice}"),
            _ => bail!("{} answered {status}; is this a trueup server?", self.base),
        }
    }

    fn url(&self, path: &[&str]) -> anyhow::Result<Url> {
        let mut url = self.base.clone();
        // `Client::new` took only URLs that can be a base.
        url.path_segments_mut().map_err(|()| anyhow::anyhow!("`{}` takes no path", self.base))?.pop_if_empty().extend(["api", "v1"]).extend(path);
        Ok(url)
    }

    /// The repository that is meant: the named one, or the only one there is.
    pub async fn repo(&self, named: Option<&str>) -> anyhow::Result<String> {
        if let Some(name) = named {
            return Ok(name.to_owned());
        }
        let all = self.get(&["repos"]).await?;
        let names: Vec<&str> = all["repos"].as_array().into_iter().flatten().filter_map(|repo| repo["name"].as_str()).collect();
        match names.as_slice() {
            [only] => Ok((*only).to_owned()),
            [] => bail!("you see no repository on {}; ask its operator for the right to read one", self.base),
            several => bail!("say which repository with --repo (TRUEUP_REPO): {}", several.join(", ")),
        }
    }
}

/// A merge request on a server.
pub struct Mr {
    pub client: Client,
    pub repo: String,
    pub number: String,
}

impl Mr {
    pub async fn find(args: &MrArgs) -> anyhow::Result<Self> {
        let client = Client::new(&args.server)?;
        let (named, number) = match args.number.rsplit_once('!') {
            Some((repo, number)) => (Some(repo), number),
            None => (args.repo.as_deref(), args.number.as_str()),
        };
        let number: u64 = number.parse().map_err(|_| anyhow::anyhow!("`{}` names no merge request; write `7` or `REPOSITORY!7`", args.number))?;
        let repo = client.repo(named).await?;
        Ok(Self { client, repo, number: number.to_string() })
    }

    /// The path of something of it: `[]` is itself.
    pub fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        [&["repos", &self.repo, "mrs", &self.number], rest].concat()
    }

    pub async fn show(&self) -> anyhow::Result<Value> {
        self.client.get(&self.path(&[])).await
    }

    pub async fn post(&self, rest: &[&str], body: Value) -> anyhow::Result<Value> {
        self.client.post(&self.path(rest), body).await
    }
}

/// Prints JSON when asked to, else a line.
pub fn tell(as_json: bool, answer: &Value, line: &str) {
    if as_json {
        println!("{answer:#}");
    } else {
        println!("{line}");
    }
}

/// A text field of several lines, each safe for a terminal.
pub fn text(answer: &Value, name: &str) -> String {
    let lines = answer[name].as_str().unwrap_or_default().lines().map(crate::core::review::escape::plain);
    lines.collect::<Vec<_>>().join("\n")
}

/// A text field of an answer, safe for a terminal.
pub fn field(answer: &Value, name: &str) -> String {
    let text = match &answer[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    crate::core::review::escape::plain(&text)
}
