//! A real Consul for tests, open or with ACLs, and a hand that speaks to it beside the driver.

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

/// Its version, which names its place in the cache; `tests/servers/consul/go.mod` says the same.
const VERSION: &str = "1.21.0";

/// A token that reads everything but `hidden/` and writes what starts with `open/`.
pub const TOKEN: &str = "7d1c9c3e-52c5-4f0e-9d5e-0f4c2b1a6e11";

/// The token that may do all.
const ROOT: &str = "c0ffee00-1111-4222-8333-444455556666";

/// A running Consul server with its data in a temporary folder.
pub struct ConsulServer {
    pub addr: SocketAddr,
    process: Process,
    _dir: TempDir,
    closed: bool,
}

/// The program.
pub fn program() -> std::path::PathBuf {
    built("consul", VERSION)
}

impl ConsulServer {
    /// Starts one where nobody has to show a token.
    pub fn open() -> Self {
        Self::start(json!({}), false)
    }

    /// Starts one with settings of its own.
    pub fn open_with(settings: Value) -> Self {
        Self::start(settings, false)
    }

    /// Starts one that also speaks TLS, to clients with a certificate of the same authority; where it does so.
    pub fn tls(certificates: &Certificates) -> (Self, SocketAddr) {
        let https = free_port();
        let [ca, cert, key] = [&certificates.ca, &certificates.server, &certificates.server_key].map(|path| path.display().to_string());
        let defaults = json!({ "ca_file": ca, "cert_file": cert, "key_file": key, "verify_incoming": true });
        let server = Self::open_with(json!({ "tls": { "https": defaults }, "ports": { "https": https } }));
        let addr = SocketAddr::from(([127, 0, 0, 1], https));
        server.process.until_ready(|| TcpStream::connect(addr).is_ok());
        (server, addr)
    }

    /// Names a policy's rules anew.
    pub fn rules(&self, name: &str, rules: &str) {
        let found: Value = serde_json::from_slice(&self.ask("GET", &format!("/v1/acl/policy/name/{name}"), b"")).expect("it is JSON");
        let id = found["ID"].as_str().expect("it has one");
        self.ask("PUT", &format!("/v1/acl/policy/{id}"), json!({ "Name": name, "Rules": rules }).to_string().as_bytes());
    }

    /// Starts one that denies what no token allows.
    pub fn closed() -> Self {
        let acl = json!({ "acl": { "enabled": true, "default_policy": "deny", "tokens": { "initial_management": ROOT } } });
        let server = Self::start(acl, true);
        server.policy("deploy", "key_prefix \"\" { policy = \"read\" } key_prefix \"open/\" { policy = \"write\" } key_prefix \"hidden/\" { policy = \"deny\" }");
        server.token(TOKEN, "deploy");
        server
    }

    fn start(mut settings: Value, closed: bool) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let [http, rpc, lan, wan] = [(); 4].map(|()| free_port());
        settings["disable_update_check"] = true.into();
        settings["performance"] = json!({ "raft_multiplier": 1 });
        for (name, port) in [("http", json!(http)), ("server", json!(rpc)), ("serf_lan", json!(lan)), ("serf_wan", json!(wan))] {
            settings["ports"][name] = port;
        }
        for name in ["grpc", "grpc_tls", "dns"] {
            settings["ports"][name] = json!(-1);
        }
        std::fs::write(dir.path().join("consul.json"), settings.to_string()).expect("the folder is writable");
        let program = program().display().to_string();
        let args = ["agent", "-server", "-bootstrap-expect=1", "-data-dir", "data", "-config-file", "consul.json", "-bind", "127.0.0.1", "-client", "127.0.0.1"];
        let process = Process::start("consul", dir.path(), &program, &[&args[..], &["-disable-host-node-id", "-node", "n1", "-log-level", "warn"]].concat());
        let addr = SocketAddr::from(([127, 0, 0, 1], http));
        let server = Self { addr, process, _dir: dir, closed };
        // A write that is taken shows that there is a leader, and that it has made the root token.
        server.process.until_ready(|| server.send("PUT", "/v1/kv/ready", b"1").is_some_and(|(status, body)| status == 200 && body == b"true"));
        server.delete("ready");
        server
    }

    /// Sends the server a signal: `KILL`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Names a policy with its rules.
    pub fn policy(&self, name: &str, rules: &str) {
        self.ask("PUT", "/v1/acl/policy", json!({ "Name": name, "Rules": rules }).to_string().as_bytes());
    }

    /// Makes a token of a policy.
    pub fn token(&self, secret: &str, policy: &str) {
        self.ask("PUT", "/v1/acl/token", json!({ "SecretID": secret, "Policies": [{ "Name": policy }] }).to_string().as_bytes());
    }

    /// Deletes the token that shows itself so.
    pub fn revoke(&self, secret: &str) {
        let all = self.ask("GET", "/v1/acl/tokens", b"");
        let all: Value = serde_json::from_slice(&all).expect("it is JSON");
        let found = all.as_array().expect("a list").iter().find(|token| token["SecretID"] == secret).expect("the token is there").clone();
        self.ask("DELETE", &format!("/v1/acl/token/{}", found["AccessorID"].as_str().expect("it has one")), b"");
    }

    /// Asks as another program would; the answer must be good.
    pub fn ask(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let (status, answer) = self.send(method, path, body).unwrap_or_else(|| panic!("no answer to {path}; its log:\n{}", self.process.log()));
        assert_eq!(status, 200, "{method} {path}: {}", String::from_utf8_lossy(&answer));
        answer
    }

    pub fn put(&self, key: &str, bytes: &[u8]) {
        self.ask("PUT", &path(key), bytes);
    }

    pub fn delete(&self, key: &str) {
        self.ask("DELETE", &path(key), b"");
    }

    /// Every key with its bytes and flags, sorted.
    pub fn all(&self) -> Vec<(String, Vec<u8>, u64)> {
        let (status, answer) = self.send("GET", "/v1/kv/?recurse&consistent", b"").expect("it answers");
        if status == 404 {
            return Vec::new();
        }
        let all: Vec<Value> = serde_json::from_slice(&answer).expect("it is JSON");
        let one = |pair: &Value| {
            let bytes = STANDARD.decode(pair["Value"].as_str().unwrap_or_default()).expect("it is base64");
            (pair["Key"].as_str().expect("it has one").to_owned(), bytes, pair["Flags"].as_u64().expect("it has them"))
        };
        all.iter().map(one).collect()
    }

    /// The index at which a key was last written.
    pub fn index(&self, key: &str) -> u64 {
        let answer = self.ask("GET", &format!("{}?consistent", path(key)), b"");
        serde_json::from_slice::<Value>(&answer).expect("it is JSON")[0]["ModifyIndex"].as_u64().expect("it has one")
    }

    /// One question over plain HTTP; the status and the body.
    fn send(&self, method: &str, path: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect(self.addr).ok()?;
        let token = if self.closed { format!("X-Consul-Token: {ROOT}\r\n") } else { String::new() };
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: consul\r\n{token}Content-Length: {}\r\n\r\n", body.len()).ok()?;
        stream.write_all(body).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let cut = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
        let status = std::str::from_utf8(&answer[..cut]).ok()?.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer[cut + 4..].to_vec()))
    }
}

fn path(key: &str) -> String {
    let part: String = key.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect();
    format!("/v1/kv/{part}")
}
