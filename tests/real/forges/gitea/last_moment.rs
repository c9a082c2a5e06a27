//! What happens between our last look and Gitea's own merge: somebody pushes right before it is passed on.

use super::house::{House, driver_by};
use crate::forges::world::{ForgeWorld, Hands, run};
use axum::{body::to_bytes, extract::Request, response::Response};
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use trueup::{core::run::MergeAnswer, ports::ForgeWriter};

/// Passes a request on, and answers with what came.
async fn passed_on(to: &str, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let url = format!("{to}{}", head.uri);
    let mut headers = head.headers;
    headers.remove("host");
    let body = to_bytes(axum::body::Body::new(body), 1 << 20).await.expect("a client's request is short");
    let came = reqwest::Client::new().request(head.method, url).headers(headers).body(body).send().await.expect("Gitea answers");
    let mut out = Response::builder().status(came.status());
    for (name, value) in came.headers().iter().filter(|(name, _)| !matches!(name.as_str(), "transfer-encoding" | "content-length")) {
        out = out.header(name, value);
    }
    out.body(came.bytes().await.expect("Gitea answers whole").into()).expect("what Gitea sends can be sent")
}

#[test]
fn what_lands_on_a_base_that_moved_right_before_the_merge_is_told_as_it_landed() {
    let house = Arc::new(House::new());
    let world: &dyn ForgeWorld = &*house;
    let (number, _) = world.request("one");
    let ticket = world.ticket(number);
    let pushed = Arc::new(AtomicBool::new(false));
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads can be started");
    let at = threads.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let at = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
        let (house, pushed) = (house.clone(), pushed.clone());
        let router = axum::Router::new().fallback(move |request: Request| {
            let (house, pushed) = (house.clone(), pushed.clone());
            async move {
                if request.method() == "POST" && request.uri().path().ends_with("/merge") && !pushed.swap(true, Ordering::SeqCst) {
                    let house = house.clone();
                    tokio::task::spawn_blocking(move || drop(house.yard.push("root", "main", &[("notes", "by hand\n")]))).await.expect("it pushes");
                }
                passed_on(&house.yard.project.server.url, request).await
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        at
    });
    let between = driver_by(&house.yard.project, &house.mirror("between.git"), &at);
    let answer = run(between.merge(ticket.clone())).expect("Gitea answers");
    assert!(pushed.load(Ordering::SeqCst), "somebody pushed in between");
    match answer {
        MergeAnswer::Merged { parents, tree, .. } => assert!(parents[0] != *ticket.base() && tree != *ticket.tree(), "another tree than the one that was proven"),
        // Gitea looked again by itself.
        MergeAnswer::Moved { .. } | MergeAnswer::Refused { transient: true, .. } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rebase_that_would_land_something_else_is_not_asked_for() {
    let house = House::new();
    let world: &dyn ForgeWorld = &house;
    house.yard.ask("hand", "PATCH", "", json!({ "default_merge_style": "rebase", "allow_rebase": true }));
    world.push("ana", "one", &[("zones/base.yaml", "base: 2\n")]);
    world.push("ana", "one", &[("zones/base.yaml", "base: 1\n"), ("zones/more.yaml", "more: 1\n")]);
    world.push("root", "main", &[("zones/base.yaml", "base: 2\n")]);
    let number = world.open("ana", "one", "one", "");
    let main = world.tip("main");
    let MergeAnswer::Refused { transient: false, why } = world.merged(number, world.ticket(number)) else { panic!("the merge keeps `base: 2`, a rebase takes it back") };
    assert!(why.contains("one by one and would give the tree") && world.tip("main") == main, "{why}");
    // One commit leaves the same by both ways.
    let (plain, _) = world.request("plain");
    assert!(matches!(world.merged(plain, world.ticket(plain)), MergeAnswer::Merged { .. }));
}
