//! The HTTP surface as programs, browsers and operators meet it.

use super::world::World;
use reqwest::{
    Client, Method, Response, StatusCode,
    header::{COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE},
    redirect,
};
use serde_json::{Value, json};
use std::time::Duration;

/// A browser or program in front of a server.
struct Wire {
    http: Client,
    base: String,
}

impl Wire {
    fn to(world: &World) -> Self {
        // No connection is used twice: a server that refuses a body closes the connection it came on.
        let http = Client::builder().no_proxy().pool_max_idle_per_host(0).redirect(redirect::Policy::none()).build().expect("a client");
        Self { http, base: format!("http://127.0.0.1:{}", world.port) }
    }

    async fn call(&self, method: Method, path: &str, headers: &[(HeaderName, &str)], body: Option<String>) -> Response {
        let headers: HeaderMap = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).expect("plain text"))).collect();
        let request = self.http.request(method, format!("{}{path}", self.base)).headers(headers);
        let request = if let Some(body) = body { request.body(body) } else { request };
        request.send().await.expect("the server answers")
    }

    /// As ana, who writes the repository; the status and the answer.
    async fn ana(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let response = self.call(method, &format!("/api/v1{path}"), &[(reqwest::header::AUTHORIZATION, "Bearer ana-token")], body.map(|body| body.to_string())).await;
        let status = response.status();
        (status, response.json().await.unwrap_or_default())
    }

    async fn text(&self, path: &str) -> (StatusCode, String) {
        let response = self.call(Method::GET, path, &[], None).await;
        (response.status(), response.text().await.expect("text"))
    }
}

/// A world with one merge request that waits for its approval.
fn waiting() -> (World, u64) {
    let world = World::start();
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    (world, number)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_documented_route_wants_a_token_and_says_so_in_json() {
    let world = tokio::task::spawn_blocking(World::start).await.expect("starts");
    let wire = Wire::to(&world);
    let (status, document) = wire.text("/api/v1/openapi.json").await;
    assert_eq!(status, StatusCode::OK);
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let mut routes = 0;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let path = path.replace("{repo}", "dns").replace("{number}", "1").replace("{commit}", "0");
        for method in operations.as_object().expect("operations").keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            for headers in [&[][..], &[(reqwest::header::AUTHORIZATION, "Bearer guess")], &[(COOKIE, "trueup_session=guess")]] {
                let response = wire.call(method.clone(), &path, headers, None).await;
                assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
                assert!(response.headers().contains_key("x-request-id"), "{method} {path}");
                let said: Value = response.json().await.expect("JSON");
                assert!(said["error"].is_string() && said["advice"].as_str().is_some_and(|advice| advice.contains("TRUEUP_TOKEN")), "{said}");
            }
            routes += 1;
        }
    }
    assert!(routes >= 20, "{routes} routes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_makes_no_sense_changes_nothing_and_says_what_would() {
    let (world, number) = tokio::task::spawn_blocking(waiting).await.expect("starts");
    let wire = Wire::to(&world);
    let mr = format!("/repos/dns/mrs/{number}");
    let head = "0123456789012345678901234567890123456789";
    for (method, path, body, status, error) in [
        (Method::POST, "/repos/dns/mrs".into(), json!({ "source": "x", "title": "t", "colour": 1 }), 400, "unknown field `colour`"),
        (Method::POST, "/repos/dns/mrs".into(), json!({ "title": "t" }), 400, "missing field `source`"),
        (Method::POST, "/repos/dns/mrs".into(), json!({ "source": "x", "title": "t".repeat(2 << 20) }), 413, "length limit exceeded"),
        (Method::POST, "/repos/none/mrs".into(), json!({ "source": "x", "title": "t" }), 404, "no such repository"),
        (Method::GET, "/repos/dns/mrs/999".into(), Value::Null, 404, "999"),
        (Method::GET, "/repos/dns/mrs/seven".into(), Value::Null, 404, "no such merge request"),
        (Method::GET, format!("{mr}/plan?format=pdf"), Value::Null, 400, "pdf"),
        (Method::GET, "/nothing".into(), Value::Null, 404, "nothing here"),
        (Method::PUT, mr.clone(), Value::Null, 405, "cannot be done here"),
        (Method::POST, format!("{mr}/commands"), json!({ "command": "paus" }), 400, "paus"),
        (Method::POST, format!("{mr}/commands"), json!({ "command": "pause\n/trueup abort" }), 400, "not one command"),
        (Method::POST, format!("{mr}/approve"), json!({ "digest": "abc" }), 400, "too short"),
        (Method::POST, format!("{mr}/approve"), json!({ "digest": "0".repeat(64) }), 409, "the plan shown now is"),
        (Method::POST, format!("{mr}/approve"), json!({}), 403, "ana wrote or pushed commits"),
        (Method::POST, format!("/repos/dns/statuses/{head}"), json!({ "context": "trueup/plan", "state": "success" }), 400, "trueup/plan"),
        (Method::POST, "/repos/dns/statuses/HEAD".into(), json!({ "context": "ci", "state": "success" }), 400, "not a whole commit id"),
        (Method::POST, "/halt".into(), json!({}), 403, "ana may not halt"),
    ] {
        let body = (!body.is_null()).then_some(body);
        let (got, said) = wire.ana(method.clone(), &path, body).await;
        assert_eq!(got.as_u16(), status, "{method} {path}: {said}");
        assert!(said["error"].as_str().is_some_and(|text| text.contains(error)), "{method} {path}: {said}");
        assert!(said["advice"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}: {said}");
    }
    assert_eq!(world.show(number)["phase"], "awaiting_approval");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_signs_in_with_a_token_and_no_other_site_acts_for_it() {
    let (world, number) = tokio::task::spawn_blocking(waiting).await.expect("starts");
    let wire = Wire::to(&world);
    let form = [(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")];
    let wrong = wire.call(Method::POST, "/login", &form, Some("token=guess&next=/".into())).await;
    assert!(wrong.status() == StatusCode::UNAUTHORIZED && !wrong.headers().contains_key(SET_COOKIE));
    let right = wire.call(Method::POST, "/login", &form, Some("token=ana-token&next=//evil.example/".into())).await;
    assert_eq!(right.headers()["location"], "/", "nobody is sent elsewhere");
    let cookie = right.headers()[SET_COOKIE].to_str().expect("text").split(';').next().expect("a pair").to_owned();
    let page = wire.call(Method::GET, &format!("/changes/dns/{number}"), &[(COOKIE, &cookie)], None).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.headers()["x-frame-options"], "DENY");
    assert!(page.text().await.expect("text").contains("move-www"));
    let close = format!("/api/v1/repos/dns/mrs/{number}/close");
    let elsewhere = wire.call(Method::POST, &close, &[(COOKIE, &cookie), (HeaderName::from_static("sec-fetch-site"), "cross-site")], None).await;
    assert_eq!(elsewhere.status(), StatusCode::FORBIDDEN);
    let here = wire.call(Method::POST, &close, &[(COOKIE, &cookie), (HeaderName::from_static("sec-fetch-site"), "same-origin")], None).await;
    assert_eq!(here.status(), StatusCode::OK);
    wire.call(Method::POST, "/logout", &[(COOKIE, &cookie)], None).await;
    let out = wire.call(Method::GET, "/api/v1/me", &[(COOKIE, &cookie)], None).await;
    assert_eq!(out.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_see_health_and_numbers_without_names_of_repositories() {
    let (world, _) = tokio::task::spawn_blocking(waiting).await.expect("starts");
    let wire = Wire::to(&world);
    assert_eq!(wire.text("/healthz").await, (StatusCode::OK, "ok\n".into()));
    let (status, ready) = wire.text("/readyz").await;
    assert_eq!((status, ready.as_str()), (StatusCode::OK, r#"{"halted":false,"ready":true}"#));
    let invented = reqwest::Method::from_bytes(b"INVENTED").expect("a method");
    reqwest::Client::new().request(invented, format!("http://127.0.0.1:{}/healthz", world.port)).send().await.expect("answers");
    let (status, numbers) = wire.text("/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(!numbers.contains("INVENTED") && numbers.contains("method=\"other\""), "a client's words make no series: {numbers}");
    for line in [
        "trueup_changes{phase=\"awaiting_approval\"} 1",
        "trueup_changes{phase=\"failed\"} 0",
        "trueup_halted 0",
        "trueup_http_requests_total{route=\"/api/v1/repos/{repo}/mrs\",method=\"POST\",status=\"201\"} 1",
    ] {
        assert!(numbers.lines().any(|found| found == line), "{line} is missing in\n{numbers}");
    }
    assert!(!numbers.contains("\"/api/v1/repos/dns"), "{numbers}");
}

#[test]
fn the_command_line_follows_a_change_and_its_exit_codes_say_how_it_ended() {
    let (world, number) = waiting();
    let n = number.to_string();
    let ana = |args: &[&str]| world.trueup("ana", args);
    let listed = ana(&["mr", "list"]).ok();
    assert!(listed.contains(&format!("dns!{n}")) && listed.contains("awaiting_approval"), "{listed}");
    assert_eq!(ana(&["mr", "list", "--phase", "merged", "--json"]).json()["changes"], json!([]));
    let shown = ana(&["mr", "show", &format!("dns!{n}")]).ok();
    assert!(shown.contains("waits for") && shown.contains("192.0.2") || shown.contains("digest"), "{shown}");
    let whole = world.show(number);
    assert!(whole["plan"]["steps"].is_array() && whole["statuses"].is_array() && whole["reasons"].is_array() && whole["version"] == 1, "{whole:#}");
    assert!(ana(&["mr", "plan", &n]).ok().contains("192.0.2.77"));
    assert_eq!(ana(&["mr", "plan", &n, "-o", "json"]).json()["digest"], whole["digest"]);
    assert!(ana(&["mr", "plan", &n, "--way-back"]).ok().contains("192.0.2.1"));
    assert!(ana(&["graph", &n]).ok().starts_with("graph TD\n"));
    assert!(ana(&["status"]).ok().contains("1 awaiting_approval"));
    let journal = ana(&["mr", "journal", &n]).ok();
    assert!(journal.starts_with("when ") && journal.contains("planned: 1 to update"), "{journal}");
    assert!(ana(&["mr", "journal", &n, "--json"]).ok().starts_with('['));
    ana(&["mr", "comment", &n, "looks right"]).ok();
    assert!(ana(&["mr", "show", &n]).ok().contains("looks right"));
    assert_eq!(world.show(number)["comments"].as_array().and_then(|all| all.iter().find(|row| row["body"] == "looks right")).map(|row| row["by"].clone()), Some(json!("ana")));
    let late = ana(&["mr", "wait", &n, "--for", "merged", "--timeout", "1s", "--json"]);
    assert_eq!((late.code, serde_json::from_str::<Value>(&late.out).expect("JSON")["outcome"].clone()), (4, json!("timed_out")));
    ana(&["mr", "close", &n]).ok();
    world.wait(number, "closed");
    let elsewhere = ana(&["mr", "wait", &n, "--for", "merged", "--timeout", "180s", "--json"]);
    assert_eq!((elsewhere.code, serde_json::from_str::<Value>(&elsewhere.out).expect("JSON")["phase"].clone()), (3, json!("closed")));
    let typo = ana(&["mr", "wait", &n, "--for", "merge"]);
    assert!(typo.code == 1 && typo.err.contains("no such phase; there are planning, "), "{}", typo.err);
    let stranger = world.trueup("nobody", &["mr", "list"]);
    assert!(stranger.code == 1 && stranger.err.contains("TRUEUP_TOKEN"), "{}", stranger.err);
}

#[test]
fn whoever_sends_half_a_header_is_sent_away_and_others_are_answered() {
    use std::io::{Read, Write};
    let (world, _) = waiting();
    let mut slow = std::net::TcpStream::connect(("127.0.0.1", world.port)).expect("connects");
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n").expect("sends");
    slow.set_read_timeout(Some(Duration::from_secs(90))).expect("takes a limit");
    assert!(world.trueup("ana", &["status"]).ok().contains("awaiting_approval"));
    let mut said = Vec::new();
    slow.read_to_end(&mut said).expect("the server ends it, not our limit");
    assert!(!String::from_utf8_lossy(&said).contains("200 OK"));
}
