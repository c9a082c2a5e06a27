//! Repositories that a forge is asked for: which are served, with what, and why others are not.

use super::{read, refused};
use trueup::app::config::{NotServed, Server};

const TARGETS: &str = "targets:\n  app: {kind: config/etcd, endpoints: [\"http://e:2379\"]}\n";

fn with(entry: &str, more: &str) -> String {
    format!("data: d\nforges:\n  work:\n    kind: gitea\n    url: https://git.example.com\n    token: {{env: T}}\n    discover:\n{entry}{more}{TARGETS}")
}

const ENTRY: &str = "      - group: platform\n        allow: [\"app-*\", \"sub/**\"]\n        deny: [app-old]\n        grants: [{target: app, units: [\"/{repo}/*\"]}]\n        secrets: [\"vault/kv/{repo}/*\"]\n        approvers: [ana]\n        branches:\n          - {pattern: release/*}\n";

fn serve(server: &mut Server, path: &str) -> Result<(), NotServed> {
    let entry = server.forges["work"].discover[0].clone();
    entry.takes(path.strip_prefix("platform/").expect("it is in the group"), false)?;
    server.serve_found(&"work".into(), &entry, path)
}

#[test]
fn what_is_found_gets_what_the_entry_says_with_its_own_name() {
    let mut server = read(&with(ENTRY, ""));
    serve(&mut server, "platform/app-one").unwrap();
    serve(&mut server, "platform/sub/deep/two").unwrap();
    let names: Vec<&str> = server.repositories.iter().map(|of| &*of.name).collect();
    assert_eq!(names, ["platform/app-one", "platform/app-one@release", "platform/sub/deep/two", "platform/sub/deep/two@release"]);
    let one = &server.repositories[0];
    assert_eq!((&*one.grants[0].units[0], &*one.secrets[0], one.project.as_deref()), ("/app-one/*", "vault/kv/app-one/*", Some("platform/app-one")));
    assert_eq!(&*server.repositories[2].grants[0].units[0], "/two/*");
}

#[test]
fn what_an_entry_calls_sensitive_is_so_whatever_the_repositories_are_called() {
    let entry = "      - group: platform\n        allow: [\"*\"]\n        grants: [{target: app, units: [\"/{repo}/*\"], sensitive: [\"/{repo}/password\", /shared/token]}, {target: names, units: [\"{repo}.example.com.\"], sensitive: [\"x.{repo}.example.com.\"]}]\n        branches:\n          - {name: next, grants: [{target: app, units: [\"/next/{repo}/*\"], sensitive: [\"/next/{repo}/key\"]}]}\n";
    let names = "  names: {kind: dns/rfc2136, address: \"192.0.2.53:53\", tsig: {name: k., algorithm: hmac-sha256, secret: {env: K}}}\n";
    let server = read(&format!("{}{names}", with(entry, "")));
    let patterns: Vec<String> = server.sensitive().iter().map(|grant| format!("{}: {}", grant.target, grant.sensitive.join(" "))).collect();
    assert_eq!(patterns, ["app: /* /shared/token", "names: *.example.com.", "app: /next/*"]);
}

#[test]
fn what_is_not_served_has_its_reason() {
    let mut server = read(&with(ENTRY, "repositories:\n  - {name: own, forge: work, project: platform/app-own, grants: [{target: app, units: [/app-taken/db]}]}\n"));
    let entry = server.forges["work"].discover[0].clone();
    assert_eq!(entry.takes("other", false), Err(NotServed::NotAllowed));
    assert_eq!(entry.takes("deep/app-x", false), Err(NotServed::NotAllowed), "`*` is no `/`");
    assert_eq!(entry.takes("app-old", false), Err(NotServed::Denied));
    assert_eq!(entry.takes("app-one", true), Err(NotServed::Archived));
    assert_eq!(serve(&mut server, "platform/app-own"), Err(NotServed::Configured("own".into())));
    assert_eq!(serve(&mut server, "platform/app-one*"), Err(NotServed::Name));
    // One tenant never gets what another has, whoever names the repository.
    let Err(NotServed::Granted(why)) = serve(&mut server, "platform/app-taken") else { panic!("it reaches another's key") };
    assert_eq!(why, "it would be granted `/app-taken/*` of `app`, and `own` is granted some of that");
    serve(&mut server, "platform/app-one").unwrap();
    let Err(NotServed::Granted(_)) = serve(&mut server, "platform/sub/app-one") else { panic!("two of one name reach one key") };
    assert_eq!(server.repositories.iter().filter(|of| of.found).count(), 2);
}

#[test]
fn an_entry_that_would_give_all_the_same_is_refused_with_its_place() {
    insta::assert_snapshot!(refused(&with(
        "      - {group: platform, allow: [\"*\"], grants: [{target: app, units: [/shop/*]}]}\n      - {group: \"a b\", allow: [], grants: [{target: ap, shared: true}]}\n      - {group: x, allow: [\"[\"], approvers: [\"@nobody\"]}\n",
        ""
    )));
}

#[test]
fn branches_of_one_that_is_found_are_granted_no_unit_twice_and_forges_are_not_asked_all_the_time() {
    let told = refused(&with(
        "      - group: platform\n        allow: [\"*\"]\n        grants: [{target: app, units: [\"/{repo}/*\"]}]\n        branches:\n          - {name: production, grants: [{target: app, units: [\"/{repo}/db\"]}]}\n    discover_every: 0s\n",
        "",
    ));
    assert!(told.contains("it would be granted `/{repo}/db` of `app`, and `platform/{repo}` is granted some of that"), "{told}");
    assert!(told.contains("write 1s or more"), "{told}");
}

#[test]
fn a_group_that_is_asked_on_two_forges_says_whose_its_people_are_where_one_finds_its_repositories() {
    let more = "  home: {kind: gitea, url: https://home.example.com, token: {env: T}}\nrepositories:\n  - {name: own, forge: home, project: o/own, approvers: [\"@sre\"]}\ngroups:\n  sre: [ana]\n";
    let told = refused(&with("      - {group: platform, allow: [\"*\"], approvers: [\"@sre\"], grants: [{target: app, units: [\"/{repo}/*\"]}]}\n", more));
    assert!(told.contains("`ana` may be one person on `home` and another on `work`"), "{told}");
}
