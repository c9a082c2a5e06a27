//! A real Prometheus on loopback that scrapes one site of the test.

use super::{ports::free_port, process::Process, site::Site};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};
use tempfile::TempDir;

/// A running Prometheus and the exporter it scrapes at `/metrics`.
pub struct Prometheus {
    pub addr: SocketAddr,
    pub exporter: Site,
    _process: Process,
    _dir: TempDir,
}

impl Prometheus {
    pub fn start() -> Self {
        let exporter = Site::start();
        exporter.says("/metrics", 200, "\n");
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let config = format!(
            "global: {{ scrape_interval: 200ms, scrape_timeout: 200ms }}\nscrape_configs:\n  - job_name: app\n    static_configs: [{{ targets: ['{}'] }}]\n",
            exporter.addr
        );
        std::fs::write(dir.path().join("prometheus.yml"), config).expect("the folder is writable");
        let addr = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let listen = format!("--web.listen-address={addr}");
        let process = Process::start("prometheus", dir.path(), "prometheus", &["--config.file=prometheus.yml", "--storage.tsdb.path=data", &listen]);
        process.until_ready(|| get(addr, "/-/ready").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")));
        Self { addr, exporter, _process: process, _dir: dir }
    }

    /// What the exporter counts from here on.
    pub fn measures(&self, text: &str) {
        self.exporter.says("/metrics", 200, text);
    }

    /// The answer to a query, as its API gives it.
    pub fn query(&self, query: &str) -> String {
        get(self.addr, &format!("/api/v1/query?query={query}")).unwrap_or_default()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

fn get(addr: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(addr).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}
