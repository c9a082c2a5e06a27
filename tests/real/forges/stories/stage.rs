//! One server of ours over one forge, with a repository and a zone for each story, so that many are played at once.

use super::{
    super::{
        fake::{FakeForge, Role, Wire},
        gitea::{HOOK_SECRET, Porter, Yard},
        hosted::FakeYard,
        world::Hands,
    },
    local::LocalYard,
    words::{Health, Place, Story},
};
use crate::{
    harness::{DnsServer, GiteaServer, KEY_ALGORITHM, KEY_NAME, KEY_SECRET, Process, Site, free_port},
    service::world::TRUEUP,
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::runtime::Runtime;

/// Who signs in at the server itself; their token there is their name and `-token`.
const PEOPLE: [&str; 5] = ["ana", "ben", "cleo", "root", "mallory"];

/// What the zone of each story holds at its beginning.
pub const FIRST: [(&str, &str); 3] = [("mail", "192.0.2.2"), ("ns1", "192.0.2.53"), ("www", "192.0.2.1")];

/// The repository of one story.
pub struct Scene {
    pub repo: String,
    /// With its trailing dot.
    pub zone: String,
    pub hands: Box<dyn Hands>,
}

pub struct Stage {
    pub dns: &'static DnsServer,
    scenes: BTreeMap<String, Scene>,
    /// What the repositories' health checks ask, each at a path of its own.
    site: Site,
    server: Process,
    url: String,
    http: reqwest::Client,
    threads: Runtime,
    _porter: Option<Porter>,
    _dir: tempfile::TempDir,
}

impl Stage {
    /// Everything that these stories need on this forge.
    pub fn set(place: Place, stories: &[Story]) -> Self {
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads can be started");
        let (dns, site, dir, port) = (DnsServer::bind(), Site::start(), tempfile::tempdir().expect("a temporary folder"), free_port());
        let url = format!("http://127.0.0.1:{port}");
        let zones: Vec<String> = stories.iter().map(|_| dns.fresh_zone("www 300 IN A 192.0.2.1\nmail 300 IN A 192.0.2.2\n@ 300 IN MX 10 mail")).collect();
        let first: Vec<[(String, String); 2]> = stories.iter().zip(&zones).map(|(story, zone)| files(story, zone, &site)).collect();
        let mut forges = String::new();
        // Each story has an account's writes for itself, as if it were on a server of its own: one account writes one thing at a time.
        let mut named = |kind: &str, urls: &[String]| {
            let one = |(story, url): (&Story, &String)| {
                format!("  {}:\n    kind: {kind}\n    url: {url}\n    token: {{ file: forge.token }}\n    webhook_secret: {{ file: hook.secret }}\n", story.name)
            };
            forges = format!("forges:\n{}", stories.iter().zip(urls).map(one).collect::<String>());
        };
        let mut porter = None;
        let mut projects = Vec::new();
        let mut hands: Vec<Box<dyn Hands>> = Vec::new();
        match place {
            Place::Local => {}
            Place::Gitea => {
                let gitea = GiteaServer::shared();
                let door = Porter::start(gitea);
                named("gitea", &vec![door.url.clone(); stories.len()]);
                porter = Some(door);
                std::fs::write(dir.path().join("forge.token"), gitea.token("trueup")).expect("the folder is writable");
                let made = |(story, files): (&Story, &[(String, String); 2])| {
                    let yard = Yard::new(gitea.project());
                    yard.first(&lent(files));
                    yard.hook(&format!("{url}/hooks/{}", story.name), HOOK_SECRET);
                    yard
                };
                for yard in at_once(stories.iter().zip(&first).collect(), made) {
                    projects.push(yard.project.path.clone());
                    hands.push(Box::new(yard));
                }
            }
            Place::GitHub | Place::GitLab => {
                let (wire, kind) = if place == Place::GitHub { (Wire::GitHub, "github") } else { (Wire::GitLab, "gitlab") };
                std::fs::write(dir.path().join("forge.token"), "trueup-token").expect("the folder is writable");
                let writers = ["ana", "ben", "cleo", "root", "trueup"].map(|who| (who, Role::Write));
                let roles: Vec<(&str, Role)> = writers.into_iter().chain([("mallory", Role::Read)]).collect();
                let mut urls = Vec::new();
                for (story, files) in stories.iter().zip(&first) {
                    // One does one thing at a time, with git each time: many stories would wait for each other.
                    let fake = Arc::new(threads.block_on(FakeForge::start(wire)));
                    // A story asks more in an hour than one account may.
                    fake.state().calls_left = u64::MAX;
                    urls.push(fake.url.clone());
                    let path = format!("platform/{}", story.name);
                    fake.project(&path, &roles, &lent(files));
                    projects.push(path.clone());
                    hands.push(Box::new(FakeYard { fake, path }));
                }
                named(kind, &urls);
            }
        }
        let repositories: String = stories.iter().zip(&zones).enumerate().map(|(n, (story, zone))| repository(story, zone, projects.get(n))).collect();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("the folder is writable");
        for person in PEOPLE {
            write(&format!("{person}.token"), &format!("{person}-token\n"));
        }
        write("tsig.key", KEY_SECRET);
        write("hook.secret", HOOK_SECRET);
        let users: String = PEOPLE.iter().map(|name| format!("  - name: {name}\n    token: {{ file: {name}.token }}\n")).collect();
        let config = format!(
            "listen: 127.0.0.1:{port}\ndata: {data}\nsecrets: {secrets}\nnetworks: [127.0.0.1]\nlimits:\n  sweep: {sweep}\nusers:\n{users}{forges}repositories:\n{repositories}targets:\n  inside:\n    kind: dns/rfc2136\n    address: {addr}\n    \
             nameservers: [{addr}]\n    tsig: {{ name: {KEY_NAME}, algorithm: {KEY_ALGORITHM}, secret: {{ file: tsig.key }} }}\n",
            data = dir.path().join("data").display(),
            secrets = dir.path().display(),
            addr = dns.addr,
            // Where the forge tells by itself, the sweep is for what it forgot.
            sweep = if place == Place::Gitea { "20s" } else { "1s" },
        );
        write("server.yaml", &config);
        let server = Process::start("trueup", dir.path(), TRUEUP, &["serve", "--config", &dir.path().join("server.yaml").display().to_string()]);
        server.until_ready(|| std::net::TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_secs(5)).is_ok());
        if place == Place::Local {
            for (story, files) in stories.iter().zip(&first) {
                let yard = LocalYard::new(&url, &story.name);
                yard.first(&lent(files));
                hands.push(Box::new(yard));
            }
        }
        let scenes = stories.iter().zip(zones).zip(hands).map(|((story, zone), hands)| (story.name.clone(), Scene { repo: story.name.clone(), zone, hands })).collect();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().expect("a client");
        Self { dns, scenes, site, server, url, http, threads, _porter: porter, _dir: dir }
    }

    pub fn scene(&self, story: &str) -> &Scene {
        &self.scenes[story]
    }

    /// What the health check of a story's repository finds from here on.
    pub fn health(&self, story: &str, health: Health) {
        feel(&self.site, story, health);
    }

    /// A change as the server shows it; null before it was seen.
    pub fn show(&self, scene: &Scene, number: u64) -> Value {
        self.read(&format!("{}/api/v1/repos/{}/mrs/{number}", self.url, scene.repo))
    }

    /// What happened to a change, in words.
    pub fn journal(&self, scene: &Scene, number: u64) -> String {
        self.read(&format!("{}/api/v1/repos/{}/mrs/{number}/journal/rows", self.url, scene.repo)).to_string()
    }

    fn read(&self, url: &str) -> Value {
        let asked = async { self.http.get(url).bearer_auth("ana-token").send().await.ok()?.error_for_status().ok()?.json().await.ok() };
        self.threads.block_on(asked).unwrap_or_default()
    }

    pub fn log(&self) -> String {
        self.server.log()
    }
}

/// Does the same to each, several at once.
fn at_once<T: Copy + Sync, U: Send>(all: Vec<T>, does: impl Fn(T) -> U + Sync) -> Vec<U> {
    let each = all.len().div_ceil(6).max(1);
    std::thread::scope(|scope| {
        let parts: Vec<_> = all.chunks(each).map(|part| scope.spawn(|| part.iter().map(|one| does(*one)).collect::<Vec<U>>())).collect();
        parts.into_iter().flat_map(|part| part.join().expect("it is done")).collect()
    })
}

fn lent(files: &[(String, String); 2]) -> [(&str, &str); 2] {
    files.each_ref().map(|(path, text)| (path.as_str(), text.as_str()))
}

fn feel(site: &Site, story: &str, health: Health) {
    match health {
        Health::Passes => site.says(&format!("/{story}"), 200, "well"),
        Health::Fails => site.says(&format!("/{story}"), 503, "not yet"),
    }
}

/// The repository as it is at the beginning.
fn files(story: &Story, zone: &str, site: &Site) -> [(String, String); 2] {
    let mut policy = String::from("  window: 2s\n  every: 2s\n");
    if story.sick {
        feel(site, &story.name, Health::Fails);
        policy += &format!("  health:\n    - match: [\"*\"]\n      http: {{ url: \"{}\" }}\n      deadline: 1h\n", site.url(&format!("/{}", story.name)));
    }
    for line in &story.policy {
        policy += &format!("  {line}\n");
    }
    let first = FIRST.iter().map(|(name, address)| ((*name).to_owned(), (*address).to_owned())).collect();
    [("trueup.yaml".into(), format!("sources:\n  - path: zones\n    format: octodns\n    targets: [inside]\npolicy:\n{policy}")), (zone_file(zone), octodns(zone, &first))]
}

pub fn zone_file(zone: &str) -> String {
    format!("zones/{zone}yaml")
}

/// The zone as octoDNS writes it.
pub fn octodns(zone: &str, records: &BTreeMap<String, String>) -> String {
    let mut text = format!("'':\n  ttl: 300\n  type: MX\n  value: {{exchange: mail.{zone}, preference: 10}}\n");
    for (name, address) in records {
        let ttl = if name == "ns1" { "" } else { "  ttl: 300\n" };
        text += &format!("{name}:\n{ttl}  type: A\n  value: {address}\n");
    }
    text
}

fn repository(story: &Story, zone: &str, project: Option<&String>) -> String {
    let forge = project.map_or_else(|| "    writers: [ana, ben, cleo]\n".to_owned(), |project| format!("    forge: {}\n    project: {project}\n", story.name));
    format!("  - name: {}\n{forge}    approvers: [ana, ben]\n    admins: [root]\n    grants:\n      - target: inside\n        units: [\"{zone}\"]\n", story.name)
}
