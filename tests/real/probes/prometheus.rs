//! Prometheus probes on a real Prometheus.

use super::ask::{ask, bad, good, nothing, reaching};
use crate::harness::{Prometheus, Site, wait_for};
use serde_json::json;
use std::time::Duration;
use trueup::drivers::probes::{self, Config};

fn asking(url: String) -> Config {
    Config { prometheus: [("main".to_owned(), probes::Prometheus { url, token: None })].into(), ..reaching(&[]) }
}

fn rule(query: &str, test: &str) -> serde_json::Value {
    json!({ "prometheus": { "server": "main", "query": query, "test": test } })
}

#[tokio::test]
async fn one_number_is_compared_and_everything_else_is_told() {
    let prometheus = Prometheus::start();
    prometheus.measures("errors_ratio 0.5\nrequests{code=\"200\"} 90\nrequests{code=\"500\"} 10\n");
    assert!(wait_for(Duration::from_secs(60), || prometheus.query("errors_ratio").contains("0.5")), "it is scraped: {}", prometheus.query("errors_ratio"));
    let now = async |query: &str, test: &str| ask(asking(prometheus.url()), rule(query, test)).await;
    assert_eq!(good(now("errors_ratio", "< 0.6").await), "it is 0.5");
    assert_eq!(bad(now("errors_ratio", "< 0.01").await), "it is 0.5, and must be < 0.01");
    good(now("scalar(errors_ratio)", "== 0.5").await);
    good(now("sum(requests)", ">= 100").await);
    good(now("vector(1) / 0", "> 5").await);
    // No number tells nothing.
    assert!(nothing(now("vector(0) / vector(0)", "< 1").await).contains("NaN"));
    assert!(nothing(now("no_such_metric", "< 1").await).contains("finds no series"));
    // What can never be one number is wrong.
    assert!(bad(now("requests", "< 1").await).contains("finds 2 series"));
    assert!(bad(now("errors_ratio[1m]", "< 1").await).contains("\"matrix\", not a number"));
    assert!(bad(now("\"text\"", "< 1").await).contains("\"string\", not a number"));
    assert!(bad(now("sum(", "< 1").await).contains("does not take the query"));
}

#[tokio::test]
async fn a_prometheus_that_is_away_or_is_none_tells_nothing() {
    let closed = crate::harness::free_port();
    assert!(nothing(ask(asking(format!("http://127.0.0.1:{closed}")), rule("up", "> 0")).await).contains("no answer"));
    let site = Site::start();
    for (status, body) in [(200, "hello"), (503, "busy"), (200, "{\"status\": \"error\", \"error\": \"loading\"}"), (422, "{\"status\": \"error\", \"error\": \"timed out\"}")] {
        site.says("/api/v1/query", status, body);
        nothing(ask(asking(site.url("")), rule("up", "> 0")).await);
    }
    site.leads("/api/v1/query", "http://127.0.0.1:1/");
    nothing(ask(asking(site.url("")), rule("up", "> 0")).await);
    site.says("/api/v1/query", 200, "{\"status\": \"success\"}");
    assert!(bad(ask(asking(site.url("")), rule("up", "> 0")).await).contains("is that a Prometheus?"));
    let missing = nothing(ask(reaching(&[]), rule("up", "> 0")).await);
    assert_eq!(missing, "the server has no Prometheus `main`; the server's operators can add it under `probes.prometheus`");
}
