//! The demo's world: a temporary folder, a shop with its name server and keys, a server of ours in a process of its own, and two people.

use super::client::{Client, Mr, ServerArgs};
use crate::lab::{
    self,
    sample::{self, Proposal},
    shop::Shop,
};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

/// The repository's name.
const REPO: &str = "shop";

/// Everything the demo runs. Dropping it ends the server and removes the folder.
pub struct DemoWorld {
    pub shop: Shop,
    server: Server,
    folder: tempfile::TempDir,
}

/// `trueup serve` in a process of its own, so that it can be killed.
struct Server {
    child: Child,
    /// The server ends when this closes, whatever ends the demo.
    stdin: Option<ChildStdin>,
    addr: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Something that was checked without asking trueup.
pub struct Truth {
    pub says: String,
    pub holds: bool,
}

impl Truth {
    fn new(says: impl Into<String>, holds: bool) -> Self {
        Self { says: says.into(), holds }
    }
}

/// A person's token in the demo: no secret, for everything is on loopback and gone afterwards.
fn token(person: &str) -> String {
    format!("demo-{person}")
}

impl DemoWorld {
    /// Starts the shop and trueup, and pushes the repository's first commit.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("trueup-demo-").tempdir()?;
        let keys = folder.path().join("keys");
        std::fs::create_dir(&keys)?;
        let shop = Shop::start(&keys).await?;
        std::fs::create_dir(folder.path().join("secrets"))?;
        for (name, secret) in [("ana", token("ana")), ("ben", token("ben")), ("tsig", shop.key.secret.clone())] {
            std::fs::write(folder.path().join("secrets").join(name), secret)?;
        }
        configure(folder.path(), &shop, "127.0.0.1:0")?;
        let server = serve(folder.path()).await?;
        // Whoever looks at a page finds it at the same address after a restart.
        configure(folder.path(), &shop, &server.addr.to_string())?;
        let world = Self { shop, server, folder };
        world.first_commit().await?;
        Ok(world)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.server.addr)
    }

    pub fn token(&self, person: &str) -> String {
        token(person)
    }

    pub fn git_url(&self, person: &str) -> String {
        format!("http://{person}:{}@{}/git/{REPO}.git", token(person), self.server.addr)
    }

    pub fn pid(&self) -> u32 {
        self.server.child.id()
    }

    /// Ends the server as a crash would: SIGKILL, no goodbye.
    pub fn kill_server(&mut self) -> anyhow::Result<()> {
        self.server.child.kill()?;
        self.server.child.wait()?;
        Ok(())
    }

    pub async fn start_server_again(&mut self) -> anyhow::Result<()> {
        self.server = serve(self.folder.path()).await?;
        Ok(())
    }

    async fn first_commit(&self) -> anyhow::Result<()> {
        git(self.folder.path(), &["init", "-q", "-b", "main", "work"]).await?;
        self.write("trueup.yaml", sample::ROOT)?;
        self.write(sample::ZONE_FILE, &sample::zone(&self.shop.ports))?;
        for (name, value) in sample::keys(&self.shop.ports) {
            self.write(&sample::key_file(name), &value)?;
        }
        self.commit("The shop as it is", "ben").await?;
        git(&self.work(), &["push", "-q", &self.git_url("ben"), "main"]).await?;
        Ok(())
    }

    /// Ana's branch and merge request, from what main is now.
    pub async fn propose(&self, proposal: &Proposal) -> anyhow::Result<Mr> {
        let work = self.work();
        git(&work, &["fetch", "-q", &self.git_url("ana"), "main"]).await?;
        git(&work, &["checkout", "-q", "-b", proposal.branch, "FETCH_HEAD"]).await?;
        for (path, text) in &proposal.files {
            self.write(path, text)?;
        }
        self.commit(proposal.title, "ana").await?;
        git(&work, &["push", "-q", &self.git_url("ana"), proposal.branch]).await?;
        let answer = self.client("ana")?.post(&["repos", REPO, "mrs"], json!({ "source": proposal.branch, "title": proposal.title, "reviewers": ["ben"] })).await?;
        self.mr(&answer["number"].to_string(), "ben")
    }

    /// A merge request, as a person sees it.
    pub fn mr(&self, number: &str, person: &str) -> anyhow::Result<Mr> {
        Ok(Mr { client: self.client(person)?, repo: REPO.to_owned(), number: number.to_owned() })
    }

    fn client(&self, person: &str) -> anyhow::Result<Client> {
        Client::new(&ServerArgs { server: self.url(), token: token(person), json: false })
    }

    /// A key as it is live.
    pub fn live_key(&self, name: &str) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.key(name))?)
    }

    /// Changes a live key past every repository.
    pub fn edit_by_hand(&self, name: &str, value: &str) -> anyhow::Result<()> {
        Ok(std::fs::write(self.key(name), value)?)
    }

    fn key(&self, name: &str) -> PathBuf {
        self.folder.path().join("keys").join(name)
    }

    /// Asks the name server, the keys and git whether all that was said is so.
    pub async fn truths(&self, merged: &str) -> anyhow::Result<Vec<Truth>> {
        let mut truths = Vec::new();
        let service = lab::ask(self.shop.dns, sample::SERVICE, "SRV").await?;
        let expected = format!("0 10 {} front-2.shop.test.", self.shop.ports.fronts[1]);
        truths.push(Truth::new(format!("the name server answers _shop._tcp SRV {expected}"), service == [expected]));
        for (host, there) in [("front-2", true), ("r2-a", true), ("r2-b", true), ("front-1", false), ("r1-a", false), ("r1-b", false), ("mail", true)] {
            let found = lab::ask(self.shop.dns, &format!("{host}.{}", sample::ZONE), "A").await?;
            if found.is_empty() == there {
                truths.push(Truth::new(format!("the name server has {}{host} A", if there { "" } else { "no " }), false));
            }
        }
        truths.push(Truth::new("it knows front-2, r2-a and r2-b, and front-1, r1-a and r1-b no more", truths.iter().all(|truth| truth.holds)));
        let proposal = sample::release_2(&self.shop.ports);
        let keys = [sample::POOL, sample::BANNER];
        let same = keys.into_iter().all(|key| proposal.files.iter().any(|(path, text)| *path == sample::key_file(key) && self.live_key(key).is_ok_and(|live| live == *text)));
        truths.push(Truth::new("both keys are byte for byte what the repository says", same));
        let work = self.work();
        git(&work, &["fetch", "-q", &self.git_url("ana"), "main"]).await?;
        let tip = git(&work, &["rev-parse", "FETCH_HEAD"]).await?;
        truths.push(Truth::new("main's tip is the commit that trueup named", tip.trim() == merged));
        let tree = git(&work, &["rev-parse", "FETCH_HEAD^{tree}", &format!("{}^{{tree}}", proposal.branch)]).await?;
        let mut trees = tree.lines();
        truths.push(Truth::new("main holds exactly the files that were planned", trees.next().is_some_and(|first| trees.next() == Some(first))));
        Ok(truths)
    }

    /// What the journal says was written more than once: step and item.
    pub async fn written_twice(&self, mr: &Mr) -> anyhow::Result<Vec<(u64, usize)>> {
        let journal = mr.client.get(&mr.path(&["journal"])).await?;
        let (mut once, mut twice) = (BTreeSet::new(), Vec::new());
        for acted in journal.as_array().into_iter().flatten().map(|event| &event["acted"]).filter(|acted| !acted.is_null()) {
            let step = acted["step"].as_u64().unwrap_or_default();
            for (item, outcome) in acted["outcome"]["items"].as_array().into_iter().flatten().enumerate() {
                if outcome == "done" && !once.insert((step, item)) {
                    twice.push((step, item));
                }
            }
        }
        anyhow::ensure!(!once.is_empty(), "the journal tells of no write");
        Ok(twice)
    }

    /// Ends everything; on return every request of the client has been counted.
    pub async fn stop(self) -> lab::shop::Tally {
        let Self { shop, mut server, folder } = self;
        let tally = shop.stop().await;
        drop(server.stdin.take());
        drop((server, folder));
        tally
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn write(&self, path: &str, text: &str) -> anyhow::Result<()> {
        let path = self.work().join(path);
        std::fs::create_dir_all(path.parent().context("a file stands in a folder")?)?;
        Ok(std::fs::write(path, text)?)
    }

    async fn commit(&self, message: &str, person: &str) -> anyhow::Result<()> {
        let work = self.work();
        git(&work, &["add", "-A"]).await?;
        let (name, mail) = (format!("user.name={person}"), format!("user.email={person}@shop.test"));
        git(&work, &["-c", &name, "-c", &mail, "commit", "-q", "-m", message]).await?;
        Ok(())
    }
}

/// Writes `server.yaml`, as an operator would.
fn configure(folder: &Path, shop: &Shop, listen: &str) -> anyhow::Result<()> {
    let text = format!(
        "listen: {listen}
data: data
secrets: secrets
users:
  - {{ name: ana, token: {{ file: ana }} }}
  - {{ name: ben, token: {{ file: ben }} }}
repositories:
  - name: {REPO}
    writers: [ana]
    admins: [ben]
    grants:
      - {{ target: nameserver, units: [{zone}] }}
      - {{ target: config, units: [\"shop/*\"] }}
targets:
  nameserver:
    kind: dns/rfc2136
    address: {dns}
    tsig: {{ name: {name}, algorithm: hmac-sha256, secret: {{ file: tsig }} }}
  config:
    kind: config/directory
    path: keys
networks: [127.0.0.1]
",
        zone = sample::ZONE,
        dns = shop.dns,
        name = shop.key.name,
    );
    Ok(std::fs::write(folder.join("server.yaml"), text)?)
}

/// Starts this same program as a server, and waits until it listens.
async fn serve(folder: &Path) -> anyhow::Result<Server> {
    let log = std::fs::File::options().create(true).append(true).open(folder.join("server.log"))?;
    let mut child = Command::new(std::env::current_exe().context("this program does not know where it is")?)
        .args(["serve", "--until-eof", "--config", "server.yaml"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .context("the server does not start")?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let mut server = Server { child, stdin, addr: SocketAddr::from(([127, 0, 0, 1], 0)) };
    let stdout = stdout.context("the server's output is piped")?;
    let mut said = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).map(|_| line)
    })
    .await??;
    said.truncate(said.trim_end().len());
    let listening = serde_json::from_str::<Value>(&said).ok().and_then(|said| said["listening"].as_str()?.parse().ok());
    let log = || std::fs::read_to_string(folder.join("server.log")).unwrap_or_default();
    server.addr = listening.with_context(|| format!("the server ended before it listened: {}", log().trim_end()))?;
    Ok(server)
}

/// Runs git as a person would, untouched by the machine's own settings.
async fn git(folder: &Path, args: &[&str]) -> anyhow::Result<String> {
    let out = tokio::process::Command::new("git")
        .current_dir(folder)
        .args(args)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .await
        .context("git does not run; install it")?;
    anyhow::ensure!(out.status.success(), "git {} failed: {}", args.first().unwrap_or(&""), String::from_utf8_lossy(&out.stderr).trim());
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}
