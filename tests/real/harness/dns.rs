//! A real name server for tests: shared ones with a fresh zone a test, and own ones that a test may stop.

use super::{bind, client::Client, knot, process::Process};
use std::{
    net::SocketAddr,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};
use tempfile::TempDir;

/// The key that every test server takes for transfers and updates of all its zones, but for HINFO records, which it refuses.
pub const KEY_NAME: &str = "k1";
pub const KEY_ALGORITHM: &str = "hmac-sha256";
pub const KEY_SECRET: &str = "dHJ1ZXVwIHRlc3Qga2V5LCBub3QgYSBzZWNyZXQgMDE=";
/// A key of the same shape that no server knows.
pub const WRONG_SECRET: &str = "dHJ1ZXVwIHRlc3Qga2V5LCBub3QgYSBzZWNyZXQgOTk=";

/// Which program serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    Bind,
    Knot,
}

impl std::ops::Deref for DnsServer {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// A running name server with its data in a temporary folder.
#[derive(Debug)]
pub struct DnsServer {
    pub addr: SocketAddr,
    client: Client,
    pub(super) flavour: Flavour,
    pub(super) process: Process,
    pub(super) dir: TempDir,
    /// Zones served so far, for the servers that are told by their whole configuration.
    pub(super) zones: std::sync::Mutex<Vec<String>>,
    next: AtomicUsize,
    /// What runs instead of `process` since a restart.
    again: std::sync::Mutex<Option<Process>>,
}

impl DnsServer {
    /// The BIND that all tests share.
    pub fn bind() -> &'static Self {
        static SHARED: OnceLock<DnsServer> = OnceLock::new();
        SHARED.get_or_init(Self::start_bind)
    }

    /// The Knot that all tests share.
    pub fn knot() -> &'static Self {
        static SHARED: OnceLock<DnsServer> = OnceLock::new();
        SHARED.get_or_init(Self::start_knot)
    }

    /// A BIND of the test's own, which it may stop.
    pub fn start_bind() -> Self {
        let (addr, process, dir) = bind::start();
        Self { addr, client: Client(addr), flavour: Flavour::Bind, process, dir, zones: Default::default(), next: AtomicUsize::new(1), again: Default::default() }
    }

    /// A Knot of the test's own, which it may stop.
    pub fn start_knot() -> Self {
        let (addr, process, dir) = knot::start();
        Self { addr, client: Client(addr), flavour: Flavour::Knot, process, dir, zones: Default::default(), next: AtomicUsize::new(1), again: Default::default() }
    }

    /// Ends a BIND of the test's own, and waits until nothing answers on its port.
    pub fn stop(&self) {
        let again = self.again.lock().expect("nobody panics with it").take();
        let running = again.as_ref().unwrap_or(&self.process);
        std::process::Command::new("kill").arg(running.pid().to_string()).status().expect("kill runs");
        assert!(super::wait_for(std::time::Duration::from_secs(60), || !running.alive()), "named ends when told to:\n{}", running.log());
    }

    /// Starts it again on the same port, with the data it had.
    pub fn start_again(&self) {
        assert_eq!(self.flavour, Flavour::Bind, "only BIND is restarted so far");
        *self.again.lock().expect("nobody panics with it") = Some(bind::run(self.dir.path()));
    }

    /// A zone no other test uses, with a SOA, one name server and `lines` of a zone file; its name with the trailing dot.
    pub fn fresh_zone(&self, lines: &str) -> String {
        let zone = format!("z{}.test.", self.next.fetch_add(1, Ordering::SeqCst));
        self.add_zone(&zone, &format!("@ 3600 IN SOA ns1 hostmaster 1 3600 600 86400 300\n@ 3600 IN NS ns1\nns1 3600 IN A 192.0.2.53\n{lines}\n"));
        zone
    }

    /// Serves a zone with the zone file text given (`$ORIGIN` is the zone); on return it answers.
    pub fn add_zone(&self, zone: &str, text: &str) {
        std::fs::write(self.zone_file(zone), format!("$ORIGIN {zone}\n$TTL 300\n{text}")).expect("the temporary folder is writable");
        match self.flavour {
            Flavour::Bind => bind::add_zone(self, zone),
            Flavour::Knot => knot::add_zone(self, zone),
        }
        self.process.until_ready(|| self.dig(&[zone, "SOA", "+short"]).contains(' '));
    }

    /// The same for a BIND that lets nobody transfer or update the zone.
    pub fn add_closed_zone(&self, zone: &str, lines: &str) {
        assert_eq!(self.flavour, Flavour::Bind, "only BIND is told so here");
        let text = format!("$ORIGIN {zone}\n$TTL 300\n@ IN SOA ns1 hostmaster 1 3600 600 86400 300\n@ IN NS ns1\nns1 IN A 192.0.2.53\n{lines}\n");
        std::fs::write(self.zone_file(zone), text).expect("the temporary folder is writable");
        bind::serve_zone(self, zone, "allow-transfer { none; }; allow-update { none; };");
        self.process.until_ready(|| self.dig(&[zone, "SOA", "+short"]).contains(' '));
    }

    /// The same for a BIND that answers questions about the zone only to who signs them.
    pub fn add_shy_zone(&self, zone: &str, lines: &str) {
        assert_eq!(self.flavour, Flavour::Bind, "only BIND is told so here");
        let text = format!("$ORIGIN {zone}\n$TTL 300\n@ IN SOA ns1 hostmaster 1 3600 600 86400 300\n@ IN NS ns1\nns1 IN A 192.0.2.53\n{lines}\n");
        std::fs::write(self.zone_file(zone), text).expect("the temporary folder is writable");
        bind::serve_zone(self, zone, &format!("allow-query {{ key {KEY_NAME}; }}; allow-update {{ key {KEY_NAME}; }};"));
        self.process.until_ready(|| self.dig(&[zone, "SOA"]).contains("REFUSED"));
    }

    pub(super) fn zone_file(&self, zone: &str) -> std::path::PathBuf {
        self.dir.path().join(format!("{}zone", zone))
    }
}
