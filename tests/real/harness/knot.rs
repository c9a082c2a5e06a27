//! Knot DNS: `knotd` with one key, zones added by writing its configuration again and reloading it.

use super::{
    dns::{DnsServer, KEY_ALGORITHM, KEY_NAME, KEY_SECRET},
    ports::free_port,
    process::Process,
};
use std::{fs, net::SocketAddr, path::Path, process::Command};
use tempfile::TempDir;

/// What may be updated: every type but HINFO. A denying rule would not do, for Knot applies it only when all records of a message match.
const TYPES: &str = "A, AAAA, AFSDB, CAA, CNAME, DNAME, DS, HTTPS, LOC, MX, NAPTR, NS, PTR, RP, SMIMEA, SPF, SRV, SSHFP, SVCB, TLSA, TXT, URI";

pub(super) fn start() -> (SocketAddr, Process, TempDir) {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let port = free_port();
    write_config(dir.path(), port, &[]);
    let process = Process::start("knotd", dir.path(), "knotd", &["-c", "knot.conf"]);
    process.until_ready(|| knotc(dir.path(), &["status"]).status.success());
    (SocketAddr::from(([127, 0, 0, 1], port)), process, dir)
}

pub(super) fn add_zone(server: &DnsServer, zone: &str) {
    // Held while the server reloads, so that two tests do not write each other's zones away.
    let mut zones = server.zones.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    zones.push(zone.to_owned());
    write_config(server.dir.path(), server.addr.port(), &zones);
    let out = knotc(server.dir.path(), &["reload"]);
    assert!(out.status.success(), "knotc reload: {}", String::from_utf8_lossy(&out.stderr));
}

fn write_config(dir: &Path, port: u16, zones: &[String]) {
    let at = dir.display();
    let zones: String = zones.iter().map(|zone| format!("  - domain: \"{zone}\"\n    file: \"{at}/{zone}zone\"\n")).collect();
    let conf = format!(
        "server:\n  rundir: \"{at}\"\n  listen: 127.0.0.1@{port}\n  tcp-workers: 1\n  udp-workers: 1\n  background-workers: 1\n\
         database:\n  storage: \"{at}\"\n  journal-db-max-size: 64M\n  kasp-db-max-size: 16M\n  timer-db-max-size: 16M\n\
         control:\n  listen: \"{at}/knot.sock\"\n\
         log:\n  - target: stderr\n    any: info\n\
         key:\n  - id: {KEY_NAME}\n    algorithm: {KEY_ALGORITHM}\n    secret: {KEY_SECRET}\n\
         acl:\n  - id: reads\n    key: {KEY_NAME}\n    action: [query, transfer]\n  - id: updates\n    key: {KEY_NAME}\n    action: update\n    update-type: [{TYPES}]\n\
         template:\n  - id: default\n    acl: [reads, updates]\n    semantic-checks: off\n    zonefile-sync: -1\n    journal-content: changes\n    journal-max-usage: 16M\n\
         zone:\n{zones}"
    );
    fs::write(dir.join("knot.conf"), conf).expect("the temporary folder is writable");
}

fn knotc(dir: &Path, args: &[&str]) -> std::process::Output {
    Command::new("knotc").arg("-c").arg(dir.join("knot.conf")).args(args).output().expect("knotc is installed")
}
