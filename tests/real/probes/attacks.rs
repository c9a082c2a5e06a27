//! Attacks on what a probe may reach: every one ends in a sentence, and nothing is asked.

use super::ask::{Names, ask, ask_named, bad, good, nothing, probe, reaching};
use crate::harness::Site;
use serde_json::json;
use trueup::{
    drivers::probes::{Asker, Config, Networks},
    ports::Probes,
};

/// A network that no site of these tests is in.
const OTHER: &[&str] = &["192.0.2.0/24"];
const OUTSIDE: &str = "outside the networks that probes may reach";

#[tokio::test]
async fn a_redirect_to_a_forbidden_network_is_not_followed() {
    let (open, inner) = (Site::start(), Site::start());
    inner.says("/secret", 200, "ok");
    // The site itself is a configured target, so it is reached; where it leads is not.
    let config = || Config { networks: Networks::new(Vec::new(), vec![("127.0.0.1".to_owned(), open.addr.port())]), at_once: 8, ..Config::default() };
    for to in
        [inner.url("/secret"), format!("http://localhost:{}/secret", inner.addr.port()), "http://169.254.169.254/latest/meta-data/".to_owned(), format!("//{}/secret", inner.addr)]
    {
        open.leads("/", &to);
        let said = nothing(ask(config(), json!({ "http": { "url": open.url("/") } })).await);
        assert!(said.contains(OUTSIDE), "{to}: {said}");
    }
    open.leads("/", "file:///etc/passwd");
    assert!(nothing(ask(config(), json!({ "http": { "url": open.url("/") } })).await).contains("neither http nor https"));
    assert_eq!(inner.asked("/secret"), 0, "nothing forbidden was asked");
}

#[tokio::test]
async fn a_name_whose_second_answer_differs_reaches_what_was_judged() {
    let site = Site::start();
    site.says("/", 200, "inner");
    // The first answer is allowed and nobody is there; the second is the forbidden site. Only the first is ever connected to.
    let names = Names::new(&[("rebind.test", &["192.0.2.1", "127.0.0.1"])]);
    let rule = json!({ "http": { "url": format!("http://rebind.test:{}/", site.addr.port()) }, "timeout": "500ms" });
    let saw = ask_named(reaching(OTHER), names, rule).await;
    assert!(!matches!(saw, trueup::core::model::Saw::Good(_)), "{saw:?}");
    // The other way round it is judged again at the redirect.
    site.leads("/to", &format!("http://rebind.test:{}/", site.addr.port()));
    let names = Names::new(&[("rebind.test", &["127.0.0.1", "10.0.0.1"])]);
    let said = nothing(ask_named(reaching(&["127.0.0.0/8"]), names, json!({ "http": { "url": format!("http://rebind.test:{}/to", site.addr.port()) } })).await);
    assert!(said.contains(OUTSIDE) && said.contains("10.0.0.1"), "{said}");
    assert_eq!(site.asked("/"), 0);
}

#[tokio::test]
async fn an_address_is_judged_however_it_is_written() {
    let site = Site::start();
    site.says("/", 200, "inner");
    let port = site.addr.port();
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0x7f.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::1]",
        "0.0.0.0",
        "0",
        "[::]",
        "[64:ff9b::7f00:1]",
        "%31%32%37.0.0.1",
        "127。0。0。1",
    ] {
        let rule = json!({ "http": { "url": format!("http://{host}:{port}/") } });
        for open in [OTHER, &["0.0.0.0/0", "::/0"]] {
            let said = nothing(ask(reaching(open), rule.clone()).await);
            assert!(said.contains(OUTSIDE), "{host} with {open:?}: {said}");
            let asker = Asker::new(reaching(open)).expect("sound");
            assert!(asker.fault(&probe(rule.clone())).is_some(), "{host} is refused when it is planned");
        }
    }
    for host in ["localhost", "localhost.", "LOCALHOST", "foo.localhost"] {
        let names = Names::new(&[("localhost", &["127.0.0.1"]), ("localhost.", &["127.0.0.1"]), ("foo.localhost", &["127.0.0.1"])]);
        let said = nothing(ask_named(reaching(&["0.0.0.0/0", "::/0"]), names, json!({ "http": { "url": format!("http://{host}:{port}/") } })).await);
        assert!(said.contains(OUTSIDE), "{host}: {said}");
    }
    assert_eq!(site.asked("/"), 0, "nothing forbidden was asked");
    for host in ["127.0.0.1", "2130706433", "[::ffff:127.0.0.1]"] {
        good(ask(reaching(&["127.0.0.0/8"]), json!({ "http": { "url": format!("http://{host}:{port}/") } })).await);
    }
}

#[tokio::test]
async fn tcp_and_dns_are_judged_the_same_way() {
    let site = Site::start();
    let port = site.addr.port();
    for rule in [
        json!({ "tcp": site.addr.to_string() }),
        json!({ "tcp": format!("[::ffff:127.0.0.1]:{port}") }),
        json!({ "dns": { "server": site.addr.to_string(), "name": "a.test.", "type": "A" } }),
    ] {
        let said = nothing(ask(reaching(&["0.0.0.0/0", "::/0"]), rule).await);
        assert!(said.contains(OUTSIDE), "{said}");
    }
    let names = Names::new(&[("inner.test", &["127.0.0.1"])]);
    let said = nothing(ask_named(reaching(OTHER), names, json!({ "tcp": format!("inner.test:{port}") })).await);
    assert!(said.contains("inner.test") && said.contains("127.0.0.1"), "both are named: {said}");
}

#[tokio::test]
async fn a_user_in_a_url_is_never_sent() {
    let site = Site::start();
    site.says("/", 200, "ok");
    site.leads("/to", &format!("http://user:hunter2@{}/", site.addr));
    for url in [format!("http://user:hunter2@{}/", site.addr), site.url("/to")] {
        let said = nothing(ask(reaching(&["127.0.0.0/8"]), json!({ "http": { "url": url } })).await);
        assert!(said.contains("user or a password") && !said.contains("hunter2"), "{said}");
    }
    assert_eq!(site.asked("/"), 0);
}

#[tokio::test]
async fn a_target_is_reached_at_its_own_port_alone() {
    let site = Site::start();
    site.says("/", 200, "ok");
    let config = |port| Config { networks: Networks::new(Vec::new(), vec![("127.0.0.1".to_owned(), port)]), at_once: 8, ..Config::default() };
    good(ask(config(site.addr.port()), json!({ "http": { "url": site.url("/") } })).await);
    nothing(ask(config(1), json!({ "http": { "url": site.url("/") } })).await);
    assert!(bad(ask(config(site.addr.port()), json!({ "http": { "url": site.url("/none") } })).await).contains("404"));
}
