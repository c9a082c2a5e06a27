//! The demo's world: a temporary folder, a name server, a server of ours, and two people.

use crate::{
    app::{
        config,
        service::{NewMr, Service},
    },
    core::{
        model::{CommitId, MrId, RepoId, User},
        review::Command,
    },
    lab::{self, sample},
    web::serve,
};
use anyhow::Context as _;
use std::{net::SocketAddr, path::Path};
use tokio::process;

/// The repository's name.
const REPO: &str = "shop";

/// Everything the demo runs; ends with `stop`, or with the process.
pub struct DemoWorld {
    pub dns: SocketAddr,
    folder: tempfile::TempDir,
    running: serve::Running,
    _dns: lab::dns::Running,
}

/// Something that was checked without asking trueup.
pub struct Truth {
    pub says: String,
    pub holds: bool,
}

/// Starts the name server and trueup, and pushes the repository's first commit.
pub async fn start() -> anyhow::Result<DemoWorld> {
    let folder = tempfile::Builder::new().prefix("trueup-demo-").tempdir()?;
    let key = lab::dns::fresh_key()?;
    let dns = lab::dns::start(&[(sample::ZONE, sample::BASE)], &key).await.context("the demo's name server does not start")?;
    let config = configure(folder.path(), dns.addr, &key)?;
    let running = serve::start(config).await?;
    let world = DemoWorld { dns: dns.addr, folder, running, _dns: dns };
    world.first_commit().await?;
    Ok(world)
}

/// Writes `server.yaml` with its secrets beside it, as an operator would, and reads it.
fn configure(folder: &Path, dns: SocketAddr, key: &lab::dns::Key) -> anyhow::Result<config::Server> {
    std::fs::create_dir(folder.join("secrets"))?;
    for (name, secret) in [("ana", token("ana")), ("ben", token("ben")), ("tsig", key.secret.clone())] {
        std::fs::write(folder.join("secrets").join(name), secret)?;
    }
    let text = format!(
        "listen: 127.0.0.1:0
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
targets:
  nameserver:
    kind: dns/rfc2136
    address: {dns}
    tsig: {{ name: {name}, algorithm: hmac-sha256, secret: {{ file: tsig }} }}
",
        zone = sample::ZONE,
        name = key.name,
    );
    let path = folder.join("server.yaml");
    std::fs::write(&path, text)?;
    config::load(&path).map_err(|faults| anyhow::anyhow!("the demo's own configuration is refused: {}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
}

/// A person's token in the demo: no secret, for everything is on loopback and gone afterwards.
fn token(person: &str) -> String {
    format!("demo-{person}")
}

impl DemoWorld {
    pub fn service(&self) -> &Service {
        &self.running.service
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.running.addr)
    }

    pub fn token(&self, person: &str) -> String {
        token(person)
    }

    pub fn git_url(&self, person: &str) -> String {
        format!("http://{person}:{}@{}/git/{REPO}.git", token(person), self.running.addr)
    }

    async fn first_commit(&self) -> anyhow::Result<()> {
        git(self.folder.path(), &["init", "-q", "-b", "main", "work"]).await?;
        self.write("trueup.yaml", sample::ROOT)?;
        self.write(&zone_file(), sample::BASE)?;
        self.commit("The shop's zone as it is", "ben").await?;
        git(&self.work(), &["push", "-q", &self.git_url("ben"), "main"]).await?;
        Ok(())
    }

    /// Ana's branch and merge request.
    pub async fn propose(&self) -> anyhow::Result<MrId> {
        let work = self.work();
        git(&work, &["checkout", "-q", "-b", "new-front-end"]).await?;
        self.write(&zone_file(), &sample::head())?;
        self.commit(sample::TITLE, "ana").await?;
        git(&work, &["push", "-q", &self.git_url("ana"), "new-front-end"]).await?;
        let new = NewMr { title: sample::TITLE.into(), source: "new-front-end".into(), target: "main".into(), draft: false, reviewers: vec![User::new("ben")] };
        Ok(self.service().open(&User::new("ana"), &RepoId::new(REPO), new).await?)
    }

    pub async fn approve(&self, mr: &MrId, person: &str) -> anyhow::Result<()> {
        self.service().command(&User::new(person), mr, Command::Approve { digest: None, steps: Vec::new() }).await?;
        Ok(())
    }

    /// What the name server answers for a name of the zone, in words.
    pub async fn answer(&self, owner: &str, rtype: &str) -> anyhow::Result<String> {
        let found = lab::ask(self.dns, &format!("{owner}.{}", sample::ZONE), rtype).await?;
        Ok(if found.is_empty() { format!("without {rtype}") } else { format!("{rtype} {}", found.join(" and ")) })
    }

    /// Asks the name server and git whether all that was said is so.
    pub async fn truths(&self, merged: &CommitId) -> anyhow::Result<Vec<Truth>> {
        let expected: [(&str, &str, &[&str]); 5] = [
            ("front", "A", &["192.0.2.80", "192.0.2.81"]),
            ("www", "CNAME", &["front.shop.test."]),
            ("api", "CNAME", &["front.shop.test."]),
            ("legacy", "A", &[]),
            ("mail", "A", &["192.0.2.25"]),
        ];
        let mut truths = Vec::new();
        for (owner, rtype, values) in expected {
            let found = lab::ask(self.dns, &format!("{owner}.{}", sample::ZONE), rtype).await?;
            let says = if values.is_empty() {
                format!("the name server has no {owner} {rtype} any more")
            } else {
                format!("the name server answers {owner} {rtype} {}", values.join(" and "))
            };
            truths.push(Truth { says, holds: found == values });
        }
        let work = self.work();
        git(&work, &["fetch", "-q", &self.git_url("ana"), "main"]).await?;
        let tip = git(&work, &["rev-parse", "FETCH_HEAD"]).await?;
        truths.push(Truth { says: "main's tip is the commit that trueup named".into(), holds: tip.trim() == merged.as_str() });
        let tree = git(&work, &["rev-parse", "FETCH_HEAD^{tree}", "new-front-end^{tree}"]).await?;
        let mut trees = tree.lines();
        truths.push(Truth { says: "main holds exactly the files that were planned".into(), holds: trees.next().is_some_and(|first| trees.next() == Some(first)) });
        Ok(truths)
    }

    pub async fn stop(self) {
        self.running.stop().await;
    }

    fn work(&self) -> std::path::PathBuf {
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

fn zone_file() -> String {
    format!("zones/{}yaml", sample::ZONE)
}

/// Runs git as a person would, untouched by the machine's own settings.
async fn git(folder: &Path, args: &[&str]) -> anyhow::Result<String> {
    let out = process::Command::new("git")
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
