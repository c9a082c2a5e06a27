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
    let (open, inner) = (Site::start_at("127.0.0.2"), Site::start());
    inner.says("/secret", 200, "ok");
    let config = || reaching(&["127.0.0.2"]);
    let names = || Names::new(&[("localhost", &["127.0.0.1"])]);
    for to in
        [inner.url("/secret"), format!("http://localhost:{}/secret", inner.addr.port()), "http://169.254.169.254/latest/meta-data/".to_owned(), format!("//{}/secret", inner.addr)]
    {
        open.leads("/", &to);
        let said = nothing(ask_named(config(), names(), json!({ "http": { "url": open.url("/") } })).await);
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

/// A configuration that knows one target.
fn of_target(networks: &[&str], host: &str, port: u16) -> Config {
    let allowed = networks.iter().map(|text| text.parse().expect("a network")).collect();
    Config { networks: Networks::new(allowed, vec![(host.to_owned(), port)]), at_once: 8, ..Config::default() }
}

#[tokio::test]
async fn a_target_is_reached_at_its_own_port_alone() {
    let site = Site::start();
    let port = site.addr.port();
    good(ask(of_target(&[], "127.0.0.1", port), json!({ "tcp": site.addr.to_string() })).await);
    for (known, at) in [("127.0.0.1", 1), ("127.0.0.2", port)] {
        assert!(nothing(ask(of_target(&[], known, at), json!({ "tcp": site.addr.to_string() })).await).contains(OUTSIDE));
    }
    let named = |name| json!({ "tcp": format!("{name}:{port}") });
    let names = || Names::new(&[("ns1.test", &["127.0.0.1"]), ("ns2.test", &["127.0.0.1"])]);
    good(ask_named(of_target(&[], "ns1.test", port), names(), named("ns1.test")).await);
    assert!(nothing(ask_named(of_target(&[], "ns1.test", port), names(), named("ns2.test")).await).contains(OUTSIDE), "the name that operators wrote, and no other");
}

#[tokio::test]
async fn a_targets_api_is_no_page_to_ask() {
    let site = Site::start();
    site.says("/v1/kv/password", 200, "hunter2");
    let port = site.addr.port();
    let names = || Names::new(&[("center.test", &["127.0.0.1"]), ("other.test", &["127.0.0.1"])]);
    for known in ["127.0.0.1", "center.test"] {
        for host in ["127.0.0.1", "center.test", "other.test", "[::ffff:127.0.0.1]"] {
            let rule = json!({ "http": { "url": format!("http://{host}:{port}/v1/kv/password") } });
            let said = nothing(ask_named(of_target(&[], known, port), names(), rule.clone()).await);
            assert!(!said.contains("hunter2"), "{said}");
            let asker = Asker::new(of_target(&[], known, port)).expect("sound");
            assert!(asker.fault(&probe(rule)).is_some(), "{host} is refused when it is planned");
        }
    }
    assert_eq!(site.asked("/v1/kv/password"), 0, "nothing forbidden was asked");
}

#[tokio::test]
async fn of_a_targets_api_inside_the_networks_the_status_alone_is_told() {
    let (site, other) = (Site::start(), Site::start_at("127.0.0.2"));
    site.says("/v1/kv/password", 200, "hunter2");
    site.leads("/to", &other.url("/hunter2"));
    other.says("/hunter2", 200, "ok");
    other.leads("/led", &site.url("/v1/kv/password"));
    let port = site.addr.port();
    let names = || Names::new(&[("center.test", &["127.0.0.1"]), ("other.test", &["127.0.0.1"]), ("all.test", &["127.0.0.3"])]);
    let open = |known| of_target(&["127.0.0.0/8"], known, port);
    for known in ["127.0.0.1", "center.test", "all.test"] {
        for host in ["127.0.0.1", "center.test", "other.test", "CENTER.test.", "[::ffff:127.0.0.1]"] {
            let names = || Names::new(&[("center.test", &["127.0.0.1"]), ("center.test.", &["127.0.0.1"]), ("other.test", &["127.0.0.1"]), ("all.test", &["127.0.0.3"])]);
            let url = format!("http://{host}:{port}/v1/kv/password");
            good(ask_named(open(known), names(), json!({ "http": { "url": url } })).await);
            let said = bad(ask_named(open(known), names(), json!({ "http": { "url": url, "status": 404 } })).await);
            assert!(said.contains("answered 200") && !said.contains("hunter2"), "{said}");
            let asked = site.asked("/v1/kv/password");
            for more in [json!({ "contains": "hunter" }), json!({ "json": { "pointer": "/0", "equals": "x" } })] {
                let mut http = json!({ "url": url });
                http.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
                let said = nothing(ask_named(open(known), names(), json!({ "http": http })).await);
                assert!(said.contains("read through grants alone"), "{host}: {said}");
            }
            assert_eq!(site.asked("/v1/kv/password"), asked, "it is not even asked");
        }
    }
    // Where another page leads there it is the same, and where it leads itself nobody follows.
    assert!(nothing(ask_named(open("center.test"), names(), json!({ "http": { "url": other.url("/led"), "contains": "hunter" } })).await).contains("grants alone"));
    let said = bad(ask_named(open("center.test"), names(), json!({ "http": { "url": site.url("/to") } })).await);
    assert!(said.contains("302") && !said.contains("hunter2"), "{said}");
    assert_eq!(other.asked("/hunter2"), 0);
    // A name that nobody can resolve may be the same place.
    assert!(nothing(ask_named(open("gone.test"), names(), json!({ "http": { "url": site.url("/v1/kv/password") } })).await).contains("nobody can tell"));
    // What is said of a target before anything is asked needs no name server.
    let asker = Asker::new(open("center.test")).expect("sound");
    let rule = json!({ "http": { "url": format!("http://center.test:{port}/"), "contains": "hunter" } });
    assert!(asker.fault(&probe(rule)).is_some_and(|(what, advice)| what.contains("grants alone") && advice.contains("status")));
}

#[tokio::test]
async fn what_the_server_itself_speaks_to_is_no_page_either() {
    let store = Site::start();
    store.says("/", 500, "hunter2");
    let allowed = vec!["127.0.0.0/8".parse().expect("a network")];
    let networks = |allowed| Networks::new(allowed, Vec::new()).beside(vec![("127.0.0.1".to_owned(), store.addr.port())]);
    let config = |allowed| Config { networks: networks(allowed), at_once: 8, ..Config::default() };
    let said = bad(ask(config(allowed), json!({ "http": { "url": store.url("/") } })).await);
    assert!(said.contains("500") && !said.contains("hunter2"), "{said}");
    assert!(nothing(ask(config(Vec::new()), json!({ "tcp": store.addr.to_string() })).await).contains(OUTSIDE), "and no target's: not even a connection goes there");
}
