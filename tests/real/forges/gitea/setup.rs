//! `trueup forge setup` on a real Gitea: what it made delivers, is found again, and only the server merges.

use super::house::House;
use crate::{
    forges::world::{ForgeWorld, Hands, run},
    harness::wait_for,
};
use axum::http::HeaderMap;
use serde_json::json;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use trueup::{
    core::{model::Time, review::labels},
    forges::hooks::{Envelope, verify},
    ports::{Found, Furnished, Hook, Outcome, SecretText, Wish},
};

type Deliveries = Arc<Mutex<Vec<(HeaderMap, Vec<u8>)>>>;

/// Somebody who takes whatever is delivered.
fn receiver(threads: &tokio::runtime::Runtime) -> (String, Deliveries) {
    let taken = Deliveries::default();
    let kept = taken.clone();
    let listener = threads.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port is free");
    let url = format!("http://{}/hooks/work", listener.local_addr().expect("it has one"));
    let router = axum::Router::new().fallback(move |headers: HeaderMap, body: axum::body::Bytes| {
        kept.lock().unwrap().push((headers, body.to_vec()));
        async { "kept" }
    });
    threads.spawn(async move { axum::serve(listener, router).await });
    (url, taken)
}

fn wish(url: &str, secret: &str, anew: bool) -> Wish {
    Wish { hook: Some(Hook { url: url.to_owned(), secret: SecretText::new(secret), anew }), labels: labels() }
}

fn set_up(house: &House, wish: &Wish, dry: bool) -> Vec<Furnished> {
    run(house.driver().furnish(&house.repo(), wish, dry))
}

fn outcomes(done: &[Furnished]) -> Vec<(&str, Outcome)> {
    done.iter().filter(|one| one.outcome != Outcome::Stands).map(|one| (one.about.rsplit(": ").next().unwrap(), one.outcome)).collect()
}

#[test]
fn what_setup_made_delivers_signed_news_and_stands_the_second_time() {
    let house = House::new();
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads can be started");
    let (url, taken) = receiver(&threads);
    let made = |outcome| vec![("protected branch", outcome), ("webhook", outcome), ("labels", outcome)];
    assert_eq!(outcomes(&set_up(&house, &wish(&url, "first", false), true)), made(Outcome::Would));
    assert_eq!(house.yard.ask("trueup", "GET", "/hooks", json!(null)), json!([]), "words alone change nothing");
    let done = set_up(&house, &wish(&url, "first", false), false);
    assert_eq!(outcomes(&done), made(Outcome::Made), "{done:#?}");
    assert_eq!(outcomes(&set_up(&house, &wish(&url, "first", false), false)), [], "the second time nothing is left to do");
    let exams = run(house.driver().examine(&house.repo(), &wish(&url, "first", false)));
    assert!(exams.iter().all(|exam| exam.found == Found::Ok), "{exams:#?}");
    let genuine = |secret: &str| {
        let taken = taken.lock().unwrap();
        let is = |(headers, body): &(HeaderMap, Vec<u8>)| {
            let envelope = Envelope::of(|name| headers.get(name).and_then(|value| value.to_str().ok()))?;
            let fresh = Time(jiff::Timestamp::now().as_millisecond());
            verify(&envelope, body, body, &[SecretText::new(secret)], fresh).ok().map(|()| envelope.event)
        };
        taken.iter().filter_map(is).collect::<Vec<String>>()
    };
    let (number, _) = house_request(&house, "one");
    house.yard.comment(number, "ana", "hello");
    assert!(
        wait_for(Duration::from_secs(60), || ["push", "pull_request", "issue_comment"].iter().all(|event| genuine("first").iter().any(|told| told == event))),
        "{:?}",
        genuine("first")
    );
    // The rule binds people: nobody but the server pushes or merges.
    let refused = house.yard.project.try_ask("ana", "POST", &format!("/pulls/{number}/merge"), Some(json!({ "do": "merge" })));
    assert!((400..500).contains(&refused.0), "{refused:?}");
    // Gitea edits no secret: the hook is made again, and one is left.
    assert_eq!(outcomes(&set_up(&house, &wish(&url, "second", true), false)), [("webhook", Outcome::Made)]);
    assert_eq!(house.yard.ask("trueup", "GET", "/hooks", json!(null)).as_array().map(Vec::len), Some(1));
    house.yard.comment(number, "ana", "hello again");
    assert!(wait_for(Duration::from_secs(60), || genuine("second").iter().any(|told| told == "issue_comment")), "{:?}", genuine("second"));
}

#[test]
fn an_account_that_does_not_administer_is_told_what_to_do_by_hand() {
    let house = House::new();
    house.yard.ask("hand", "PUT", "/collaborators/trueup", json!({ "permission": "write" }));
    let done = set_up(&house, &wish("http://127.0.0.1:1/hooks/work", "first", false), false);
    let lacks: Vec<&Furnished> = done.iter().filter(|one| one.outcome == Outcome::Lacks).collect();
    assert!(lacks.iter().any(|one| one.about.ends_with("webhook") && one.next.as_deref().is_some_and(|next| next.contains("by hand"))), "{done:#?}");
    assert!(lacks.iter().any(|one| one.about.ends_with("protected branch")), "{done:#?}");
}

/// A branch of ana's with one change, and its pull request.
fn house_request(house: &House, branch: &str) -> (u64, String) {
    let world: &dyn ForgeWorld = house;
    world.request(branch)
}
