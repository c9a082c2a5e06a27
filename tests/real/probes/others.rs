//! TCP and DNS probes, deadlines, and many at once.

use super::ask::{ask, bad, good, nothing, probe, reaching};
use crate::harness::{DnsServer, Site, free_port};
use serde_json::json;
use std::sync::Arc;
use trueup::{drivers::probes::Asker, ports::Probes};

const LOOP: &[&str] = &["127.0.0.0/8"];

#[tokio::test]
async fn a_port_takes_a_connection_or_not() {
    let site = Site::start();
    good(ask(reaching(LOOP), json!({ "tcp": site.addr.to_string() })).await);
    assert!(bad(ask(reaching(LOOP), json!({ "tcp": format!("127.0.0.1:{}", free_port()) })).await).contains("takes no connection"));
    assert!(nothing(ask(reaching(LOOP), json!({ "tcp": "no-such-name.invalid:80" })).await).contains("does not resolve"));
}

#[tokio::test]
async fn a_name_server_answers_exactly_what_is_expected() {
    let dns = DnsServer::bind();
    let zone = dns.fresh_zone("www 300 IN A 192.0.2.1\nwww 300 IN A 192.0.2.2\nalias 300 IN CNAME www\ntxt 300 IN TXT \"a b\"");
    let rule = |name: &str, kind: &str, expect: &[&str]| json!({ "dns": { "server": dns.addr.to_string(), "name": format!("{name}.{zone}"), "type": kind, "expect": expect } });
    good(ask(reaching(LOOP), rule("www", "A", &["192.0.2.2", "192.0.2.1"])).await);
    good(ask(reaching(LOOP), rule("www", "A", &[])).await);
    good(ask(reaching(LOOP), rule("alias", "A", &["192.0.2.1", "192.0.2.2"])).await);
    good(ask(reaching(LOOP), rule("txt", "TXT", &["\"a b\""])).await);
    assert!(bad(ask(reaching(LOOP), rule("www", "A", &["192.0.2.1"])).await).contains("answers 192.0.2.1, 192.0.2.2"));
    assert!(bad(ask(reaching(LOOP), rule("gone", "A", &["192.0.2.1"])).await).contains("has no A of gone"));
    assert!(bad(ask(reaching(LOOP), rule("www", "AAAA", &[])).await).contains("has no AAAA"));
    let foreign = json!({ "dns": { "server": dns.addr.to_string(), "name": "www.not-served.test.", "type": "A" } });
    assert!(nothing(ask(reaching(LOOP), foreign).await).contains("check that it serves this name"));
}

#[tokio::test]
async fn each_probe_ends_within_its_own_time_beside_others_that_hang() {
    let site = Site::start();
    site.hangs("/slow");
    site.says("/fast", 200, "ok");
    let asker = Arc::new(Asker::new(reaching(LOOP)).expect("sound"));
    let slow = probe(json!({ "http": { "url": site.url("/slow") }, "timeout": "1d" }));
    let hung: Vec<_> = (0..7)
        .map(|_| {
            let (asker, slow) = (asker.clone(), slow.clone());
            tokio::spawn(async move { asker.ask(&slow).await })
        })
        .collect();
    // Seven of eight turns are taken for a day; the eighth serves the rest.
    for _ in 0..20 {
        good(asker.ask(&probe(json!({ "http": { "url": site.url("/fast") } }))).await);
    }
    hung.into_iter().for_each(|one| one.abort());
}
