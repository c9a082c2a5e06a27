//! A real etcd for tests, with authentication on, and a hand that speaks to it beside the driver.

use super::{
    certificates::Certificates,
    ports::free_port,
    process::{Process, built},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};
use tempfile::TempDir;

/// Its version, which names its place in the cache; `tests/servers/etcd/go.mod` says the same.
const VERSION: &str = "3.6.8";

/// A user that reads everything and writes what starts with `/open/`.
pub const USER: &str = "deploy";
pub const PASSWORD: &str = "deploy-password";

/// A running etcd with its data in a temporary folder.
pub struct EtcdServer {
    pub addr: SocketAddr,
    process: Process,
    token: Option<String>,
    args: Vec<String>,
    /// It speaks TLS alone.
    sealed: bool,
    dir: TempDir,
}

impl EtcdServer {
    /// Starts one with more arguments; nobody has to sign in.
    pub fn open(more: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let (client, peer) = (free_port(), free_port());
        let (client_url, peer_url) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
        let args = ["--name", "n1", "--data-dir", "data", "--unsafe-no-fsync", "--bcrypt-cost", "4", "--log-level", "warn"];
        let urls = ["--listen-client-urls", &client_url, "--advertise-client-urls", &client_url, "--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url];
        let cluster = format!("n1={peer_url}");
        let args: Vec<String> = [&args[..], &urls, &["--initial-cluster", &cluster], more].concat().into_iter().map(str::to_owned).collect();
        let addr = SocketAddr::from(([127, 0, 0, 1], client));
        Self { addr, process: run(addr, &dir, &args, false), token: None, args, sealed: false, dir }
    }

    /// Stops it and starts it again with its data.
    pub fn restart(&mut self) {
        self.process.stop();
        self.process = run(self.addr, &self.dir, &self.args, self.sealed);
    }

    /// Starts one where everybody must sign in and which speaks TLS alone, to clients with a certificate of this authority. Beside `root` there is
    /// the user that tests deploy as, who may read and write what starts with one prefix.
    pub fn sealed(certificates: &Certificates, prefix: &str) -> Self {
        let mut server = Self::open(&[]);
        server.sign_ins(&json!({ "permType": "READWRITE", "key": STANDARD.encode(prefix), "range_end": STANDARD.encode(format!("{}0", prefix.trim_end_matches('/'))) }));
        let [ca, cert, key] = [&certificates.ca, &certificates.server, &certificates.server_key].map(|path| path.display().to_string());
        let client = ["--listen-client-urls", "--advertise-client-urls"];
        for at in 1..server.args.len() {
            if client.contains(&server.args[at - 1].as_str()) {
                server.args[at] = server.args[at].replace("http://", "https://");
            }
        }
        server.args.extend(["--cert-file", &cert, "--key-file", &key, "--trusted-ca-file", &ca, "--client-cert-auth"].map(str::to_owned));
        server.sealed = true;
        server.restart();
        server
    }

    /// Every key with its bytes, whatever they are.
    pub fn all_bytes(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let answer = self.ask("/v3/kv/range", &json!({ "key": STANDARD.encode([0]), "range_end": STANDARD.encode([0]) }));
        let bytes = |field: &Value| STANDARD.decode(field.as_str().unwrap_or_default()).expect("it is base64");
        answer["kvs"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(|kv| (bytes(&kv["key"]), bytes(&kv["value"]))).collect()
    }

    /// Writes large values below a prefix until the quota is used up.
    pub fn fill(&self, prefix: &str) {
        let large = STANDARD.encode(vec![b'x'; 1 << 20]);
        for n in 0..1000 {
            let answer = post(self.addr, "/v3/kv/put", &json!({ "key": STANDARD.encode(format!("{prefix}{n}")), "value": large }), self.token.as_deref());
            if answer.is_some_and(|answer| answer["message"].as_str().is_some_and(|text| text.contains("database space exceeded"))) {
                return;
            }
        }
        panic!("a gigabyte filled no quota");
    }

    /// Does what etcd's manual says about a quota that is used up: delete, compact, defragment, disarm.
    pub fn make_room(&self, prefix: &str) {
        let end = prefix.trim_end_matches('/').to_owned() + "0";
        self.ask("/v3/kv/deleterange", &json!({ "key": STANDARD.encode(prefix), "range_end": STANDARD.encode(end) }));
        self.ask("/v3/kv/compaction", &json!({ "revision": self.revision().to_string(), "physical": true }));
        self.ask("/v3/maintenance/defragment", &json!({}));
        let alarms = self.ask("/v3/maintenance/alarm", &json!({ "action": "GET" }));
        for alarm in alarms["alarms"].as_array().map(Vec::as_slice).unwrap_or_default() {
            self.ask("/v3/maintenance/alarm", &json!({ "action": "DEACTIVATE", "memberID": alarm["memberID"], "alarm": alarm["alarm"] }));
        }
    }

    /// Starts one that speaks TLS alone, to clients with a certificate of the same authority.
    pub fn tls(certificates: &Certificates) -> (Process, SocketAddr, TempDir) {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let (client, peer) = (free_port(), free_port());
        let (client_url, peer_url) = (format!("https://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
        let [ca, cert, key] = [&certificates.ca, &certificates.server, &certificates.server_key].map(|path| path.display().to_string());
        let args = ["--data-dir", "data", "--unsafe-no-fsync", "--log-level", "warn", "--cert-file", &cert, "--key-file", &key, "--trusted-ca-file", &ca, "--client-cert-auth"];
        let urls = ["--listen-client-urls", &client_url, "--advertise-client-urls", &client_url, "--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url];
        let cluster = format!("default={peer_url}");
        let process = Process::start("etcd", dir.path(), &built("etcd", VERSION).display().to_string(), &[&args[..], &urls, &["--initial-cluster", &cluster]].concat());
        let addr = SocketAddr::from(([127, 0, 0, 1], client));
        process.until_ready(|| TcpStream::connect(addr).is_ok());
        (process, addr, dir)
    }

    /// Starts three members of one cluster.
    pub fn three() -> Vec<Self> {
        let ports: Vec<(u16, u16)> = (0..3).map(|_| (free_port(), free_port())).collect();
        let cluster = ports.iter().enumerate().map(|(n, (_, peer))| format!("n{n}=http://127.0.0.1:{peer}")).collect::<Vec<_>>().join(",");
        let start = |(n, (client, peer)): (usize, &(u16, u16))| {
            let dir = tempfile::tempdir().expect("a temporary folder can be made");
            let (name, client_url, peer_url) = (format!("n{n}"), format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
            let args = ["--name", &name, "--data-dir", "data", "--unsafe-no-fsync", "--log-level", "warn", "--initial-cluster", &cluster];
            let urls = ["--listen-client-urls", &client_url, "--advertise-client-urls", &client_url, "--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url];
            let args: Vec<&str> = [&args[..], &urls].concat();
            let process = Process::start("etcd", dir.path(), &built("etcd", VERSION).display().to_string(), &args);
            let args = args.into_iter().map(str::to_owned).collect();
            Self { addr: SocketAddr::from(([127, 0, 0, 1], *client)), process, token: None, args, sealed: false, dir }
        };
        let members: Vec<Self> = ports.iter().enumerate().map(start).collect();
        for member in &members {
            member.process.until_ready(|| member.status().is_some_and(|status| status["leader"].as_str().is_some_and(|leader| leader != "0")));
        }
        members
    }

    fn status(&self) -> Option<Value> {
        post(self.addr, "/v3/maintenance/status", &json!({}), None)
    }

    /// Whether it leads its cluster.
    pub fn leads(&self) -> bool {
        self.status().is_some_and(|status| status["leader"] == status["header"]["member_id"])
    }

    /// Sends the member a signal: `KILL`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Starts one where everybody must sign in: `root`, or the user that tests deploy as.
    pub fn closed() -> Self {
        let mut server = Self::open(&[]);
        let everything = json!({ "permType": "READ", "key": STANDARD.encode([0]), "range_end": STANDARD.encode([0]) });
        server.ask("/v3/auth/role/add", &json!({ "name": "reader" }));
        server.ask("/v3/auth/role/grant", &json!({ "name": "reader", "perm": everything }));
        server.sign_ins(&json!({ "permType": "READWRITE", "key": STANDARD.encode("/open/"), "range_end": STANDARD.encode("/open0") }));
        let signed_in = server.ask("/v3/auth/authenticate", &json!({ "name": "root", "password": "root" }));
        server.token = signed_in["token"].as_str().map(str::to_owned);
        server.ask("/v3/auth/user/grant", &json!({ "user": USER, "role": "reader" }));
        server
    }

    /// Has everybody sign in: `root`, or the user that tests deploy as, with this permission.
    fn sign_ins(&self, permission: &Value) {
        for (path, body) in [
            ("user/add", json!({ "name": "root", "password": "root" })),
            ("role/add", json!({ "name": "root" })),
            ("user/grant", json!({ "user": "root", "role": "root" })),
            ("user/add", json!({ "name": USER, "password": PASSWORD })),
            ("role/add", json!({ "name": USER })),
            ("role/grant", json!({ "name": USER, "perm": permission })),
            ("user/grant", json!({ "user": USER, "role": USER })),
            ("enable", json!({})),
        ] {
            self.ask(&format!("/v3/auth/{path}"), &body);
        }
    }

    /// Asks as another program would; the answer must be good.
    pub fn ask(&self, path: &str, body: &Value) -> Value {
        let answer = post(self.addr, path, body, self.token.as_deref()).unwrap_or_else(|| panic!("no answer to {path}; its log:\n{}", self.process.log()));
        assert!(answer["code"].is_null(), "{path} {body}: {answer}");
        answer
    }

    pub fn put(&self, key: &str, bytes: &[u8]) {
        self.ask("/v3/kv/put", &json!({ "key": STANDARD.encode(key), "value": STANDARD.encode(bytes) }));
    }

    pub fn delete(&self, key: &str) {
        self.ask("/v3/kv/deleterange", &json!({ "key": STANDARD.encode(key) }));
    }

    /// Every key with its bytes, sorted.
    pub fn all(&self) -> Vec<(String, Vec<u8>)> {
        let answer = self.ask("/v3/kv/range", &json!({ "key": STANDARD.encode([0]), "range_end": STANDARD.encode([0]) }));
        let text = |field: &Value| STANDARD.decode(field.as_str().unwrap_or_default()).expect("it is base64");
        let one = |kv: &Value| (String::from_utf8(text(&kv["key"])).expect("tests use text"), text(&kv["value"]));
        answer["kvs"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(one).collect()
    }

    /// The revision of the whole store.
    pub fn revision(&self) -> u64 {
        let answer = self.ask("/v3/kv/range", &json!({ "key": STANDARD.encode("none") }));
        answer["header"]["revision"].as_str().and_then(|text| text.parse().ok()).expect("every answer says it")
    }
}

fn run(addr: SocketAddr, dir: &TempDir, args: &[String], sealed: bool) -> Process {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let process = Process::start("etcd", dir.path(), &built("etcd", VERSION).display().to_string(), &args);
    process.until_ready(|| TcpStream::connect(addr).is_ok() && sealed || post(addr, "/v3/maintenance/status", &json!({}), None).is_some_and(|status| status["leader"].is_string()));
    process
}

/// One question over plain HTTP.
fn post(addr: SocketAddr, path: &str, body: &Value, token: Option<&str>) -> Option<Value> {
    let mut stream = TcpStream::connect(addr).ok()?;
    let body = body.to_string();
    let token = token.map(|token| format!("Authorization: {token}\r\n")).unwrap_or_default();
    write!(stream, "POST {path} HTTP/1.0\r\nHost: etcd\r\nContent-Type: application/json\r\n{token}Content-Length: {}\r\n\r\n{body}", body.len()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let text = String::from_utf8(answer).ok()?;
    serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()
}
