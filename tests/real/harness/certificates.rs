//! An authority with a server's and a client's certificate, made by the Consul that tests run anyway.

use super::consul::program;
use std::{
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// PEM files that last as long as this.
pub struct Certificates {
    pub ca: PathBuf,
    pub server: PathBuf,
    pub server_key: PathBuf,
    client: PathBuf,
    client_key: PathBuf,
    _dir: TempDir,
}

impl Certificates {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        for words in [&["ca", "create"][..], &["cert", "create", "-server", "-additional-ipaddress", "127.0.0.1"], &["cert", "create", "-client"]] {
            let out = Command::new(program()).arg("tls").args(words).current_dir(dir.path()).output().expect("it runs");
            assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
        }
        let at = |name: &str| dir.path().join(name);
        Self {
            ca: at("consul-agent-ca.pem"),
            server: at("dc1-server-consul-0.pem"),
            server_key: at("dc1-server-consul-0-key.pem"),
            client: at("dc1-client-consul-0.pem"),
            client_key: at("dc1-client-consul-0-key.pem"),
            _dir: dir,
        }
    }

    /// The client's certificate followed by its key.
    pub fn identity(&self) -> String {
        let text = |path: &Path| std::fs::read_to_string(path).expect("it was made");
        text(&self.client) + &text(&self.client_key)
    }
}
