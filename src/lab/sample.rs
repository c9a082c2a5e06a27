//! The demo's repository: a small shop's zone and keys, and merge requests on them.

use std::fmt::Write as _;

/// The zone, as the name server serves it at first and as base says it.
pub const ZONE: &str = "shop.test.";

/// Where the zone's file is in the repository.
pub const ZONE_FILE: &str = "zones/shop.test.yaml";

/// The name by which clients find the shop.
pub const SERVICE: &str = "_shop._tcp.shop.test.";

/// The key that balancers follow: one `host:port` a line.
pub const POOL: &str = "shop/pool";

/// A key that people read.
pub const BANNER: &str = "shop/banner";

/// What instances of the two releases answer.
pub const RELEASE_1: &str = "release 1";
pub const RELEASE_2: &str = "release 2";

/// `trueup.yaml` of the demo's repository.
pub const ROOT: &str = "\
# Maps folders of this repository to live systems, and says how changes of them go.
sources:
  - path: zones
    format: octodns
    targets: [nameserver]
    healthchecks: true        # a front end must answer before its record is merged
  - path: config
    format: keytree
    targets: [config]

policy:
  approvals:
    - count: 1              # one person who wrote none of the commits
  window: 3s                # everything must stay true this long before the merge
  every: 500ms
";

/// Where the parts of the shop listen on loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The old front end and the new one.
    pub fronts: [u16; 2],
    /// The instances of release 1.
    pub old: [u16; 2],
    /// The instances of release 2.
    pub new: [u16; 2],
}

/// The zone's file on base.
pub fn zone(ports: &Ports) -> String {
    format!(
        "\
# The shop, as it is live today.
'':
  - type: MX
    values:
      - {{preference: 10, exchange: mail.shop.test.}}
  - type: TXT
    value: v=spf1 mx -all
_shop._tcp:
  type: SRV
  ttl: 2
  value: {{priority: 0, weight: 10, port: {}, target: front-1.shop.test.}}
assets:
  type: A
  value: 192.0.2.30
blog:
  type: CNAME
  value: assets.shop.test.
docs:
  type: CNAME
  value: assets.shop.test.
{}jobs:
  type: A
  value: 192.0.2.51
mail:
  type: A
  value: 192.0.2.25
pay:
  type: A
  value: 192.0.2.40
{}{}search:
  type: A
  value: 192.0.2.41
status:
  type: A
  value: 192.0.2.50
stock:
  type: A
  value: 192.0.2.42
tax:
  type: A
  value: 192.0.2.43
",
        ports.fronts[0],
        front("front-1", ports.fronts[0]),
        host("r1-a"),
        host("r1-b"),
    )
}

/// A host of the lab: everything is on loopback.
fn host(name: &str) -> String {
    format!("{name}:\n  type: A\n  ttl: 2\n  value: 127.0.0.1\n")
}

/// The host of a front end, and how anybody can ask whether it serves.
fn front(name: &str, port: u16) -> String {
    format!("{}  octodns: {{healthcheck: {{protocol: HTTP, port: {port}, path: /}}}}\n", host(name))
}

/// The keys on base: name and value.
pub fn keys(ports: &Ports) -> [(&'static str, String); 2] {
    [(BANNER, "Autumn: everything in brown".to_owned()), (POOL, pool("r1", ports.old))]
}

fn pool(release: &str, ports: [u16; 2]) -> String {
    let mut text = String::new();
    for (instance, port) in ["a", "b"].into_iter().zip(ports) {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{release}-{instance}.{}:{port}", ZONE.trim_end_matches('.'));
    }
    text
}

/// A merge request: its title, its branch, and the files it changes with their new text.
pub struct Proposal {
    pub title: &'static str,
    pub branch: &'static str,
    pub files: Vec<(String, String)>,
}

/// Where a key's file is in the repository.
pub fn key_file(name: &str) -> String {
    format!("config/{name}")
}

/// The first merge request: the pool moves to release 2, and clients to the new front end; what served before leaves.
pub fn release_2(ports: &Ports) -> Proposal {
    let [old, new] = ports.fronts;
    let zone = zone(ports)
        .replace("# The shop, as it is live today.\n", "# The shop: release 2, behind its new front end.\n")
        .replace(&format!("port: {old}, target: front-1.shop.test."), &format!("port: {new}, target: front-2.shop.test."))
        .replace(&front("front-1", old), &front("front-2", new))
        .replace(&(host("r1-a") + &host("r1-b")), &(host("r2-a") + &host("r2-b")));
    Proposal {
        title: "Release 2 of the shop, behind its new front end",
        branch: "release-2",
        files: vec![(ZONE_FILE.to_owned(), zone), (key_file(POOL), pool("r2", ports.new)), (key_file(BANNER), "Release 2: everything in blue".to_owned())],
    }
}

/// The second merge request: a new banner.
pub fn sale() -> Proposal {
    Proposal { title: "Winter sale", branch: "winter-sale", files: vec![(key_file(BANNER), "Winter sale: everything must go".to_owned())] }
}

/// What a hand writes into the live banner, past every repository.
pub const BY_HAND: &str = "Closed for fire drill";
