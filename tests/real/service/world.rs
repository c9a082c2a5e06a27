//! A world for stories: the real `trueup` program, a real name server, repositories pushed with git, people with tokens.

use crate::harness::{DnsServer, KEY_ALGORITHM, KEY_NAME, KEY_SECRET, Process, SmallDisk, free_port};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};
use tempfile::TempDir;

/// The program under test.
pub const TRUEUP: &str = env!("CARGO_BIN_EXE_trueup");

/// How long a story waits for a phase: far above what it takes on a busy machine, so that only a real fault reaches it.
pub const LONG: &str = "180s";

/// The people of every story; their token is their name and `-token`.
const PEOPLE: [&str; 4] = ["ana", "ben", "cleo", "root"];

/// What the server seals with.
pub const SEAL_KEY: &str = "a seal key of the tests, long enough";

/// One server with one repository `dns`, whose zones live on a real name server.
pub struct World {
    pub dir: TempDir,
    /// What the store lies on, where it is a disk of its own.
    pub disk: Option<SmallDisk>,
    pub dns: &'static DnsServer,
    /// Where the server under test finds it.
    address: SocketAddr,
    pub port: u16,
    /// The repository's zones, each with a trailing dot.
    pub zones: Vec<String>,
    /// Name servers that must answer with the new data beside the primary.
    nameservers: Vec<SocketAddr>,
    server: Option<Process>,
    /// Environment of the next start: kill points.
    pub env: Vec<(String, String)>,
}

impl Drop for World {
    fn drop(&mut self) {
        // In this order: a disk with open files is not unmounted.
        self.server.take();
        self.disk.take();
    }
}

/// What a program run as a person said.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "it failed:\n{}\n{}", self.out, self.err);
        self.out
    }

    pub fn json(self) -> serde_json::Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"))
    }
}

impl World {
    /// A running server over a shared BIND with one fresh zone, pushed as the repository's first commit.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// The same, with more lines in the `policy:` of `trueup.yaml` (each indented by two); a `window:` of its own replaces the short one.
    pub fn start_with(policy: &str) -> Self {
        Self::start_over(policy, |_, _| Vec::new())
    }

    /// The same, where `others` makes more name servers of the zone (by its name and the lines of its file) that must answer too.
    pub fn start_over(policy: &str, others: impl FnOnce(&str, &str) -> Vec<SocketAddr>) -> Self {
        Self::build(DnsServer::bind(), None, None, policy, "", others)
    }

    /// The same as `start_with`, with more of `server.yaml`.
    pub fn start_knowing(policy: &str, server: &str) -> Self {
        Self::build(DnsServer::bind(), None, None, policy, server, |_, _| Vec::new())
    }

    /// A running server whose target is reached at another address than the name server's own: a proxy's.
    pub fn start_behind(dns: &'static DnsServer, address: SocketAddr) -> Self {
        Self::build(dns, Some(address), None, "", "", |_, _| Vec::new())
    }

    /// The same with its store on a small disk; none where this process may not mount one.
    pub fn start_small(dns: &'static DnsServer, address: SocketAddr) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let store = dir.path().join("data").join("store");
        std::fs::create_dir_all(&store).expect("the folder is writable");
        let disk = SmallDisk::mount(&store, "40m")?;
        Some(Self::build(dns, Some(address), Some((dir, disk)), "", "", |_, _| Vec::new()))
    }

    fn build(
        dns: &'static DnsServer,
        address: Option<SocketAddr>,
        place: Option<(TempDir, SmallDisk)>,
        policy: &str,
        server: &str,
        others: impl FnOnce(&str, &str) -> Vec<SocketAddr>,
    ) -> Self {
        let lines = "www 300 IN A 192.0.2.1\nmail 300 IN A 192.0.2.2\n@ 300 IN MX 10 mail";
        let zone = dns.fresh_zone(lines);
        let nameservers = others(&zone, lines);
        let (dir, disk) = place.map_or_else(|| (tempfile::tempdir().expect("a temporary folder"), None), |(dir, disk)| (dir, Some(disk)));
        let address = address.unwrap_or(dns.addr);
        let mut world = Self { dir, disk, dns, address, port: free_port(), zones: vec![zone], nameservers, server: None, env: Vec::new() };
        world.configure(server);
        world.serve();
        world.first_commit(policy);
        world
    }

    fn configure(&self, more: &str) {
        let dir = self.dir.path();
        for person in PEOPLE {
            std::fs::write(dir.join(format!("{person}.token")), format!("{person}-token\n")).expect("the folder is writable");
        }
        std::fs::write(dir.join("tsig.key"), KEY_SECRET).expect("the folder is writable");
        std::fs::write(dir.join("seal.key"), SEAL_KEY).expect("the folder is writable");
        let users: String = PEOPLE.iter().map(|name| format!("  - name: {name}\n    token: {{ file: {name}.token }}\n")).collect();
        let units: String = self.zones.iter().map(|zone| format!("          - \"{zone}\"\n")).collect();
        let text = format!(
            "listen: 127.0.0.1:{port}\ndata: {data}\nsecrets: {secrets}\nseal_key: {{ file: seal.key }}\nusers:\n{users}repositories:\n  - name: dns\n    branch: main\n    writers: [ana, ben, cleo]\n    approvers: [ana, ben]\n    admins: [root]\n    probes: {{ commands: [\"*\"], prometheus: [\"*\"] }}\n    grants:\n      - target: inside\n        units:\n{units}          - missing.test.\ntargets:\n  inside:\n    kind: dns/rfc2136\n    address: {addr}\n    nameservers: [{nameservers}]\n    tsig: {{ name: {KEY_NAME}, algorithm: {KEY_ALGORITHM}, secret: {{ file: tsig.key }} }}\n{more}",
            port = self.port,
            data = dir.join("data").display(),
            addr = self.address,
            nameservers = std::iter::once(&self.dns.addr).chain(&self.nameservers).map(ToString::to_string).collect::<Vec<_>>().join(", "),
            secrets = dir.display(),
        );
        std::fs::write(self.config(), text).expect("the folder is writable");
    }

    pub fn config(&self) -> PathBuf {
        self.dir.path().join("server.yaml")
    }

    /// Starts the server and waits until it says that it listens.
    pub fn serve(&mut self) {
        self.serve_with(&[]);
    }

    /// The same with more arguments.
    pub fn serve_with(&mut self, more: &[&str]) {
        let config = self.config();
        // `env` becomes the program, so the process is the server's own.
        let config = config.display().to_string();
        let mut args: Vec<String> = self.env.iter().map(|(key, value)| format!("{key}={value}")).collect();
        args.extend([TRUEUP, "serve", "--config", &config].iter().chain(more).map(|arg| (*arg).to_owned()));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let server = Process::start("trueup", self.dir.path(), "env", &args);
        let port = self.port;
        server.until_ready(|| std::net::TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_secs(5)).is_ok());
        self.server = Some(server);
    }

    /// Whether the server still runs.
    pub fn is_up(&self) -> bool {
        self.server.as_ref().is_some_and(Process::alive)
    }

    /// Ends the server as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take()
            && server.alive()
        {
            Command::new("kill").args(["-9", &server.pid().to_string()]).status().expect("kill runs");
        }
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.server.as_ref().map(Process::pid).expect("the server runs")
    }

    /// The most memory that the server had so far, in MiB.
    pub fn memory(&self) -> u64 {
        let pid = self.server.as_ref().map(Process::pid).expect("the server runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the system tells of its processes");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).and_then(|text| text.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
        peak.expect("the peak is told") / 1024
    }

    pub fn log(&self) -> String {
        self.server.as_ref().map(Process::log).unwrap_or_default()
    }

    fn first_commit(&self, policy: &str) {
        let work = self.work();
        self.git(self.dir.path(), &["init", "-q", "-b", "main", "work"]).ok();
        // Two samples, and a gap of up to four seconds between them: a machine that is busy for less than that starts no window over.
        let window = if policy.contains("window:") { "" } else { "  window: 2s\n" };
        self.write("trueup.yaml", &format!("sources:\n  - path: zones\n    format: octodns\n    targets: [inside]\npolicy:\n{window}  every: 2s\n{policy}"));
        self.write(&self.zone_file(), "'':\n  ttl: 300\n  type: MX\n  value: {exchange: mail.ZONE, preference: 10}\nmail:\n  ttl: 300\n  type: A\n  value: 192.0.2.2\nns1:\n  type: A\n  value: 192.0.2.53\nwww:\n  ttl: 300\n  type: A\n  value: 192.0.2.1\n".replace("ZONE", &self.zones[0]).as_str());
        self.commit("the zone as it is", "root");
        self.git(&work, &["remote", "add", "origin", &self.url("root")]).ok();
        self.git(&work, &["push", "-q", "origin", "main"]).ok();
    }

    /// The path of the first zone's octoDNS file.
    pub fn zone_file(&self) -> String {
        format!("zones/{}yaml", self.zones[0])
    }

    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    pub fn url(&self, person: &str) -> String {
        format!("http://{person}:{person}-token@127.0.0.1:{}/git/dns.git", self.port)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.work().join(path);
        std::fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("the folder is writable");
        std::fs::write(path, text).expect("the folder is writable");
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.work().join(path)).expect("the file is there")
    }

    /// Commits everything as a person.
    pub fn commit(&self, message: &str, person: &str) {
        let work = self.work();
        self.git(&work, &["add", "-A"]).ok();
        let author = format!("{person} <{person}@example.test>");
        self.git(
            &work,
            &["-c", &format!("user.name={person}"), "-c", &format!("user.email={person}@example.test"), "commit", "-q", "--allow-empty", "--author", &author, "-m", message],
        )
        .ok();
    }

    /// Makes a branch off main, edits it, commits and pushes it as ana, and opens its merge request; its number.
    pub fn propose(&self, branch: &str, edit: impl FnOnce(&Self)) -> u64 {
        let work = self.work();
        self.git(&work, &["fetch", "-q", "origin"]).ok();
        self.git(&work, &["checkout", "-q", "-B", branch, "origin/main"]).ok();
        edit(self);
        self.commit(branch, "ana");
        self.push(branch);
        let opened = self.trueup("ana", &["mr", "open", "--repo", "dns", "--source", branch, "--title", branch, "--json"]).json();
        opened["number"].as_u64().expect("mr open --json names the number")
    }

    pub fn push(&self, branch: &str) {
        let work = self.work();
        self.git(&work, &["push", "-q", "--force", &self.url("ana"), &format!("{branch}:{branch}")]).ok();
    }

    /// Replaces text in the first zone's file.
    pub fn edit_zone(&self, old: &str, new: &str) {
        let text = self.read(&self.zone_file());
        assert!(text.contains(old), "the zone's file holds `{old}`:\n{text}");
        self.write(&self.zone_file(), &text.replace(old, new));
    }

    /// Waits for a phase of the commit that is checked out: a push may not have been read yet.
    pub fn wait_at_head(&self, number: u64, phase: &str) {
        let head = self.git(&self.work(), &["rev-parse", "HEAD"]).ok();
        self.wait_with(number, phase, &["--head", head.trim()]);
    }

    pub fn wait(&self, number: u64, phase: &str) {
        self.wait_with(number, phase, &[]);
    }

    fn wait_with(&self, number: u64, phase: &str, more: &[&str]) {
        let number_text = number.to_string();
        let said = self.trueup("ana", &[&["mr", "wait", &number_text, "--repo", "dns", "--for", phase, "--timeout", LONG], more].concat());
        if said.code != 0 {
            let shown = self.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]);
            panic!("merge request {number} did not reach {phase}: {}{}\n{}\n{}\nserver's log:\n{}", said.out, said.err, shown.out, shown.err, self.log());
        }
    }

    /// Polls until a condition holds; far above what it takes on a busy machine.
    pub fn until(&self, mut holds: impl FnMut(&Self) -> bool) {
        assert!(crate::harness::wait_for(Duration::from_secs(180), || holds(self)), "it never held; the server's log:\n{}", self.log());
    }

    /// Asks the server for a page; the status code and the text.
    pub fn get(&self, path: &str) -> (u16, String) {
        self.get_at(self.port, path)
    }

    /// The same of a server at another port.
    pub fn get_at(&self, port: u16, path: &str) -> (u16, String) {
        let url = format!("http://127.0.0.1:{port}/{path}");
        answer(async { reqwest::Client::new().get(url).send().await })
    }

    /// Asks for a page as a person who shows a token; the status code and the text.
    pub fn get_as(&self, person: &str, path: &str) -> (u16, String) {
        let url = format!("http://127.0.0.1:{}/{path}", self.port);
        answer(async { reqwest::Client::new().get(url).bearer_auth(format!("{person}-token")).send().await })
    }

    /// Opens a page as a person who signed in; the status code and the text.
    pub fn page_as(&self, person: &str, url: &str) -> (u16, String) {
        self.in_browser(person, |http| http.get(url))
    }

    /// Presses a button of a page as a person who signed in; the status code and what comes back.
    pub fn press_as(&self, person: &str, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let origin = format!("http://127.0.0.1:{}", self.port);
        let url = reqwest::Url::parse_with_params(&origin, fields).expect("it is one");
        let form = url.query().unwrap_or_default().to_owned();
        self.in_browser(person, |http| http.post(format!("{origin}{path}")).header("origin", &origin).header("content-type", "application/x-www-form-urlencoded").body(form))
    }

    fn in_browser(&self, person: &str, send: impl FnOnce(reqwest::Client) -> reqwest::RequestBuilder) -> (u16, String) {
        let sign_in = format!("http://127.0.0.1:{}/login", self.port);
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        answer(async {
            let origin = sign_in.trim_end_matches("/login").to_owned();
            let signed =
                http.post(&sign_in).header("origin", origin).header("content-type", "application/x-www-form-urlencoded").body(format!("token={person}-token")).send().await?;
            let cookie = signed.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok()).and_then(|cookie| cookie.split(';').next()).unwrap_or_default().to_owned();
            send(http).header("cookie", cookie).send().await
        })
    }

    /// Posts to the API as a person; the status code and the text.
    pub fn say_by_api(&self, person: &str, path: &str, body: &serde_json::Value) -> (u16, String) {
        let url = format!("http://127.0.0.1:{}/api/v1/repos/{path}", self.port);
        answer(async { reqwest::Client::new().post(url).bearer_auth(format!("{person}-token")).json(body).send().await })
    }

    /// Brings a webhook of a forge; the status code.
    pub fn deliver(&self, forge: &str, headers: &[(&'static str, &'static str)], body: &'static str) -> u16 {
        let url = format!("http://127.0.0.1:{}/hooks/{forge}", self.port);
        let request = reqwest::Client::new().post(url).header("content-type", "application/json").body(body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        answer(request.send()).0
    }

    /// Sets `ci/test` green on a head, as a CI's user would; the status code.
    pub fn set_check(&self, person: &str, head: &str) -> u16 {
        self.say_by_api(person, &format!("dns/statuses/{head}"), &serde_json::json!({ "context": "ci/test", "state": "success" })).0
    }

    /// One of the server's numbers, as Prometheus reads them.
    pub fn number(&self, name: &str) -> u64 {
        let url = format!("http://127.0.0.1:{}/metrics", self.port);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        let read = async { reqwest::get(url).await.expect("the server answers").text().await.expect("it is text") };
        let text = runtime.block_on(read);
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or_else(|| panic!("there is no {name}:\n{text}"))
    }

    pub fn approve(&self, number: u64) {
        self.trueup("ben", &["mr", "approve", &number.to_string(), "--repo", "dns"]).ok();
    }

    pub fn show(&self, number: u64) -> serde_json::Value {
        self.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns", "--json"]).json()
    }

    /// Runs the program as a person against the server.
    pub fn trueup(&self, person: &str, args: &[&str]) -> Said {
        let out = Command::new(TRUEUP)
            .args(args)
            .env("TRUEUP_SERVER", format!("http://127.0.0.1:{}", self.port))
            .env("TRUEUP_TOKEN", format!("{person}-token"))
            .output()
            .expect("the program runs");
        said(out)
    }

    pub fn git(&self, dir: &Path, args: &[&str]) -> Said {
        said(Command::new("git").current_dir(dir).args(args).env("GIT_TERMINAL_PROMPT", "0").output().expect("git is installed"))
    }

    /// The records of the first zone as the name server holds them.
    pub fn live(&self) -> Vec<String> {
        self.dns.records(&self.zones[0])
    }
}

/// What a request came to, from a test that is not asynchronous itself.
fn answer(sent: impl Future<Output = reqwest::Result<reqwest::Response>>) -> (u16, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        let response = sent.await.expect("the server answers");
        (response.status().as_u16(), response.text().await.expect("the answer has an end"))
    })
}

fn said(out: Output) -> Said {
    Said { code: out.status.code().unwrap_or(-1), out: String::from_utf8_lossy(&out.stdout).into_owned(), err: String::from_utf8_lossy(&out.stderr).into_owned() }
}
