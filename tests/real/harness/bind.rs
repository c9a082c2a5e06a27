//! BIND: `named` with one key, zones added through its control channel.

use super::{
    dns::{DnsServer, KEY_ALGORITHM, KEY_NAME, KEY_SECRET},
    ports::free_port,
    process::Process,
};
use std::{fs, net::SocketAddr, path::Path, process::Command};
use tempfile::TempDir;

pub(super) fn start() -> (SocketAddr, Process, TempDir) {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let (port, control) = (free_port(), free_port());
    let at = dir.path().display();
    let key = format!("key \"{KEY_NAME}\" {{ algorithm {KEY_ALGORITHM}; secret \"{KEY_SECRET}\"; }};\n");
    let conf = format!(
        "{key}options {{ directory \"{at}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file \"{at}/named.pid\"; session-keyfile \"{at}/session.key\";\n\
         recursion no; dnssec-validation no; notify no; allow-new-zones yes; allow-transfer {{ key {KEY_NAME}; }}; tcp-clients 500; }};\n\
         controls {{ inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }} keys {{ {KEY_NAME}; }}; }};\n"
    );
    fs::write(dir.path().join("named.conf"), conf).expect("the temporary folder is writable");
    let rndc = format!("{key}options {{ default-key \"{KEY_NAME}\"; default-server 127.0.0.1; default-port {control}; }};\n");
    fs::write(dir.path().join("rndc.conf"), rndc).expect("the temporary folder is writable");
    let process = run(dir.path());
    (SocketAddr::from(([127, 0, 0, 1], port)), process, dir)
}

/// Runs `named` in its folder, for the first time or again on the same port with the zones it had.
pub(super) fn run(dir: &Path) -> Process {
    let process = Process::start("named", dir, "named", &["-c", "named.conf", "-g", "-n", "1"]);
    process.until_ready(|| process.log().contains("running") && control_answers(dir));
    process
}

pub(super) fn add_zone(server: &DnsServer, zone: &str) {
    serve_zone(server, zone, &format!("update-policy {{ deny {KEY_NAME} zonesub HINFO; grant {KEY_NAME} zonesub ANY; }};"));
}

/// Serves a zone whose file is there, under these rules.
pub(super) fn serve_zone(server: &DnsServer, zone: &str, rules: &str) {
    let definition = format!("{{ type primary; file \"{}\"; {rules} }};", server.zone_file(zone).display());
    let out = rndc(server.dir.path(), &["addzone", zone, &definition]);
    assert!(out.status.success(), "rndc addzone {zone}: {}", String::from_utf8_lossy(&out.stderr));
}

fn control_answers(dir: &Path) -> bool {
    rndc(dir, &["status"]).status.success()
}

fn rndc(dir: &Path, args: &[&str]) -> std::process::Output {
    Command::new("rndc").arg("-c").arg(dir.join("rndc.conf")).args(args).output().expect("rndc is installed")
}
