//! The fake forge itself, as a client sees it: its answers are GitHub's, and what GitHub does not describe fails.

use super::fake::{FakeForge, Fault, Role, Wire};
use serde_json::{Value, json};

async fn furnished() -> FakeForge {
    let forge = FakeForge::start(Wire::GitHub).await;
    forge.project("platform/dns", &[("ada", Role::Write), ("grace", Role::Maintain), ("trueup", Role::Write)], &[("zone", "1\n")]);
    forge.push("platform/dns", "ada", "mr", &[("zone", "2\n")]);
    forge.open("platform/dns", "ada", "mr", "Move www");
    forge
}

async fn call(forge: &FakeForge, method: &str, path: &str, body: Option<Value>) -> (u16, reqwest::header::HeaderMap, Value) {
    let mut request = reqwest::Client::new().request(method.parse().unwrap(), format!("{}{path}", forge.api())).bearer_auth("trueup-token");
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, answer.json().await.unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_is_told_as_github_tells_it_and_merged_only_at_its_head() {
    let forge = furnished().await;
    let (status, _, all) = call(&forge, "GET", "/repos/platform/dns/pulls?state=all&sort=updated&direction=desc&per_page=100", None).await;
    assert_eq!((status, all[0]["number"].clone(), all[0]["head"]["ref"].clone()), (200, json!(1), json!("mr")));
    let head = all[0]["head"]["sha"].as_str().unwrap().to_owned();
    for (what, path) in [
        ("the request", "/repos/platform/dns/pulls/1"),
        ("commits", "/repos/platform/dns/pulls/1/commits"),
        ("reviews", "/repos/platform/dns/pulls/1/reviews"),
        ("comments", "/repos/platform/dns/issues/1/comments"),
        ("events", "/repos/platform/dns/issues/1/events"),
        ("permission", "/repos/platform/dns/collaborators/grace/permission"),
        ("activity", "/repos/platform/dns/activity?ref=refs%2Fheads%2Fmr"),
        ("repository", "/repos/platform/dns"),
        ("base", "/repos/platform/dns/git/ref/heads/main"),
        ("statuses", &format!("/repos/platform/dns/commits/{head}/statuses")),
        ("check runs", &format!("/repos/platform/dns/commits/{head}/check-runs")),
    ] {
        assert_eq!(call(&forge, "GET", path, None).await.0, 200, "{what}");
    }
    let merge = "/repos/platform/dns/pulls/1/merge";
    let (status, _, said) = call(&forge, "PUT", merge, Some(json!({ "sha": "0".repeat(40) }))).await;
    assert_eq!((status, said["message"].as_str().unwrap()), (409, "Head branch was modified. Review and try the merge again."));
    let (status, _, said) = call(&forge, "PUT", merge, Some(json!({ "sha": head, "merge_method": "merge" }))).await;
    assert_eq!((status, said["merged"].clone()), (200, json!(true)));
    assert_eq!(forge.file("platform/dns", "main", "zone").unwrap(), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_change_is_told_in_no_body_and_costs_nothing() {
    let forge = furnished().await;
    let (_, headers, _) = call(&forge, "GET", "/repos/platform/dns/pulls", None).await;
    let tag = headers["etag"].to_str().unwrap().to_owned();
    let url = format!("{}/repos/platform/dns/pulls", forge.api());
    let again = || reqwest::Client::new().get(&url).bearer_auth("trueup-token").header("if-none-match", &tag).send();
    let left = forge.state().calls_left;
    assert_eq!(again().await.unwrap().status().as_u16(), 304);
    assert_eq!(forge.state().calls_left, left);
    forge.comment("platform/dns", 1, "ada", "hello");
    // A second later at most it is told that it changed.
    forge.state().request_mut("platform/dns", 1).updated += 1000;
    assert_eq!(again().await.unwrap().status().as_u16(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_fails_when_told_to_before_or_after_it_did_what_was_asked() {
    let forge = furnished().await;
    let comments = "/repos/platform/dns/issues/1/comments";
    forge.fail(Fault::status(502).on("POST", "/comments").once().done_first());
    assert_eq!(call(&forge, "POST", comments, Some(json!({ "body": "once" }))).await.0, 502);
    assert_eq!(call(&forge, "GET", comments, None).await.2.as_array().unwrap().len(), 1, "it was done");
    forge.fail(Fault::too_fast(7).on("POST", "/comments"));
    let (status, headers, _) = call(&forge, "POST", comments, Some(json!({ "body": "twice" }))).await;
    assert_eq!((status, headers["retry-after"].to_str().unwrap()), (403, "7"));
    assert_eq!(call(&forge, "GET", comments, None).await.2.as_array().unwrap().len(), 1, "it was not done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_vendor_does_not_describe_fails_the_test() {
    for (method, path, body, wrong) in [
        ("GET", "/repos/platform/dns/pulls/1/threads", None, "get /repos/platform/dns/pulls/1/threads is not described"),
        ("GET", "/repos/platform/dns/pulls?status=open", None, "no query parameter `status`"),
        ("GET", "/repos/platform/dns/pulls?state=merged", None, "?state"),
        ("PUT", "/repos/platform/dns/pulls/1/merge", Some(json!({ "head": "1" })), "'head'"),
        ("POST", "/repos/platform/dns/issues/1/comments", Some(json!({})), "\"body\" is a required property"),
    ] {
        let forge = furnished().await;
        let (status, _, said) = call(&forge, method, path, body).await;
        assert_eq!(status, 400, "{method} {path}");
        assert!(said["message"].as_str().unwrap().contains(wrong), "{method} {path}: {said}");
        assert_eq!(forge.wrong().len(), 1, "{method} {path}: nobody noticed");
    }
}
