//! A real Gitea beside other real systems: a name server and an etcd in one pull request, and a Gitea behind TLS of one's own.

use super::town::{Made, Town};
use crate::harness::{EtcdServer, GiteaServer};

#[test]
fn one_pull_request_moves_a_name_and_a_key_and_merges_when_both_hold_it() {
    let etcd = EtcdServer::open(&[]);
    etcd.put("/app/url", b"http://old.example/");
    let town = Town::made(Made {
        grants: "      - target: center\n        units: [\"/app/*\"]\n",
        targets: format!("  center:\n    kind: config/etcd\n    endpoints: [\"http://{}\"]\n", etcd.addr),
        sources: "  - path: center\n    format: keytree\n    targets: [center]\n    prefix: /app/\n",
        files: &[("center/url", "http://old.example/")],
        ..Made::default()
    });
    let key = || etcd.all().into_iter().find(|(key, _)| key == "/app/url").map(|(_, value)| String::from_utf8_lossy(&value).into_owned()).unwrap_or_default();
    town.push("move-both", "192.0.2.121");
    let head = town.add("move-both", "center/url", "http://new.example/");
    let number = town.open("move-both", "move-both");
    town.until_asked(number);
    let plan = town.sticky(number);
    assert!(plan.contains("192.0.2.121") && plan.contains("http://new.example/"), "both stand in one plan: {plan}");
    assert_eq!(key(), "http://old.example/");
    town.approve(number, "ben");
    town.until_phase(number, "merged");
    assert!(town.live().iter().any(|line| line.ends_with("A 192.0.2.121")));
    assert_eq!(key(), "http://new.example/");
    town.until("the last status", |town| town.status(&head, "trueup/converged").0 == "success");
    assert!(town.main_holds("192.0.2.121"));
}

#[test]
fn a_gitea_behind_an_authority_of_ones_own_is_reached_with_its_ca_and_not_without() {
    let gitea = GiteaServer::sealed();
    let ca = gitea.ca.as_ref().expect("it has one").display().to_string();
    let mut town = Town::made(Made { gitea, direct: true, ..Made::default() });
    town.until("the refusal", |town| town.log().contains("certificate"));
    let (number, _) = town.propose("move-www", "192.0.2.122");
    assert!(town.show(number).is_null(), "nobody who is not vouched for is believed");
    town.reconfigure("    kind: gitea\n", &format!("    kind: gitea\n    ca: {ca}\n"));
    town.until_asked(number);
    town.approve(number, "ben");
    town.until_phase(number, "merged");
    assert!(town.main_holds("192.0.2.122"));
}
