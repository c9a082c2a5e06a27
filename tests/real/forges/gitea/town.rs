//! A server over a real Gitea and a real BIND, with one repository and one zone.

use super::{porter::Porter, yard::HOOK_SECRET};
use crate::{
    forges::checkout::run_git,
    harness::{DnsServer, GiteaProject, GiteaServer, KEY_ALGORITHM, KEY_NAME, KEY_SECRET, Process, Site, free_port, send, wait_for},
    service::world::TRUEUP,
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

/// Far above what anything takes on a busy machine.
const LONG: Duration = Duration::from_secs(180);

/// Who signs in at the server itself; their token there is their name and `-token`.
const PEOPLE: [&str; 4] = ["ana", "ben", "cleo", "root"];

pub struct Town {
    pub project: GiteaProject,
    _porter: Option<Porter>,
    dns: &'static DnsServer,
    zone: String,
    dir: tempfile::TempDir,
    port: u16,
    server: Process,
    token_name: String,
    /// What `start_held` asks whether all is well.
    site: Site,
}

/// Starts the program and waits until it listens.
fn serve(at: &Path, port: u16) -> Process {
    let config = at.join("server.yaml").display().to_string();
    let server = Process::start("trueup", at, TRUEUP, &["serve", "--config", &config]);
    server.until_ready(|| std::net::TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_secs(5)).is_ok());
    server
}

/// What a town is made of, where it is not as usual.
pub struct Made {
    pub gitea: &'static GiteaServer,
    /// Lines below `policy:`, each indented by two; `SITE` is what `let_go` makes well.
    pub policy: &'static str,
    pub sweep: &'static str,
    /// More lines of the forge in `server.yaml`, each indented by four.
    pub forge: String,
    /// More grants there, each line indented by six; more targets, by two.
    pub grants: &'static str,
    pub targets: String,
    /// More sources in `trueup.yaml`, each line indented by two.
    pub sources: &'static str,
    /// More files of the first commit.
    pub files: &'static [(&'static str, &'static str)],
    /// The server speaks to Gitea itself, with nobody between them.
    pub direct: bool,
}

impl Default for Made {
    fn default() -> Self {
        Self {
            gitea: GiteaServer::shared(),
            policy: "  window: 2s\n  every: 2s\n",
            sweep: "1s",
            forge: String::new(),
            grants: "",
            targets: String::new(),
            sources: "",
            files: &[],
            direct: false,
        }
    }
}

impl Town {
    pub fn start() -> Self {
        Self::made(Made::default())
    }

    /// With a policy of its own, each line indented by two.
    pub fn start_with(policy: &'static str) -> Self {
        Self::made(Made { policy, ..Made::default() })
    }

    /// Over a Gitea that no other test uses.
    pub fn start_alone() -> Self {
        Self::made(Made { gitea: GiteaServer::alone(), ..Made::default() })
    }

    /// With a health check that fails until the test says otherwise: what happens before that happens in the middle of the run, however slow the machine is.
    pub fn start_held() -> Self {
        Self::start_with("  window: 2s\n  every: 2s\n  health:\n    - match: [\"*\"]\n      http: { url: \"SITE\" }\n      deadline: 1h\n")
    }

    pub fn made(made: Made) -> Self {
        let Made { gitea, policy, sweep, forge, grants, targets, sources, files, direct } = made;
        let site = Site::start();
        site.says("/", 503, "not yet");
        let policy = policy.replace("SITE", &site.url("/"));
        let project = gitea.project();
        let porter = (!direct).then(|| Porter::start(gitea));
        let dns = DnsServer::bind();
        let zone = dns.fresh_zone("www 300 IN A 192.0.2.1\nmail 300 IN A 192.0.2.2\n@ 300 IN MX 10 mail");
        let dir = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let at = dir.path();
        let write = |name: &str, text: &str| std::fs::write(at.join(name), text).expect("the folder is writable");
        for person in PEOPLE {
            write(&format!("{person}.token"), &format!("{person}-token\n"));
        }
        write("tsig.key", KEY_SECRET);
        write("hook.secret", HOOK_SECRET);
        // Of its own, so that it can be taken away.
        let token_name = project.path.replace('/', "-");
        write("gitea.token", &gitea.fresh_token("trueup", &token_name));
        let users: String = PEOPLE.iter().map(|name| format!("  - name: {name}\n    token: {{ file: {name}.token }}\n")).collect();
        let config = format!(
            "listen: 127.0.0.1:{port}\ndata: {data}\nsecrets: {secrets}\nusers:\n{users}forges:\n  work:\n    kind: gitea\n    url: {url}\n    token: {{ file: gitea.token }}\n{forge}repositories:\n  - name: dns\n    forge: work\n    project: {path}\n    approvers: [ana, ben]\n    admins: [root]\n    grants:\n      - target: inside\n        units: [\"{zone}\"]\n{grants}networks: [127.0.0.1]\nlimits:\n  sweep: {sweep}\ntargets:\n  inside:\n    kind: dns/rfc2136\n    address: {addr}\n    nameservers: [{addr}]\n    tsig: {{ name: {KEY_NAME}, algorithm: {KEY_ALGORITHM}, secret: {{ file: tsig.key }} }}\n{targets}",
            data = at.join("data").display(),
            secrets = at.display(),
            url = porter.as_ref().map_or(&gitea.url, |porter| &porter.url),
            path = project.path,
            addr = dns.addr,
        );
        write("server.yaml", &config);
        let work = at.join("work");
        std::fs::create_dir_all(work.join("zones")).expect("the folder is writable");
        std::fs::write(work.join("trueup.yaml"), format!("sources:\n  - path: zones\n    format: octodns\n    targets: [inside]\n{sources}policy:\n{policy}")).expect("writable");
        let octodns = "'':\n  ttl: 300\n  type: MX\n  value: {exchange: mail.ZONE, preference: 10}\nmail:\n  ttl: 300\n  type: A\n  value: 192.0.2.2\nns1:\n  type: A\n  value: 192.0.2.53\nwww:\n  ttl: 300\n  type: A\n  value: 192.0.2.1\n";
        std::fs::write(work.join(format!("zones/{zone}yaml")), octodns.replace("ZONE", &zone)).expect("writable");
        for (path, text) in files {
            let path = work.join(path);
            std::fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("writable");
            std::fs::write(path, text).expect("writable");
        }
        run_git(&work, "root", &["init", "-q", "-b", "main"]);
        if let Some(ca) = &gitea.ca {
            run_git(&work, "root", &["config", "http.sslCAInfo", &ca.display().to_string()]);
        }
        for args in [&["add", "-A"][..], &["commit", "-q", "-m", "the zone as it is"], &["push", "-q", &project.url("root"), "main"]] {
            run_git(&work, "root", args);
        }
        let server = serve(at, port);
        Self { project, _porter: porter, dns, zone, dir, port, server, token_name, site }
    }

    /// Lets what was held go on.
    pub fn let_go(&self) {
        self.site.says("/", 200, "well");
    }

    /// Takes the server's token away.
    pub fn revoke(&self) {
        self.project.server.revoke("trueup", &self.token_name);
    }

    /// Gives it a new one, with which it is started again.
    pub fn renew(&mut self) {
        self.token_name.push_str("-new");
        let token = self.project.server.fresh_token("trueup", &self.token_name);
        std::fs::write(self.dir.path().join("gitea.token"), token).expect("the folder is writable");
        self.server.stop();
        self.server = serve(self.dir.path(), self.port);
    }

    /// Ends the server and starts it again with an edited configuration.
    pub fn reconfigure(&mut self, old: &str, new: &str) {
        let file = self.dir.path().join("server.yaml");
        let text = std::fs::read_to_string(&file).expect("it is there");
        assert!(text.contains(old), "{text}");
        std::fs::write(&file, text.replace(old, new)).expect("the folder is writable");
        self.server.stop();
        self.server = serve(self.dir.path(), self.port);
    }

    /// The repositories that somebody sees.
    pub fn repositories(&self, person: &str) -> Vec<String> {
        let url = format!("http://127.0.0.1:{}/api/v1/repos", self.port);
        let answer = send("GET", &url, Some(&format!("Bearer {person}-token")), None).map(|(_, text)| text).unwrap_or_default();
        let rows: Value = serde_json::from_str(&answer).unwrap_or_default();
        rows["repos"].as_array().into_iter().flatten().filter_map(|row| row["name"].as_str().map(str::to_owned)).collect()
    }

    /// Makes a branch where `main` is.
    pub fn branch_off(&self, name: &str) {
        let work = self.work();
        run_git(&work, "root", &["fetch", "-q", &self.project.url("root"), "+refs/heads/*:refs/remotes/origin/*"]);
        run_git(&work, "root", &["push", "-q", &self.project.url("root"), &format!("origin/main:refs/heads/{name}")]);
    }

    /// The server's own address, as its comments name it.
    pub fn page(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where the server takes webhooks of this forge.
    pub fn hooks(&self) -> String {
        format!("http://127.0.0.1:{}/hooks/work", self.port)
    }

    /// The sum of the server's numbers of a name whose labels hold a text.
    pub fn number(&self, name: &str, labels: &str) -> u64 {
        let text = send("GET", &format!("http://127.0.0.1:{}/metrics", self.port), None, None).map(|(_, text)| text).unwrap_or_default();
        let of = text.lines().filter(|line| line.starts_with(name) && line.contains(labels));
        of.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    }

    pub fn log(&self) -> String {
        self.server.log()
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// Commits a file more to a branch that was pushed, and pushes it; the new head.
    pub fn add(&self, branch: &str, path: &str, text: &str) -> String {
        self.add_files(branch, &[(path.to_owned(), text.to_owned())])
    }

    /// A branch with more records at the end of the zone.
    pub fn add_records(&self, branch: &str, records: &str) -> String {
        let file = format!("zones/{}yaml", self.zone);
        let text = std::fs::read_to_string(self.work().join(&file)).expect("it is there");
        self.add(branch, &file, &(text + records))
    }

    /// Commits files to a branch (made from what is checked out where it is not there) and pushes it; the new head.
    pub fn add_files(&self, branch: &str, files: &[(String, String)]) -> String {
        let work = self.work();
        let there = std::process::Command::new("git").current_dir(&work).args(["rev-parse", "-q", "--verify", branch]).output().expect("git is installed").status.success();
        let checkout: &[&str] = if there { &["checkout", "-q", branch] } else { &["checkout", "-q", "-b", branch] };
        run_git(&work, "ana", checkout);
        for (path, text) in files {
            let path = work.join(path);
            std::fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("writable");
            std::fs::write(path, text).expect("writable");
        }
        run_git(&work, "ana", &["add", "-A"]);
        run_git(&work, "ana", &["commit", "-q", "-m", branch]);
        run_git(&work, "ana", &["push", "-q", &self.project.url("ana"), &format!("{branch}:{branch}")]);
        run_git(&work, "ana", &["rev-parse", "HEAD"])
    }

    fn branch(&self, branch: &str, from: &str, edits: &[(&str, &str)]) -> String {
        let work = self.work();
        run_git(&work, "ana", &["fetch", "-q", &self.project.url("ana"), "+refs/heads/*:refs/remotes/origin/*"]);
        run_git(&work, "ana", &["checkout", "-q", "-B", branch, from]);
        let file = work.join(format!("zones/{}yaml", self.zone));
        let mut text = std::fs::read_to_string(&file).expect("it is there");
        for (old, new) in edits {
            assert!(text.contains(old), "{text}");
            text = text.replace(old, new);
        }
        std::fs::write(&file, text).expect("writable");
        run_git(&work, "ana", &["commit", "-q", "-a", "-m", branch]);
        run_git(&work, "ana", &["push", "-q", "--force", &self.project.url("ana"), &format!("{branch}:{branch}")]);
        run_git(&work, "ana", &["rev-parse", "HEAD"])
    }

    pub fn open(&self, branch: &str, title: &str) -> u64 {
        self.project.ask("ana", "POST", "/pulls", Some(json!({ "title": title, "head": branch, "base": "main" })))["number"].as_u64().expect("a number")
    }

    /// A branch of ana's that moves `www`, and its pull request; its number and head.
    pub fn propose(&self, branch: &str, address: &str) -> (u64, String) {
        let head = self.branch(branch, "origin/main", &[("192.0.2.1\n", &format!("{address}\n"))]);
        (self.open(branch, branch), head)
    }

    pub fn propose_mail(&self, branch: &str, address: &str) -> u64 {
        self.branch(branch, "origin/main", &[("192.0.2.2\n", &format!("{address}\n"))]);
        self.open(branch, branch)
    }

    /// Sends `www` of a branch elsewhere; the new head.
    pub fn push(&self, branch: &str, address: &str) -> String {
        self.branch(branch, "origin/main", &[("192.0.2.1\n", &format!("{address}\n"))])
    }

    /// Waits for another second than the one in which somebody read what stands there: forges tell no less.
    fn in_another_second(&self) {
        let now = jiff::Timestamp::now().as_second();
        self.until("another second", |_| jiff::Timestamp::now().as_second() > now);
    }

    pub fn comment(&self, number: u64, by: &str, body: &str) {
        if body == "/trueup approve" {
            self.until("the plan where people read it", |town| {
                let digest = town.show(number)["digest"].as_str().map(|digest| format!("plan `{}", &digest[..12]));
                digest.is_some_and(|digest| town.try_sticky(number).is_none_or(|(_, body)| body.contains(&digest)))
            });
        }
        self.in_another_second();
        self.project.ask(by, "POST", &format!("/issues/{number}/comments"), Some(json!({ "body": body })));
    }

    /// Somebody approves the plan that stands, and reads it again where it was made anew while they wrote.
    pub fn approve(&self, number: u64, by: &str) {
        let stale = |town: &Self| town.comments(number).iter().filter(|one| one["body"].as_str().is_some_and(|body| body.contains("was shown only after you wrote that"))).count();
        loop {
            let before = stale(self);
            self.comment(number, by, "/trueup approve");
            let mut heard = false;
            self.until("the approval", |town| {
                let show = town.show(number);
                let given = show["approvals"].as_array().into_iter().flatten().flat_map(|rule| rule["given"].as_array().into_iter().flatten());
                heard = !matches!(show["phase"].as_str(), None | Some("awaiting_approval" | "planning")) || given.into_iter().any(|one| one["by"] == by && one["void"].is_null());
                heard || stale(town) > before
            });
            if heard {
                return;
            }
            self.until_asked(number);
        }
    }

    fn comments(&self, number: u64) -> Vec<Value> {
        self.project.ask("root", "GET", &format!("/issues/{number}/comments"), None).as_array().cloned().unwrap_or_default()
    }

    /// Our comment that is edited in place.
    pub fn try_sticky(&self, number: u64) -> Option<(u64, String)> {
        let ours = self.comments(number).into_iter().find(|one| one["body"].as_str().is_some_and(|body| body.starts_with("<!-- trueup:change ")))?;
        Some((ours["id"].as_u64()?, ours["body"].as_str()?.to_owned()))
    }

    pub fn sticky(&self, number: u64) -> String {
        self.until("the comment", |town| town.try_sticky(number).is_some());
        self.try_sticky(number).expect("it is there").1
    }

    /// Our answers, oldest first.
    pub fn answered(&self, number: u64) -> Vec<String> {
        let bodies = self.comments(number).into_iter().filter_map(|one| one["body"].as_str().map(str::to_owned));
        bodies.filter(|body| body.starts_with("<!-- trueup:said ")).collect()
    }

    /// How many answers of ours there are.
    pub fn answers(&self, number: u64) -> usize {
        self.answered(number).len()
    }

    pub fn status(&self, head: &str, context: &str) -> (String, String) {
        let all = self.project.ask("root", "GET", &format!("/commits/{head}/status?limit=50"), None);
        let found = all["statuses"].as_array().and_then(|all| all.iter().find(|one| one["context"] == context).cloned()).unwrap_or_default();
        (found["status"].as_str().unwrap_or_default().to_owned(), found["description"].as_str().unwrap_or_default().to_owned())
    }

    pub fn main_holds(&self, text: &str) -> bool {
        let work = self.work();
        run_git(&work, "ana", &["fetch", "-q", &self.project.url("ana"), "+refs/heads/*:refs/remotes/origin/*"]);
        run_git(&work, "ana", &["show", &format!("origin/main:zones/{}yaml", self.zone)]).contains(text)
    }

    pub fn live(&self) -> Vec<String> {
        self.dns.records(&self.zone)
    }

    /// The change as the server shows it; null before it was seen.
    pub fn show(&self, number: u64) -> Value {
        self.show_of("dns", number)
    }

    /// The same of another repository.
    pub fn show_of(&self, repo: &str, number: u64) -> Value {
        let url = format!("http://127.0.0.1:{}/api/v1/repos/{repo}/mrs/{number}", self.port);
        let answer = send("GET", &url, Some("Bearer ana-token"), None);
        answer.filter(|(status, _)| *status == 200).and_then(|(_, text)| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    pub fn phase(&self, number: u64) -> String {
        self.show(number)["phase"].as_str().unwrap_or_default().to_owned()
    }

    pub fn until_phase(&self, number: u64, phase: &str) {
        self.until(&format!("phase {phase} of {number}"), |town| town.phase(number) == phase);
    }

    /// Waits until people are asked for an approval where they read the plan: an approval that was said before is none.
    pub fn until_asked(&self, number: u64) {
        self.until_phase(number, "awaiting_approval");
        self.until("the plan in the comment", |town| town.try_sticky(number).is_some_and(|(_, body)| body.contains("/trueup approve")));
    }

    pub fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        // Whoever asks all the time keeps those busy who should get it done.
        let found = wait_for(LONG, || holds(self) || wait_for(Duration::from_millis(150), || false));
        assert!(found, "it never came to {what}; the server's log:\n{}", self.server.log());
    }

    fn run(&self, person: &str, args: &[&str]) -> Output {
        let server = format!("http://127.0.0.1:{}", self.port);
        Command::new(TRUEUP).args(args).env("TRUEUP_SERVER", server).env("TRUEUP_TOKEN", format!("{person}-token")).output().expect("the program runs")
    }

    /// Runs the program as a person against the server; it must succeed.
    pub fn trueup(&self, person: &str, args: &[&str]) -> String {
        let out = self.run(person, args);
        assert!(out.status.success(), "{args:?}: {}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// The same where it must fail; what it said.
    pub fn try_trueup(&self, person: &str, args: &[&str]) -> String {
        let out = self.run(person, args);
        assert!(!out.status.success(), "{args:?} was done");
        String::from_utf8_lossy(&out.stderr).into_owned()
    }

    /// The forge answers nobody any more.
    pub fn away(&self) {
        self.project.server.signal("STOP");
    }

    pub fn back(&self) {
        self.project.server.signal("CONT");
    }
}
