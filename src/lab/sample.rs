//! The demo's repository: a small shop's zone, and a merge request that moves it to a new front end.

/// The zone, as the name server serves it at first and as base says it.
pub const ZONE: &str = "shop.test.";

/// `trueup.yaml` of the demo's repository.
pub const ROOT: &str = "\
# Maps folders of this repository to live systems, and says how changes of them go.
sources:
  - path: zones
    format: octodns
    targets: [nameserver]

policy:
  approvals:
    - count: 1              # one person who wrote none of the commits
  window: 3s                # everything must stay true this long before the merge
  every: 500ms
";

/// The zone's file on base.
pub const BASE: &str = "\
# The shop, as it is live today.
'':
  - type: MX
    values:
      - {preference: 10, exchange: mail.shop.test.}
  - type: TXT
    value: v=spf1 mx -all
api:
  type: CNAME
  ttl: 300
  value: www.shop.test.
assets:
  type: A
  value: 192.0.2.30
blog:
  type: CNAME
  value: assets.shop.test.
legacy:
  type: A
  value: 192.0.2.99
mail:
  type: A
  value: 192.0.2.25
pay:
  type: A
  value: 192.0.2.40
search:
  type: A
  value: 192.0.2.41
status:
  type: A
  value: 192.0.2.50
www:
  type: A
  ttl: 300
  value: 192.0.2.10
";

/// The merge request's title.
pub const TITLE: &str = "The shop moves to its new front end";

/// The zone's file as the merge request has it.
pub fn head() -> String {
    BASE.replace("  value: www.shop.test.\n", "  value: front.shop.test.\n")
        .replace("legacy:\n  type: A\n  value: 192.0.2.99\n", "")
        .replace("blog:\n", "front:\n  type: A\n  ttl: 60\n  values: [192.0.2.80, 192.0.2.81]\nblog:\n")
        .replace("www:\n  type: A\n  ttl: 300\n  value: 192.0.2.10\n", "www:\n  type: CNAME\n  ttl: 300\n  value: front.shop.test.\n")
        .replace("# The shop, as it is live today.\n", "# The shop, behind its new front end.\n")
}
