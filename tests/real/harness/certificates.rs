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
    dir: TempDir,
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
            dir,
        }
    }

    /// A client's certificate without a name, as etcd wants it where users sign in, followed by its key.
    pub fn nameless(&self) -> String {
        let dir = self.dir.path();
        let openssl = |words: &[&str]| {
            let out = Command::new("openssl").args(words).current_dir(dir).output().expect("openssl is installed");
            assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
        };
        openssl(&["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "nameless.key", "-subj", "/O=tests", "-out", "nameless.csr"]);
        std::fs::write(dir.join("nameless.ext"), "subjectAltName=DNS:client.test\nextendedKeyUsage=clientAuth\n").expect("the folder is writable");
        let authority = ["-CA", "consul-agent-ca.pem", "-CAkey", "consul-agent-ca-key.pem", "-CAcreateserial", "-days", "30", "-extfile", "nameless.ext"];
        openssl(&[&["x509", "-req", "-in", "nameless.csr", "-out", "nameless.pem"][..], &authority].concat());
        let text = |name: &str| std::fs::read_to_string(dir.join(name)).expect("it was made");
        text("nameless.pem") + &text("nameless.key")
    }

    /// The client's certificate followed by its key.
    pub fn identity(&self) -> String {
        let text = |path: &Path| std::fs::read_to_string(path).expect("it was made");
        text(&self.client) + &text(&self.client_key)
    }
}
