//! HTTP probes on a real site.

use super::ask::{Names, ask, ask_named, bad, good, nothing, probe, reaching};
use crate::harness::Site;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::json;
use std::sync::Arc;
use trueup::{
    drivers::probes::{Asker, Authority, Config},
    ports::Probes,
};

/// Signed by itself, for 127.0.0.1 and `site.test`; good for a hundred years and for nothing but this.
const CERTIFICATE: &[u8] = include_bytes!("cert.pem");
const KEY: &[u8] = include_bytes!("key.pem");

const LOOP: &[&str] = &["127.0.0.0/8"];

fn tls() -> Site {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], key))
        .expect("they fit");
    Site::start_tls(Arc::new(config))
}

#[tokio::test]
async fn status_text_and_json_must_all_be_right() {
    let site = Site::start();
    site.says("/healthz", 200, r#"{"db": "up", "ready": true, "queue": {"length": 3}}"#);
    let rule = |more: serde_json::Value| {
        let mut http = json!({ "url": site.url("/healthz") });
        http.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "http": http })
    };
    assert_eq!(good(ask(reaching(LOOP), rule(json!({}))).await), format!("{} answered 200 OK", site.url("/healthz")));
    for fits in [
        json!({ "contains": "\"db\": \"up\"" }),
        json!({ "json": { "pointer": "/db", "equals": "up" } }),
        json!({ "json": { "pointer": "/ready", "equals": "true" } }),
        json!({ "json": { "pointer": "/queue/length", "equals": "3" } }),
        json!({ "method": "HEAD" }),
    ] {
        good(ask(reaching(LOOP), rule(fits)).await);
    }
    for (wrong, says) in [
        (json!({ "status": 204 }), "answered 200 OK: \""),
        (json!({ "contains": "down" }), "holds no \"down\""),
        (json!({ "json": { "pointer": "/db", "equals": "down" } }), "has \"up\" at \"/db\""),
        (json!({ "json": { "pointer": "/nothing", "equals": "x" } }), "has nothing at \"/nothing\""),
    ] {
        let said = bad(ask(reaching(LOOP), rule(wrong)).await);
        assert!(said.contains(says), "{said}");
    }
    site.says("/healthz", 500, "oops");
    assert!(bad(ask(reaching(LOOP), rule(json!({}))).await).contains("answered 500 Internal Server Error: \"oops\""));
    site.says("/healthz", 200, "no json");
    assert!(bad(ask(reaching(LOOP), rule(json!({ "json": { "pointer": "", "equals": "x" } }))).await).contains("no JSON: \"no json\""));
}

#[tokio::test]
async fn what_an_answer_holds_is_quoted_short_and_escaped() {
    let site = Site::start();
    site.says("/", 500, &format!("\x1b[2Jline\r\n</code><img>{}", "x".repeat(5_000_000)));
    let said = bad(ask(reaching(LOOP), json!({ "http": { "url": site.url("/") } })).await);
    assert!(said.chars().count() < 260 && !said.chars().any(char::is_control), "{said}");
}

#[tokio::test]
async fn redirects_are_followed_to_their_end_and_no_further_than_five() {
    let site = Site::start();
    site.says("/end", 200, "here");
    site.leads("/1", "/2");
    site.leads("/2", &site.url("/end"));
    site.leads("/loop", "/loop");
    good(ask(reaching(LOOP), json!({ "http": { "url": site.url("/1"), "contains": "here" } })).await);
    assert!(bad(ask(reaching(LOOP), json!({ "http": { "url": site.url("/loop") } })).await).contains("more than 5 times"));
    assert_eq!(site.asked("/loop"), 6);
    // Whoever asks for the redirect itself gets it.
    good(ask(reaching(LOOP), json!({ "http": { "url": site.url("/1"), "status": 302 } })).await);
}

#[tokio::test]
async fn an_address_named_beside_the_url_is_asked_for_the_urls_host() {
    let (here, there) = (Site::start_at("127.0.0.2"), Site::start_at("127.0.0.3"));
    here.says("/healthz", 200, "here");
    there.says("/healthz", 500, "there");
    let port = here.addr.port();
    // Nothing is looked up: no name is known at all.
    let asked = |at: &str, path: &str| json!({ "http": { "url": format!("http://www.test:{port}{path}"), "at": at } });
    let said = good(ask_named(reaching(LOOP), Names::new(&[]), asked("127.0.0.2", "/healthz")).await);
    assert_eq!(said, format!("http://www.test:{port}/healthz at 127.0.0.2 answered 200 OK"));
    assert_eq!(here.hosts(), [format!("www.test:{port}")], "it is asked for the name, at the address");
    // The other address is another listener, or none.
    let said = bad(ask_named(reaching(LOOP), Names::new(&[]), asked("127.0.0.4", "/healthz")).await);
    assert!(said.contains("at 127.0.0.4 takes no connection"), "{said}");
    // A redirect stays at the address while it stays at the name, and is not followed away from it.
    here.leads("/on", "/healthz");
    here.leads("/away", &there.url("/healthz"));
    good(ask_named(reaching(LOOP), Names::new(&[]), asked("127.0.0.2", "/on")).await);
    let said = bad(ask_named(reaching(LOOP), Names::new(&[]), asked("127.0.0.2", "/away")).await);
    assert!(said.contains("answered 302") && there.asked("/healthz") == 0, "{said}");
    // Another name is looked up and judged; the URL's own is neither.
    let names = || Names::new(&[("web.test", &["127.0.0.2"]), ("www.test", &["127.0.0.3"])]);
    good(ask_named(reaching(&["127.0.0.2"]), names(), asked("web.test", "/healthz")).await);
    let said = nothing(ask_named(reaching(&["127.0.0.3"]), names(), asked("127.0.0.2", "/healthz")).await);
    assert!(said.contains("127.0.0.2 is outside the networks"), "{said}");
    let asker = Asker::new(reaching(&["127.0.0.3"])).expect("sound");
    assert!(asker.fault(&probe(asked("127.0.0.2", "/healthz"))).is_some_and(|(what, _)| what.contains("127.0.0.2")), "and refused when it is planned");
    // An address in the URL cannot be asked at another: a client would go there.
    let rule = json!({ "http": { "url": there.url("/healthz"), "at": "127.0.0.2" } });
    let said = nothing(ask_named(reaching(LOOP), Names::new(&[]), rule).await);
    assert!(said.contains("is an address already") && there.asked("/healthz") == 0, "{said}");
}

#[tokio::test]
async fn a_certificate_must_be_for_the_urls_host_wherever_it_is_asked() {
    let site = tls();
    site.says("/", 200, "ok");
    let trusting = || Config { authority: Some(Authority(CERTIFICATE.to_vec())), ..reaching(LOOP) };
    let asked = |host: &str| json!({ "http": { "url": format!("https://{host}:{}/", site.addr.port()), "at": "127.0.0.1" } });
    good(ask(trusting(), asked("site.test")).await);
    let said = bad(ask(trusting(), asked("other.test")).await);
    assert!(said.contains("takes no connection"), "{said}");
}

#[tokio::test]
async fn a_site_that_is_gone_is_wrong_and_one_that_is_silent_tells_nothing() {
    let site = Site::start();
    site.hangs("/slow");
    let said = nothing(ask(reaching(LOOP), json!({ "http": { "url": site.url("/slow") }, "timeout": "300ms" })).await);
    assert_eq!(said, "no answer within 300ms");
    let url = site.url("/");
    drop(site);
    let closed = crate::harness::free_port();
    let said = bad(ask(reaching(LOOP), json!({ "http": { "url": format!("http://127.0.0.1:{closed}/") } })).await);
    assert!(said.contains("takes no connection"), "{url}: {said}");
}

#[tokio::test]
async fn a_certificate_is_verified_and_an_authority_of_the_configuration_counts() {
    let site = tls();
    site.says("/", 200, "ok");
    let url = format!("https://{}/", site.addr);
    let rule = json!({ "http": { "url": url } });
    let said = bad(ask(reaching(LOOP), rule.clone()).await);
    assert!(said.contains("certificate") || said.contains("UnknownIssuer"), "{said}");
    let trusting = Config { authority: Some(Authority(CERTIFICATE.to_vec())), ..reaching(LOOP) };
    good(ask(trusting, rule).await);
    // The name must be the certificate's too.
    let trusting = Config { authority: Some(Authority(CERTIFICATE.to_vec())), ..reaching(LOOP) };
    bad(ask_named(trusting, Names::new(&[("other.test", &["127.0.0.1"])]), json!({ "http": { "url": format!("https://other.test:{}/", site.addr.port()) } })).await);
}
