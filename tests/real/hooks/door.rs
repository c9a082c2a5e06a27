//! A running server with one repository of its own that a made-up forge sends webhooks about, and the hand that sends them.

use aws_lc_rs::hmac;
use reqwest::{Client, RequestBuilder, Response};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use trueup::{
    app::{
        config,
        hooks::{Door, Project, Reception},
        service::NewMr,
        wiring,
    },
    core::{
        model::{CommitId, MrId, RepoId, User},
        review::View,
    },
    forges::hooks::Dialect,
    ports::{MemoryKv, SecretText},
    stores::Store,
    web::serve::{self, Running},
};

/// What the forge signs with.
pub const SECRET: &str = "the forge's secret";

/// What the project `platform/own` signs with.
pub const OWN_SECRET: &str = "the project's own secret";

/// How long a condition may take; far above what it takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server and what lies around it.
pub struct House {
    pub running: Running,
    pub client: Client,
    pub dir: TempDir,
}

/// One delivery before it is sent.
pub struct Delivery {
    pub event: &'static str,
    pub id: String,
    pub body: Vec<u8>,
    pub secret: &'static str,
}

impl Delivery {
    /// A delivery signed as Gitea does.
    pub fn of(event: &'static str, id: impl Into<String>, payload: &serde_json::Value) -> Self {
        Self { event, id: id.into(), body: payload.to_string().into_bytes(), secret: SECRET }
    }

    #[must_use]
    pub fn signed_with(self, secret: &'static str) -> Self {
        Self { secret, ..self }
    }

    /// The same with other bytes, signed as they are.
    #[must_use]
    pub fn saying(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    pub fn mac(&self) -> String {
        mac(self.secret, &self.body)
    }
}

/// The HMAC-SHA256 of bytes in hex.
pub fn mac(secret: &str, bytes: &[u8]) -> String {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The doors of a forge `work` of Gitea's kind with the projects `platform/dns` and `platform/own`.
fn doors() -> BTreeMap<trueup::core::model::Str, Door> {
    let project = |repo: &str, own: Option<&str>| Project { repo: RepoId::new(repo), secrets: own.map(SecretText::new).into_iter().collect() };
    let door = Door::new(Dialect::Gitea, vec![SecretText::new(SECRET)]).with("Platform/DNS", project("dns", None)).with("platform/own", project("own", Some(OWN_SECRET)));
    [("work".into(), door)].into()
}

impl House {
    pub async fn start() -> Self {
        Self::with(None).await
    }

    /// A server with deliveries kept in a key space of their own, whose faults a test decides.
    pub async fn with(kv: Option<MemoryKv>) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for folder in ["secrets", "live"] {
            std::fs::create_dir(dir.path().join(folder)).expect("the folder is writable");
        }
        std::fs::write(dir.path().join("live/app"), "1\n").expect("the folder is writable");
        let people: String = ["ann", "ben"]
            .into_iter()
            .map(|name| {
                std::fs::write(dir.path().join("secrets").join(name), format!("{name}-token")).expect("the folder is writable");
                format!("  - {{ name: {name}, token: {{ file: {name} }} }}\n")
            })
            .collect();
        // An hour between sweeps: what is seen sooner was told.
        let text = format!(
            "listen: 127.0.0.1:0\ndata: data\nsecrets: secrets\nstore: {{ kind: memory }}\nusers:\n{people}repositories:\n  - {{ name: dns, writers: [ann, ben], approvers: [ann, ben], grants: [{{ target: live }}] }}\n  - {{ name: own }}\ntargets:\n  live: {{ kind: config/directory, path: live }}\nlimits: {{ sweep: 1h }}\n"
        );
        std::fs::write(dir.path().join("server.yaml"), text).expect("the folder is writable");
        let server = config::load(&dir.path().join("server.yaml")).expect("a configuration");
        let (limits, drift) = (server.limits.clone(), server.drift.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let mut wired = wiring::service(server).await.expect("the service starts");
        let world = wired.service.world().clone();
        let store = match &kv {
            Some(kv) => Store::open(Arc::new(kv.clone()), "door").await.expect("it opens"),
            None => (*world.store).clone(),
        };
        wired.reception = Arc::new(Reception::new(store, world.clock.clone(), doors()));
        let running = serve::start_over(listener, limits, drift, wired).await.expect("the server starts");
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder().no_proxy().build().expect("a client");
        let house = Self { running, client, dir };
        house.git(house.dir.path(), &["init", "-q", "-b", "main", "work"]);
        house.commit("trueup.yaml", "sources:\n  - { path: keys, format: keytree, targets: [live] }\npolicy: { window: 1s, every: 1s }\n");
        house.commit("keys/app", "1\n");
        house.git(&house.work(), &["push", "-q", &house.bare(), "main"]);
        house
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.addr)
    }

    /// A request with a delivery's headers and no body yet.
    pub fn request(&self, delivery: &Delivery) -> RequestBuilder {
        self.client
            .post(self.url("/hooks/work"))
            .header("content-type", "application/json")
            .header("x-gitea-event", delivery.event)
            .header("x-gitea-delivery", &delivery.id)
            .header("x-gitea-signature", delivery.mac())
            .header("x-github-event", delivery.event)
    }

    /// Sends a delivery; the status and the body of its answer.
    pub async fn send(&self, delivery: &Delivery) -> (u16, String) {
        answer(self.request(delivery).body(delivery.body.clone()).send().await.expect("an answer")).await
    }

    /// The value of one series of `/metrics`; the process shares its numbers among all tests.
    pub async fn counted(&self, outcome: &str) -> u64 {
        let text = self.client.get(self.url("/metrics")).send().await.expect("an answer").text().await.expect("text");
        let line = text.lines().find(|line| line.starts_with("trueup_webhook_deliveries_total{") && line.contains(&format!("outcome=\"{outcome}\"")));
        line.and_then(|line| line.rsplit_once(' ')?.1.parse().ok()).unwrap_or(0)
    }

    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    fn bare(&self) -> String {
        self.dir.path().join("data/repos/dns.git").display().to_string()
    }

    pub fn git(&self, dir: &Path, args: &[&str]) -> String {
        let out = Command::new("git")
            .args(["-c", "user.name=Ed", "-c", "user.email=ed@example.com"])
            .args(args)
            .current_dir(dir)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .expect("git runs");
        assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    /// Writes a file and commits it; the new commit.
    pub fn commit(&self, path: &str, text: &str) -> CommitId {
        let file = self.work().join(path);
        std::fs::create_dir_all(file.parent().expect("it lies in a folder")).expect("the folder is writable");
        std::fs::write(file, text).expect("the folder is writable");
        self.git(&self.work(), &["add", "."]);
        self.git(&self.work(), &["commit", "-q", "-m", path]);
        CommitId::new(self.git(&self.work(), &["rev-parse", "HEAD"]))
    }

    /// Changes a key on a branch and pushes it by path, of which nobody is told.
    pub fn push(&self, branch: &str, value: &str) -> CommitId {
        self.git(&self.work(), &["checkout", "-q", "-B", branch]);
        let tip = self.commit("keys/app", value);
        self.git(&self.work(), &["push", "-q", "-f", &self.bare(), branch]);
        tip
    }

    /// A merge request of ben's that is looked at once.
    pub async fn opened(&self) -> (MrId, CommitId) {
        let head = self.push("feature/www", "2\n");
        let new = NewMr { title: "two".into(), source: "feature/www".into(), target: "main".into(), draft: false, reviewers: Vec::new(), description: String::new() };
        let mr = self.running.service.open(&User::new("ben"), &RepoId::new("dns"), new).await.expect("it opens");
        self.until(&mr, |view| view.head.as_ref() == Some(&head)).await;
        (mr, head)
    }

    /// Waits until a change is as wanted.
    pub async fn until(&self, mr: &MrId, wanted: impl Fn(&View) -> bool) -> View {
        let mut seen = self.running.service.watch(mr);
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Ok(view) = self.running.service.view(mr).await
                    && wanted(&view)
                {
                    return view;
                }
                // Every turn wakes it, and what is no turn is asked for again soon.
                let _ = tokio::time::timeout(Duration::from_millis(200), seen.changed()).await;
            }
        });
        match found.await {
            Ok(view) => view,
            Err(_) => panic!("it did not come: {:?}", self.running.service.view(mr).await),
        }
    }
}

pub async fn answer(response: Response) -> (u16, String) {
    (response.status().as_u16(), response.text().await.unwrap_or_default())
}
