//! Three replicas on one machine: one etcd, one folder of repositories, and to each its own port and its own way to the name server.

use crate::{
    harness::{CutProxy, DnsServer, EtcdServer, Process, Proxy, free_port, wait_for},
    service::world::{TRUEUP, World},
};
use std::{
    fs,
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};

/// How long a silent replica's changes stay its own: short, so that a story ends soon, and long beside a busy machine's pauses.
const LEASE: &str = "4s";

/// One replica.
pub struct Replica {
    pub port: u16,
    /// Its own way to the name server.
    pub dns: Proxy,
    /// Its own way to the store.
    pub store: CutProxy,
    process: Option<Process>,
    pub env: Vec<(String, String)>,
}

/// The world of a story with several servers; `world.port` says which one is spoken to.
pub struct House {
    pub replicas: Vec<Replica>,
    pub world: World,
    pub etcd: EtcdServer,
    /// What else is different in every replica's configuration.
    edit: Box<dyn Fn(String) -> String>,
}

impl Drop for House {
    fn drop(&mut self) {
        // A replica that is held does not end.
        for at in 0..self.replicas.len() {
            let _not_held = fs::remove_file(self.world.dir.path().join(format!("hold-{at}")));
        }
    }
}

impl House {
    pub fn start(count: usize) -> Self {
        Self::start_over(count, EtcdServer::open(&[]))
    }

    /// Replicas over this etcd; its keys below `/live/` are a target too.
    pub fn start_over(count: usize, etcd: EtcdServer) -> Self {
        Self::start_in(World::start(), count, etcd, |text| text)
    }

    /// Replicas over a world that one server has set up, each with this done to its configuration.
    pub fn start_in(mut world: World, count: usize, etcd: EtcdServer, edit: impl Fn(String) -> String + 'static) -> Self {
        world.kill();
        let dns: &'static DnsServer = world.dns;
        let replica = |_| Replica { port: free_port(), dns: Proxy::start(dns.addr), store: CutProxy::start(etcd.addr), process: None, env: Vec::new() };
        let mut house = Self { replicas: (0..count).map(replica).collect(), world, etcd, edit: Box::new(edit) };
        for at in 0..count {
            house.configure(at);
            house.serve(at);
        }
        house.speak_to(0);
        let all = count as u64;
        house.until("every replica knows all", || (0..count).all(|at| house.counted_at(at, "trueup_replicas") == all));
        house
    }

    fn configure(&self, at: usize) {
        let replica = &self.replicas[at];
        let text = fs::read_to_string(self.world.config()).expect("it is there");
        let listen = text.lines().next().expect("it says where to listen").to_owned();
        let text = text.replace(
            &listen,
            &format!(
                "listen: 127.0.0.1:{}\nurl: http://127.0.0.1\nstore:\n  kind: etcd\n  endpoints: [\"http://{}\"]\n  prefix: story\n  lease: {LEASE}",
                replica.port, replica.store.addr
            ),
        );
        let address = format!("    address: {}\n", self.world.dns.addr);
        assert!(text.contains(&address), "{text}");
        let text = text.replace(&address, &format!("    address: {}\n", replica.dns.addr));
        let text = text.replace("targets:\n  inside:", "      - target: keys\n        units: [\"/live/*\"]\ntargets:\n  inside:");
        let text = format!("{text}  keys:\n    kind: config/etcd\n    endpoints: [\"http://{}\"]\n", self.etcd.addr);
        fs::write(self.config(at), (self.edit)(text)).expect("the folder is writable");
    }

    pub fn config(&self, at: usize) -> std::path::PathBuf {
        self.world.dir.path().join(format!("replica-{at}.yaml"))
    }

    /// Starts a replica and waits until it listens.
    pub fn serve(&mut self, at: usize) {
        let config = self.config(at).display().to_string();
        let replica = &self.replicas[at];
        let mut args: Vec<String> = replica.env.iter().map(|(key, value)| format!("{key}={value}")).collect();
        args.extend([TRUEUP, "serve", "--config", &config].map(str::to_owned));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let process = Process::start(&format!("replica-{at}-{}", free_port()), self.world.dir.path(), "env", &args);
        let port = replica.port;
        process.until_ready(|| TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_secs(5)).is_ok());
        self.replicas[at].process = Some(process);
    }

    /// Whose answers count from here on.
    pub fn speak_to(&mut self, at: usize) {
        self.world.port = self.replicas[at].port;
    }

    /// Sends a signal to a replica's process.
    pub fn signal(&self, at: usize, signal: &str) {
        let process = self.replicas[at].process.as_ref().expect("it runs");
        assert!(Command::new("kill").args([signal, &process.pid().to_string()]).status().expect("kill runs").success());
    }

    /// Starts a replica again so that it is held at every point of that name until it is let go.
    pub fn holds_at(&mut self, at: usize, point: &str) {
        if self.is_up(at) {
            self.kill(at);
        }
        let file = |name: &str| self.world.dir.path().join(format!("{name}-{at}"));
        fs::write(file("hold"), "").expect("the folder is writable");
        let path = |name: &str| file(name).display().to_string();
        let env = [("TRUEUP_HOLD_AT", point.to_owned()), ("TRUEUP_HOLD_WHILE", path("hold")), ("TRUEUP_POINTS", path("points"))];
        self.replicas[at].env = env.map(|(name, value)| (name.to_owned(), value)).into();
        self.serve(at);
    }

    /// Waits until a replica is held there.
    pub fn is_held(&self, at: usize, point: &str) {
        let file = self.world.dir.path().join(format!("points-{at}"));
        self.until(&format!("replica {at} is held: {point}"), || fs::read_to_string(&file).is_ok_and(|text| text.lines().any(|line| line.ends_with(point))));
    }

    pub fn let_go(&self, at: usize) {
        fs::remove_file(self.world.dir.path().join(format!("hold-{at}"))).expect("it is held");
    }

    /// Ends a replica as `kill -9` does.
    pub fn kill(&mut self, at: usize) {
        self.signal(at, "-9");
        if let Some(mut process) = self.replicas[at].process.take() {
            assert!(wait_for(Duration::from_secs(60), || !process.alive()), "a killed process ends");
            process.stop();
        }
    }

    pub fn is_up(&self, at: usize) -> bool {
        self.replicas[at].process.as_ref().is_some_and(Process::alive)
    }

    pub fn log(&self, at: usize) -> String {
        self.replicas[at].process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// The replica that works on a change of `dns`, by what the store says.
    pub fn owner(&self, number: u64) -> Option<usize> {
        self.owner_in("dns", number)
    }

    /// The same for a change of any repository.
    pub fn owner_in(&self, repo: &str, number: u64) -> Option<usize> {
        let key = format!("story/row/lease/change/{repo}/{number:020}/");
        let (_, by) = self.etcd.all_bytes().into_iter().find(|(found, _)| *found == key.as_bytes())?;
        let by = String::from_utf8(by).expect("a name is text");
        self.replicas.iter().position(|replica| replica.process.as_ref().is_some_and(|process| by.starts_with(&format!("pid {} on ", process.pid()))))
    }

    /// Waits until some replica works on a change, and says which.
    pub fn owned(&self, number: u64) -> usize {
        let mut owner = None;
        self.until("somebody owns it", || {
            owner = self.owner(number);
            owner.is_some()
        });
        owner.expect("it was found")
    }

    /// Polls until a condition holds; far above what it takes on a busy machine.
    pub fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let logs = || (0..self.replicas.len()).map(|at| format!("── replica {at} ──\n{}", self.log(at))).collect::<String>();
        let end = Instant::now() + Duration::from_secs(180);
        while !holds() {
            assert!(Instant::now() < end, "it never held: {what}\n{}", logs());
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Waits for a phase at the replica that is spoken to, with every replica's log when it does not come.
    pub fn reaches(&self, number: u64, phase: &str) {
        self.until(&format!("{number} is {phase}"), || self.phase(number) == phase);
    }

    pub fn phase(&self, number: u64) -> String {
        let said = self.world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns", "--json"]);
        let json: Option<serde_json::Value> = serde_json::from_str(&said.out).ok();
        json.and_then(|json| json["phase"].as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// A counter of one replica; 0 while it has not counted.
    pub fn counted_at(&self, at: usize, name: &str) -> u64 {
        let (_, text) = self.world.get_at(self.replicas[at].port, "metrics");
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()).unwrap_or(0)
    }

    /// Opens a merge request that changes an address, through the replica that is spoken to.
    pub fn propose_address(&self, branch: &str, from: &str, to: &str) -> u64 {
        self.world.propose(branch, |world| world.edit_zone(&format!("{from}\n"), &format!("{to}\n")))
    }

    /// Proposes to move `www` through the replica that is spoken to, and waits until it asks for approval.
    pub fn move_www(&self) -> u64 {
        self.fetch_from_here();
        let number = self.propose_address("move", "192.0.2.1", "192.0.2.77");
        self.reaches(number, "awaiting_approval");
        number
    }

    /// How often the governed branch was merged into.
    pub fn merges(&self) -> String {
        let work = self.world.work();
        self.world.git(&work, &["fetch", "-q", "origin"]).ok();
        self.world.git(&work, &["rev-list", "--merges", "--count", "FETCH_HEAD"]).ok().trim().to_owned()
    }

    /// The remote of the checkout is the replica that is spoken to.
    pub fn fetch_from_here(&self) {
        self.world.git(&self.world.work(), &["remote", "set-url", "origin", &self.world.url("root")]).ok();
    }
}
