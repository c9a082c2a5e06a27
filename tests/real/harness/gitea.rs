//! A real Gitea that tests share: accounts with tokens, and for each test an organisation of its own.

use super::{
    certificates::Certificates,
    ports::free_port,
    process::{Process, built},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Its version, which names its place in the cache; `tests/servers/gitea/go.mod` says the same.
const VERSION: &str = "1.26.0";

/// Everybody who has an account. `hand` is the site's administrator; `trueup` is the server's own.
const ACCOUNTS: [&str; 6] = ["trueup", "ana", "ben", "cleo", "root", "mallory"];

const PASSWORD: &str = "a password of the tests, long enough";

/// A running Gitea with its data in a temporary folder.
pub struct GiteaServer {
    pub url: String,
    process: Process,
    _dir: TempDir,
    tokens: BTreeMap<String, String>,
    projects: AtomicUsize,
    /// Who vouches for it, where it speaks TLS.
    pub ca: Option<PathBuf>,
    _certificates: Option<Certificates>,
}

/// A repository of one test.
#[derive(Clone)]
pub struct GiteaProject {
    pub server: &'static GiteaServer,
    /// `ORGANISATION/dns`.
    pub path: String,
}

impl GiteaServer {
    /// The one that all tests share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<GiteaServer> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(None))
    }

    /// One that its test may stop; it ends with the process.
    pub fn alone() -> &'static Self {
        Box::leak(Box::new(Self::start(None)))
    }

    /// One that speaks TLS alone, under an authority that no machine knows.
    pub fn sealed() -> &'static Self {
        Box::leak(Box::new(Self::start(Some(Certificates::new()))))
    }

    /// What its module carries beside its program: templates, and the description of its API.
    pub fn files() -> PathBuf {
        let files = built("gitea", VERSION).with_file_name("static");
        assert!(files.is_dir(), "there is no {}: run tests/run once, which copies Gitea's files there", files.display());
        files
    }

    fn start(certificates: Option<Certificates>) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let port = free_port();
        let program = built("gitea", VERSION);
        let files = Self::files();
        let user = String::from_utf8(Command::new("id").arg("-un").output().expect("id runs").stdout).expect("a name");
        let tls = certificates.as_ref().map(|all| format!("CERT_FILE = {}\nKEY_FILE = {}\n", all.server.display(), all.server_key.display()));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let ini = format!(
            "RUN_USER = {user}\nRUN_MODE = prod\nWORK_PATH = {at}\n[server]\nPROTOCOL = {scheme}\n{tls}HTTP_ADDR = 127.0.0.1\nHTTP_PORT = {port}\nROOT_URL = {scheme}://127.0.0.1:{port}/\n\
             DISABLE_SSH = true\nOFFLINE_MODE = true\nSTATIC_ROOT_PATH = {files}\n[database]\nDB_TYPE = sqlite3\nPATH = {at}/gitea.db\nSQLITE_TIMEOUT = 20000\nSQLITE_JOURNAL_MODE = WAL\n[security]\nINSTALL_LOCK = true\n\
             SECRET_KEY = tests\nINTERNAL_TOKEN = eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJuYmYiOjE3MDAwMDAwMDB9.3pqN6xvqVQ5bVY2m0T3l7e0yqk8M9wZ0m7o8m5yqk8M\nPASSWORD_HASH_ALGO = pbkdf2$1$50\nPASSWORD_COMPLEXITY = off\n\
             [repository]\nROOT = {at}/repositories\nDEFAULT_BRANCH = main\n[webhook]\nALLOWED_HOST_LIST = loopback\n[actions]\nENABLED = false\n[mailer]\nENABLED = false\n[service]\nDISABLE_REGISTRATION = true\n\
             [log]\nMODE = console\nLEVEL = Warn\n[indexer]\nISSUE_INDEXER_TYPE = db\n[cron]\nENABLED = false\n[queue]\nTYPE = channel\n[lfs]\nENABLED = false\n[packages]\nENABLED = false\n[git.config]\ncore.fsync = none\n",
            user = user.trim(),
            tls = tls.unwrap_or_default(),
            at = dir.path().display(),
            files = files.display(),
        );
        std::fs::write(dir.path().join("app.ini"), ini).expect("the folder is writable");
        run(dir.path(), &["migrate"]);
        run(dir.path(), &["admin", "user", "create", "--admin", "--username", "hand", "--password", PASSWORD, "--email", "hand@example.test", "--must-change-password=false"]);
        let program = program.display().to_string();
        let env = environment(dir.path());
        let mut args: Vec<&str> = vec!["-i"];
        args.extend(env.iter().map(String::as_str));
        args.extend([program.as_str(), "--config", "app.ini", "web"]);
        let process = Process::start("gitea", dir.path(), "env", &args);
        let ca = certificates.as_ref().map(|all| all.ca.clone());
        let url = format!("{scheme}://127.0.0.1:{port}");
        let mut server = Self { url, process, _dir: dir, tokens: BTreeMap::new(), projects: AtomicUsize::new(0), ca, _certificates: certificates };
        server.process.until_ready(|| server.send("GET", &format!("{}/api/healthz", server.url), None, None).is_some_and(|(status, _)| status == 200));
        let hand = server.fresh_token("hand", "tests");
        server.tokens.insert("hand".into(), hand);
        for name in ACCOUNTS {
            let new = json!({ "username": name, "email": format!("{name}@example.test"), "password": PASSWORD, "must_change_password": false });
            server.ask("hand", "POST", "/admin/users", Some(new));
            let token = server.fresh_token(name, "tests");
            server.tokens.insert(name.into(), token);
        }
        server
    }

    /// Makes a token of an account under a name.
    pub fn fresh_token(&self, who: &str, name: &str) -> String {
        let (status, text) = self.as_themselves(who, "POST", "", Some(&json!({ "name": name, "scopes": ["all"] })));
        assert_eq!(status, 201, "{text}");
        serde_json::from_str::<Value>(&text).expect("it is JSON")["sha1"].as_str().expect("a token").to_owned()
    }

    /// Takes the token of that name away.
    pub fn revoke(&self, who: &str, name: &str) {
        let (status, text) = self.as_themselves(who, "DELETE", &format!("/{name}"), None);
        assert_eq!(status, 204, "{text}");
    }

    /// About their tokens people are asked for their password.
    fn as_themselves(&self, who: &str, method: &str, path: &str, body: Option<&Value>) -> (u16, String) {
        let basic = format!("Basic {}", STANDARD.encode(format!("{who}:{PASSWORD}")));
        self.send(method, &format!("{}/api/v1/users/{who}/tokens{path}", self.url), Some(&basic), body).expect("it answers")
    }

    fn send(&self, method: &str, url: &str, authorization: Option<&str>, body: Option<&Value>) -> Option<(u16, String)> {
        send_trusting(self.ca.as_deref(), method, url, authorization, body)
    }

    /// An account's token.
    pub fn token(&self, who: &str) -> &str {
        &self.tokens[who]
    }

    /// Asks the API as an account; the status and what came.
    pub fn try_ask(&self, who: &str, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let token = format!("token {}", self.token(who));
        let (status, text) =
            self.send(method, &format!("{}/api/v1{path}", self.url), Some(&token), body.as_ref()).unwrap_or_else(|| panic!("no answer to {path}:\n{}", self.process.log()));
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// The same where the answer must be good.
    pub fn ask(&self, who: &str, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.try_ask(who, method, path, body);
        assert!((200..300).contains(&status), "{method} {path} as {who}: {status} {answer}");
        answer
    }

    /// A repository of an organisation of its own: ana, ben, cleo and root may write, the server's account administers, mallory may read.
    pub fn project(&'static self) -> GiteaProject {
        let org = format!("team{}", self.projects.fetch_add(1, Ordering::SeqCst));
        self.ask("hand", "POST", "/orgs", Some(json!({ "username": org })));
        self.ask("hand", "POST", &format!("/orgs/{org}/repos"), Some(json!({ "name": "dns", "default_branch": "main", "private": false })));
        let project = GiteaProject { server: self, path: format!("{org}/dns") };
        for (name, permission) in [("trueup", "admin"), ("ana", "write"), ("ben", "write"), ("cleo", "write"), ("root", "write")] {
            project.ask("hand", "PUT", &format!("/collaborators/{name}"), Some(json!({ "permission": permission })));
        }
        project
    }

    /// Stops or continues the server: a forge that is away.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }
}

impl GiteaProject {
    /// Asks about this repository as an account; the answer must be good.
    pub fn ask(&self, who: &str, method: &str, path: &str, body: Option<Value>) -> Value {
        self.server.ask(who, method, &format!("/repos/{}{path}", self.path), body)
    }

    pub fn try_ask(&self, who: &str, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.server.try_ask(who, method, &format!("/repos/{}{path}", self.path), body)
    }

    /// Where an account clones and pushes.
    pub fn url(&self, who: &str) -> String {
        format!("{}/{}.git", self.server.url.replace("://", &format!("://{who}:{}@", self.server.token(who))), self.path)
    }
}

/// One question over HTTP from a thread that is in no runtime.
pub fn send(method: &str, url: &str, authorization: Option<&str>, body: Option<&Value>) -> Option<(u16, String)> {
    send_trusting(None, method, url, authorization, body)
}

/// The same where an authority of the test's own vouches for who answers.
fn send_trusting(ca: Option<&Path>, method: &str, url: &str, authorization: Option<&str>, body: Option<&Value>) -> Option<(u16, String)> {
    let mut request = client(ca).request(method.parse().ok()?, url);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    let (tell, told) = std::sync::mpsc::channel();
    let asked = async {
        let response = request.send().await.ok()?;
        Some((response.status().as_u16(), response.text().await.ok()?))
    };
    // Threads of their own, for those who ask from inside a runtime.
    static THREADS: OnceLock<Runtime> = OnceLock::new();
    let threads = THREADS.get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime starts"));
    threads.spawn(async move { tell.send(asked.await) });
    told.recv().expect("the question ends")
}

/// Made once: what it takes to read a machine's authorities is more than what tests ask for. A connection is asked once: servers here come and go.
fn client(ca: Option<&Path>) -> reqwest::Client {
    static CLIENTS: Mutex<BTreeMap<Option<PathBuf>, reqwest::Client>> = Mutex::new(BTreeMap::new());
    let made = || {
        let mut client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(180)).pool_max_idle_per_host(0);
        if let Some(ca) = ca {
            let pem = std::fs::read(ca).expect("the authority is there");
            client = client.tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem).expect("it is PEM"));
        }
        client.build().expect("a client can be made")
    };
    CLIENTS.lock().unwrap_or_else(PoisonError::into_inner).entry(ca.map(Path::to_owned)).or_insert_with(made).clone()
}

/// Runs one of its commands to its end.
fn run(dir: &Path, args: &[&str]) {
    let out = Command::new(built("gitea", VERSION))
        .current_dir(dir)
        .env_clear()
        .envs(environment(dir).iter().filter_map(|pair| pair.split_once('=')))
        .args(["--config", "app.ini"])
        .args(args)
        .output();
    let out = out.expect("gitea runs");
    assert!(out.status.success(), "gitea {args:?}: {}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
}

/// Nothing of whoever runs the tests; the last is for machines where everything is root's.
fn environment(dir: &Path) -> Vec<String> {
    let path: PathBuf = std::env::var_os("PATH").unwrap_or_default().into();
    // Its memory is collected less often than it would be by itself: it starts with every push, and tests have little.
    vec![format!("PATH={}", path.display()), format!("HOME={}", dir.display()), "GOGC=400".to_owned(), "GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT=true".to_owned()]
}
