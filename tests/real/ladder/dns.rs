//! Name servers on the ladder: BIND, Knot and the lab's through the RFC 2136 driver, and the twin in memory.

use super::{
    ladder,
    world::{Lost, World},
};
use crate::harness::{Client, DnsServer, KEY_ALGORITHM, KEY_NAME, KEY_SECRET, Lab, Loss, Proxy};
use std::net::SocketAddr;
use trueup::{
    core::model::{Kind as _, ResourceId, Unit, Value},
    drivers::dns::{
        Fault, Twin,
        rfc2136::{Config, Rfc2136, Timeouts, Tsig},
    },
    kinds::dns::DNS,
    lab::dns::ZoneData,
    ports::{Driver, SecretText},
};

/// The configuration of a driver for a test server's key.
pub fn config(addr: SocketAddr, secret: &str) -> Config {
    let tsig = Tsig { name: KEY_NAME.into(), algorithm: KEY_ALGORITHM.into(), secret: SecretText::new(secret) };
    Config { target: "dns".into(), address: addr.to_string(), nameservers: Vec::new(), tsig: Some(tsig), timeouts: Timeouts::default() }
}

/// The id of an RRset in a zone: `www`, `A`.
pub fn id(zone: &str, owner: &str, rtype: &str) -> ResourceId {
    ResourceId::new("dns", "rrset", format!("{zone}/{owner}/{rtype}"))
}

/// The canonical value of an RRset.
pub fn value(id: &ResourceId, ttl: i64, values: &[&str]) -> Value {
    DNS.canon(id, raw_value(ttl, values)).unwrap_or_else(|refusal| panic!("{id}: {refusal}"))
}

fn raw_value(ttl: i64, values: &[&str]) -> Value {
    Value::map([("ttl", Value::Int(ttl)), ("values", Value::List(values.iter().map(|text| Value::str(*text)).collect()))])
}

/// Owner and type of the `n`-th resource.
fn name(n: usize) -> (String, &'static str) {
    match n % 10 {
        0 => (format!("r{n}"), "A"),
        1 => (format!("r{n}"), "TXT"),
        2 => (format!("r{n}"), "MX"),
        3 => (format!("r{n}"), "AAAA"),
        4 => (format!("r{n}"), "CNAME"),
        5 => (format!("_s{n}._tcp"), "SRV"),
        6 => (format!("r{n}"), "CAA"),
        7 => (format!("long{n}"), "TXT"),
        8 => (format!("*.w{n}"), "A"),
        _ => (format!("deep.er.r{n}"), "PTR"),
    }
}

fn nth_value(zone: &str, n: usize, v: usize) -> Value {
    let (owner, rtype) = name(n);
    let id = id(zone, &owner, rtype);
    let ttl = if v.is_multiple_of(2) { 300 } else { 600 };
    let one = match n % 10 {
        0 => format!("192.0.2.{}", v + 1),
        1 => format!("\"v={v}; \\\"quoted\\\" \\\\ {n}\""),
        // Outside of the zone: BIND refuses an MX whose target in the zone has no address.
        2 => format!("10 mail{v}.example."),
        3 => format!("2001:db8::{}", v + 1),
        4 => format!("target{v}.{zone}"),
        5 => format!("1 2 443 host{v}.{zone}"),
        6 => format!("0 issue \"ca{v}.example\""),
        7 => format!("\"{}\" \"{}\" \"{v}\"", "a".repeat(255), "b".repeat(200)),
        8 => format!("198.51.100.{}", v + 1),
        _ => format!("host{v}.{zone}"),
    };
    let second = n.is_multiple_of(10).then(|| format!("192.0.2.{}", v + 100));
    let values: Vec<&str> = std::iter::once(one.as_str()).chain(second.as_deref()).collect();
    value(&id, ttl, &values)
}

/// A zone on a real server behind a proxy that can lose messages.
pub struct Real {
    name: &'static str,
    pub server: Client,
    /// Where zones can be added while it runs, and some types are forbidden.
    full: Option<&'static DnsServer>,
    pub zone: String,
    pub proxy: Proxy,
    pub driver: Rfc2136,
    _lab: Option<Lab>,
}

impl Real {
    pub fn bind() -> Self {
        Self::on("BIND", DnsServer::bind())
    }

    pub fn knot() -> Self {
        Self::on("Knot", DnsServer::knot())
    }

    /// The server that `demo` runs.
    pub fn lab() -> Self {
        let zone = "lab.test.".to_owned();
        let lab = Lab::start(vec![ZoneData { name: zone.clone(), rrsets: Vec::new() }]);
        Self::at("the lab", Client(lab.addr), None, zone, Some(lab))
    }

    fn on(name: &'static str, server: &'static DnsServer) -> Self {
        Self::at(name, Client(server.addr), Some(server), server.fresh_zone(""), None)
    }

    fn at(name: &'static str, server: Client, full: Option<&'static DnsServer>, zone: String, lab: Option<Lab>) -> Self {
        let proxy = Proxy::start(server.0);
        let driver = Rfc2136::new(config(proxy.addr, KEY_SECRET)).expect("the configuration is good");
        Self { name, server, full, zone, proxy, driver, _lab: lab }
    }

    pub fn transfers_any_size(&self) -> bool {
        self.full.is_some()
    }

    /// Serves another zone as well; false where zones are fixed at the start.
    pub fn add_zone(&self, zone: &str, text: &str) -> bool {
        self.full.inspect(|server| server.add_zone(zone, text)).is_some()
    }

    fn commands(&self, id: &ResourceId, value: Option<&Value>) -> String {
        let name = DNS.title(id);
        let (owner, rtype) = name.rsplit_once(' ').expect("a title is owner and type");
        let mut out = format!("update delete {owner}. {rtype}");
        if let Some(value) = value {
            for line in DNS.lines(id, value) {
                let (ttl, data) = line.split_once(' ').expect("a line is ttl and data");
                out.push_str(&format!("\nupdate add {owner}. {ttl} {rtype} {data}"));
            }
        }
        out
    }
}

impl World for Real {
    fn name(&self) -> &'static str {
        self.name
    }

    fn driver(&self) -> &dyn Driver {
        &self.driver
    }

    fn unit(&self) -> Unit {
        Unit::new(self.zone.as_str())
    }

    fn id(&self, n: usize) -> ResourceId {
        let (owner, rtype) = name(n);
        id(&self.zone, &owner, rtype)
    }

    fn value(&self, n: usize, v: usize) -> Value {
        nth_value(&self.zone, n, v)
    }

    fn by_hand(&self, id: &ResourceId, value: Option<&Value>) {
        self.server.by_hand(&self.zone, &self.commands(id, value));
    }

    fn raw(&self) -> Vec<String> {
        self.server.records(&self.zone)
    }

    fn lose(&self, what: Lost) {
        self.proxy.lose(match what {
            Lost::Request => Loss::Request,
            Lost::Reply => Loss::Reply,
        });
    }

    fn effects(&self) -> u64 {
        self.proxy.updates()
    }

    fn forbidden(&self) -> Option<(ResourceId, Value)> {
        self.full.map(|_| forbidden(&self.zone))
    }

    fn unholdable(&self) -> Vec<(ResourceId, Value)> {
        unholdable(&self.zone)
    }

    fn server_takes(&self, id: &ResourceId, value: &Value) -> Option<bool> {
        let before = self.raw().len();
        let sent = self.server.try_by_hand(&self.zone, &self.commands(id, Some(value)));
        Some(sent.is_ok() && self.raw().len() == before + value.get("values").map_or(0, |values| values.as_list().len()))
    }
}

/// Test servers refuse HINFO.
fn forbidden(zone: &str) -> (ResourceId, Value) {
    let id = id(zone, "forbidden", "HINFO");
    let value = value(&id, 300, &["\"cpu\" \"os\""]);
    (id, value)
}

fn unholdable(zone: &str) -> Vec<(ResourceId, Value)> {
    let bad = [
        ("bad", "A", 300, vec!["192.0.2.256"]),
        ("bad", "AAAA", 300, vec!["2001:db8::1::2"]),
        ("bad", "MX", 300, vec!["70000 mail.example."]),
        ("bad", "CNAME", 300, vec!["one.example.", "two.example."]),
        ("bad", "A", 4_294_967_296, vec!["192.0.2.1"]),
        ("bad", "RRSIG", 300, vec!["A 8 2 300 20300101000000 20200101000000 1 example. AAAA"]),
    ];
    bad.into_iter().map(|(owner, rtype, ttl, values)| (id(zone, owner, rtype), raw_value(ttl, &values))).collect()
}

/// The twin with one zone.
pub struct InMemory(Twin);

const TWIN_ZONE: &str = "twin.test.";

impl InMemory {
    pub fn new() -> Self {
        let twin = Twin::new("dns");
        twin.serve(TWIN_ZONE);
        twin.refuse(&forbidden(TWIN_ZONE).0);
        Self(twin)
    }
}

impl World for InMemory {
    fn name(&self) -> &'static str {
        "the twin"
    }

    fn driver(&self) -> &dyn Driver {
        &self.0
    }

    fn unit(&self) -> Unit {
        Unit::new(TWIN_ZONE)
    }

    fn id(&self, n: usize) -> ResourceId {
        let (owner, rtype) = name(n);
        id(TWIN_ZONE, &owner, rtype)
    }

    fn value(&self, n: usize, v: usize) -> Value {
        nth_value(TWIN_ZONE, n, v)
    }

    fn by_hand(&self, id: &ResourceId, value: Option<&Value>) {
        self.0.by_hand(id, value);
    }

    fn raw(&self) -> Vec<String> {
        self.0.live().iter().map(|(id, value)| format!("{id} {value}")).collect()
    }

    fn lose(&self, what: Lost) {
        self.0.fail_next(match what {
            Lost::Request => Fault::LoseRequest,
            Lost::Reply => Fault::LoseReply,
        });
    }

    fn effects(&self) -> u64 {
        self.0.effects()
    }

    fn forbidden(&self) -> Option<(ResourceId, Value)> {
        Some(forbidden(TWIN_ZONE))
    }

    fn unholdable(&self) -> Vec<(ResourceId, Value)> {
        unholdable(TWIN_ZONE)
    }

    fn server_takes(&self, _id: &ResourceId, _value: &Value) -> Option<bool> {
        None
    }
}

mod bind {
    super::ladder!(super::Real::bind());
}

mod knot {
    super::ladder!(super::Real::knot());
}

mod lab {
    super::ladder!(super::Real::lab());
}

mod twin {
    super::ladder!(super::InMemory::new());
}
