//! A server of ours over a fake forge and a real BIND, with one repository and one zone.

use super::{
    super::{
        fake::{FakeForge, Role, Wire},
        world::reaction,
    },
    office::PATH,
};
use crate::{
    harness::{DnsServer, KEY_ALGORITHM, KEY_NAME, KEY_SECRET, Process, free_port, send, wait_for},
    service::world::TRUEUP,
};
use serde_json::Value;
use std::{
    process::{Command, Output},
    time::Duration,
};
use tokio::runtime::Runtime;
use trueup::ports::Reaction;

/// Far above what anything takes on a busy machine.
const LONG: Duration = Duration::from_secs(180);

/// Who signs in at the server itself; their token there is their name and `-token`, as on the forge.
const PEOPLE: [&str; 4] = ["ana", "ben", "cleo", "root"];

const SOURCES: &str = "sources:\n  - path: zones\n    format: octodns\n    targets: [inside]\npolicy:\n  window: 2s\n  every: 2s\n";

pub struct Town {
    pub fake: FakeForge,
    dns: &'static DnsServer,
    zone: String,
    dir: tempfile::TempDir,
    port: u16,
    server: Process,
    /// The forge answers in its own threads.
    _threads: Runtime,
}

impl Town {
    pub fn start(wire: Wire) -> Self {
        Self::with_policy(wire, "")
    }

    /// With more lines below `policy:`.
    pub fn with_policy(wire: Wire, policy: &str) -> Self {
        Self::with(wire, policy, "")
    }

    /// And with more keys of `server.yaml`.
    pub fn with(wire: Wire, policy: &str, more: &str) -> Self {
        Self::with_account(wire, policy, more, false, |text| text)
    }

    /// Where the newest `release/*` governs the zone, as `dns@release`, and `main` nothing that is there.
    pub fn of_releases(wire: Wire) -> Self {
        let branches =
            "    grants: [{ target: inside, units: [other.test.] }]\n    branches:\n      - pattern: release/*\n        grants:\n          - target: inside\n            units";
        Self::with_account(wire, "", "", false, |text| text.replace("    grants:\n      - target: inside\n        units", branches))
    }

    /// With another `server.yaml`.
    pub fn edited(wire: Wire, edit: impl Fn(String) -> String) -> Self {
        Self::with_account(wire, "", "", false, edit)
    }

    /// On GitHub as an app `trueup`, which `platform` installed.
    pub fn as_app(policy: &str) -> Self {
        Self::with_account(Wire::GitHub, policy, "", true, |text| text)
    }

    fn with_account(wire: Wire, policy: &str, more: &str, app: bool, edit: impl Fn(String) -> String) -> Self {
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads can be started");
        let fake = threads.block_on(FakeForge::start(wire));
        let dns = DnsServer::bind();
        let zone = dns.fresh_zone("www 300 IN A 192.0.2.1\n@ 300 IN MX 10 mail");
        let yaml = zone_file(&zone, "192.0.2.1");
        let roles: Vec<(&str, Role)> = PEOPLE.into_iter().chain(["trueup"]).map(|who| (who, Role::Write)).chain([("mallory", Role::Read)]).collect();
        fake.project(PATH, &roles, &[("trueup.yaml", &format!("{SOURCES}{policy}")), (&format!("zones/{zone}yaml"), &yaml)]);
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut account = "token: { file: trueup.token }".to_owned();
        if app {
            fake.app("trueup", "platform");
            let (id, pem) = fake.with_app(|app| (app.id, app.pem.clone()));
            std::fs::write(dir.path().join("app.pem"), pem).expect("the folder is writable");
            account = format!("app: {{ id: {id}, key: {{ file: app.pem }} }}");
        }
        let (at, port) = (dir.path(), free_port());
        let write = |name: &str, text: &str| std::fs::write(at.join(name), text).expect("the folder is writable");
        for person in PEOPLE.into_iter().chain(["trueup"]) {
            write(&format!("{person}.token"), &format!("{person}-token\n"));
        }
        write("tsig.key", KEY_SECRET);
        let users: String = PEOPLE.iter().map(|name| format!("  - name: {name}\n    token: {{ file: {name}.token }}\n")).collect();
        let kind = match wire {
            Wire::GitHub => "github",
            Wire::GitLab => "gitlab",
        };
        let config = format!(
            "listen: 127.0.0.1:{port}\ndata: {data}\nsecrets: {secrets}\nusers:\n{users}forges:\n  work:\n    kind: {kind}\n    url: {url}\n    {account}\nrepositories:\n  - name: dns\n    forge: work\n    project: {PATH}\n    \
             approvers: [ana, ben]\n    admins: [root]\n    grants:\n      - target: inside\n        units: [\"{zone}\"]\nlimits:\n  sweep: 1s\ntargets:\n  inside:\n    kind: dns/rfc2136\n    address: {addr}\n    nameservers: [{addr}]\n    tsig: {{ name: {KEY_NAME}, algorithm: {KEY_ALGORITHM}, secret: {{ file: tsig.key }} }}\n{more}",
            data = at.join("data").display(),
            secrets = at.display(),
            url = fake.url,
            addr = dns.addr,
        );
        write("server.yaml", &edit(config));
        let config = at.join("server.yaml").display().to_string();
        let server = Process::start("trueup", at, TRUEUP, &["serve", "--config", &config]);
        server.until_ready(|| std::net::TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_secs(5)).is_ok());
        Self { fake, dns, zone, dir, port, server, _threads: threads }
    }

    /// Sends `www` of a branch elsewhere; its head.
    pub fn push(&self, branch: &str, address: &str) -> String {
        self.fake.push(PATH, "ana", branch, &[(&format!("zones/{}yaml", self.zone), &zone_file(&self.zone, address))])
    }

    /// A branch of ana's that moves `www`, and its request; its number and head.
    pub fn propose(&self, branch: &str, address: &str) -> (u64, String) {
        let head = self.push(branch, address);
        (self.fake.open(PATH, "ana", branch, branch), head)
    }

    /// Somebody says something, in another second than the one in which they read what stands there: forges tell no less. Whoever approves has read the plan.
    pub fn comment(&self, number: u64, by: &str, body: &str) -> u64 {
        if body == "/trueup approve" {
            self.reads(number);
        }
        let now = jiff::Timestamp::now().as_second();
        self.until("another second", |_| jiff::Timestamp::now().as_second() > now);
        self.fake.comment(PATH, number, by, body)
    }

    /// Somebody reads the plan where it is shown.
    pub fn reads(&self, number: u64) {
        self.until("the plan where people read it", |town| {
            let digest = town.show(number)["digest"].as_str().map(|digest| format!("plan `{}", &digest[..12]));
            digest.is_some_and(|digest| town.sticky(number).0.contains(&digest))
        });
    }

    /// How we marked a comment.
    pub fn marks(&self, number: u64, comment: u64) -> Vec<Reaction> {
        let mut state = self.fake.state();
        let found = state.request_mut(PATH, number).comments.iter().find(|one| one.id == comment).expect("it is there");
        let mut all: Vec<Reaction> = found.reactions.iter().filter(|(who, _)| matches!(&**who, "trueup" | "trueup[bot]")).filter_map(|(_, name)| reaction(name)).collect();
        all.sort_unstable();
        all
    }

    /// Our comments, oldest first.
    pub fn ours(&self, number: u64) -> Vec<String> {
        let mut state = self.fake.state();
        state.request_mut(PATH, number).comments.iter().filter(|comment| matches!(&*comment.by, "trueup" | "trueup[bot]")).map(|comment| comment.body.clone()).collect()
    }

    /// Our comment that is edited in place, and how many there are of it.
    pub fn sticky(&self, number: u64) -> (String, usize) {
        let all: Vec<String> = self.ours(number).into_iter().filter(|body| body.starts_with("<!-- trueup:change ")).collect();
        (all.first().cloned().unwrap_or_default(), all.len())
    }

    pub fn status(&self, head: &str, context: &str) -> String {
        let state = self.fake.state();
        let last = state.project(PATH).statuses.get(head).into_iter().flatten().rfind(|status| status.context == context);
        last.map(|status| status.state.clone()).unwrap_or_default()
    }

    /// What our check run of a name came to, or that it runs.
    pub fn run_of(&self, head: &str, name: &str) -> String {
        let state = self.fake.state();
        let last = state.project(PATH).runs.get(head).into_iter().flatten().rfind(|run| run.name == name && run.app == "trueup");
        last.map(|run| run.conclusion.clone().unwrap_or_else(|| "runs".to_owned())).unwrap_or_default()
    }

    pub fn has_label(&self, number: u64, label: &str) -> bool {
        self.fake.state().request_mut(PATH, number).labels.contains(label)
    }

    /// Who merged it.
    pub fn merged_by(&self, number: u64) -> Option<String> {
        self.fake.state().request_mut(PATH, number).merged.as_ref().map(|merged| merged.by.clone())
    }

    pub fn main_holds(&self, text: &str) -> bool {
        self.fake.file(PATH, "main", &format!("zones/{}yaml", self.zone)).is_some_and(|file| file.contains(text))
    }

    /// Whether BIND sends `www` there.
    pub fn leads_to(&self, address: &str) -> bool {
        self.dns.records(&self.zone).iter().any(|line| line.starts_with("www.") && line.ends_with(&format!("A {address}")))
    }

    /// The change as the server shows it; null before it was seen.
    pub fn show(&self, number: u64) -> Value {
        let url = format!("http://127.0.0.1:{}/api/v1/repos/dns/mrs/{number}", self.port);
        let answer = send("GET", &url, Some("Bearer ana-token"), None);
        answer.filter(|(status, _)| *status == 200).and_then(|(_, text)| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// Whether the server has seen it as a change of this repository.
    pub fn knows(&self, repo: &str, number: u64) -> bool {
        let url = format!("http://127.0.0.1:{}/api/v1/repos/{}/mrs/{number}", self.port, repo.replace('@', "%40"));
        send("GET", &url, Some("Bearer ana-token"), None).is_some_and(|(status, _)| status == 200)
    }

    pub fn phase(&self, number: u64) -> String {
        self.show(number)["phase"].as_str().unwrap_or_default().to_owned()
    }

    pub fn until_phase(&self, number: u64, phase: &str) {
        self.until(&format!("phase {phase} of {number}"), |town| town.phase(number) == phase);
    }

    pub fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        // Whoever asks all the time keeps those busy who should get it done.
        let found = wait_for(LONG, || holds(self) || wait_for(Duration::from_millis(150), || false));
        assert!(found, "it never came to {what}; the server's log:\n{}", self.server.log());
    }

    /// Where the server is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn log(&self) -> String {
        self.server.log()
    }

    /// A branch in a fork of somebody who may only read, and its request; its number and head.
    pub fn propose_from_a_fork(&self, by: &str, branch: &str, address: &str) -> (u64, String) {
        let fork = self.fake.fork(PATH, by);
        let head = self.fake.push(&fork, by, branch, &[(&format!("zones/{}yaml", self.zone), &zone_file(&self.zone, address))]);
        (self.fake.open_from(PATH, &fork, by, branch, branch, ""), head)
    }

    /// A branch of ana's with what cannot be read, and its request; its number and head.
    pub fn propose_broken(&self, branch: &str) -> (u64, String) {
        let head = self.fake.push(PATH, "ana", branch, &[(&format!("zones/{}yaml", self.zone), "www: {type: A, value: 192.0.2.999}\n")]);
        (self.fake.open(PATH, "ana", branch, branch), head)
    }

    fn run(&self, person: &str, args: &[&str]) -> Output {
        let server = format!("http://127.0.0.1:{}", self.port);
        Command::new(TRUEUP).args(args).current_dir(self.dir.path()).env("TRUEUP_SERVER", server).env("TRUEUP_TOKEN", format!("{person}-token")).output().expect("the program runs")
    }

    /// Runs the program as a person against the server; whether it succeeded.
    pub fn tries(&self, person: &str, args: &[&str]) -> bool {
        self.run(person, args).status.success()
    }

    /// Runs the program as a person against the server; it must succeed.
    pub fn trueup(&self, person: &str, args: &[&str]) -> String {
        let out = self.run(person, args);
        assert!(out.status.success(), "{args:?}: {}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }
}

/// The zone as octoDNS writes it.
fn zone_file(zone: &str, address: &str) -> String {
    format!(
        "'':\n  ttl: 300\n  type: MX\n  value: {{exchange: mail.{zone}, preference: 10}}\nns1:\n  type: A\n  value: 192.0.2.53\nwww:\n  ttl: 300\n  type: A\n  value: {address}\n"
    )
}
