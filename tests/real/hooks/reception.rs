//! The door of webhooks over real HTTP: what is taken, what is refused, and what every answer gives away.

use super::{
    door::{Delivery, House, OWN_SECRET, SECRET, answer, mac},
    samples::{self, TIP},
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use trueup::{
    core::{model::User, review::Command},
    ports::{Fault, MemoryKv},
};

/// A pull request's push as Gitea tells it.
fn pull(number: u64, tip: &str, id: &str) -> Delivery {
    Delivery::of("pull_request", id, &samples::gitea_pull_request(number, tip))
}

#[tokio::test]
async fn a_delivery_brings_a_push_that_nobody_else_told_of() {
    let house = House::start().await;
    let (mr, old) = house.opened().await;
    let tip = house.push("feature/www", "3\n");
    assert_eq!(house.send(&pull(mr.number, tip.as_str(), "d-1")).await, (202, r#"{"taken":"kept"}"#.into()));
    house.until(&mr, |view| view.head.as_ref() == Some(&tip)).await;
    // One that was held up says the old head: what counts is what is read back.
    assert_eq!(house.send(&pull(mr.number, old.as_str(), "d-0")).await.0, 202);
    let newer = house.push("feature/www", "4\n");
    assert_eq!(house.send(&Delivery::of("push", "d-2", &push_of("feature/www", newer.as_str()))).await.0, 202);
    house.until(&mr, |view| view.head.as_ref() == Some(&newer)).await;
    house.running.stop().await;
}

fn push_of(branch: &str, tip: &str) -> serde_json::Value {
    let mut push = samples::gitea_push();
    push["ref"] = format!("refs/heads/{branch}").into();
    push["after"] = tip.into();
    push
}

#[tokio::test]
async fn whoever_a_signed_delivery_says_pushed_does_not_approve() {
    let house = House::start().await;
    let (mr, tip) = house.opened().await;
    let waiting = house.until(&mr, |view| view.phase == trueup::core::review::Phase::AwaitingApproval).await;
    assert!(!waiting.pushers.contains(&User::new("ann")), "git alone does not say so");
    // A push elsewhere, of a commit that this merge request does not bring, is none to it.
    let other = house.commit("notes", "elsewhere\n");
    assert_eq!(house.send(&Delivery::of("push", "d-1", &push_of("feature/www", other.as_str()))).await.0, 202);
    assert_eq!(house.send(&Delivery::of("push", "d-2", &push_of("feature/www", tip.as_str()))).await.0, 202);
    house.until(&mr, |view| view.pushers.contains(&User::new("ann"))).await;
    let said = house.running.service.command(&User::new("ann"), &mr, Command::Approve { digest: None, steps: Default::default() }).await;
    assert!(said.as_ref().is_err_and(|error| error.what.contains("pushed")), "{said:?}");
    house.running.stop().await;
}

#[tokio::test]
async fn whoever_pushed_a_commit_under_a_tip_that_was_taken_away_pushed_it_all_the_same() {
    let house = House::start().await;
    let (mr, tip) = house.opened().await;
    let gone = "f".repeat(40);
    let mut push = push_of("feature/www", &gone);
    push["commits"] = serde_json::json!([{ "id": gone }, { "id": tip }]);
    assert_eq!(house.send(&Delivery::of("push", "d-1", &push)).await.0, 202);
    house.until(&mr, |view| view.pushers.contains(&User::new("ann"))).await;
    house.running.stop().await;
}

#[tokio::test]
async fn every_delivery_that_is_not_genuine_gets_the_same_answer() {
    let house = House::start().await;
    let before = house.counted("forged").await;
    let good = pull(7, TIP, "d-1");
    let mut answers = vec![
        house.send(&pull(7, TIP, "d-1").signed_with("another secret")).await,
        // Of a project with a secret of its own, the forge's proves nothing, and the other way round.
        house.send(&Delivery::of("pull_request", "d-2", &own()).signed_with(SECRET)).await,
        house.send(&pull(7, TIP, "d-3").signed_with(OWN_SECRET)).await,
        // Half a body, and one that is none: no place to learn what is read before the proof.
        house.send(&pull(7, TIP, "d-4").saying(&good.body[..40]).signed_with("another secret")).await,
        house.send(&pull(7, TIP, "d-5").saying("").signed_with("another secret")).await,
        // A project that nobody knows here.
        house.send(&Delivery::of("pull_request", "d-6", &serde_json::json!({ "repository": { "full_name": "a/b" } })).signed_with("another secret")).await,
    ];
    let unsigned = house.client.post(house.url("/hooks/work")).header("content-type", "application/json").body(good.body.clone());
    answers.push(answer(unsigned.send().await.expect("an answer")).await);
    // GitHub's signature at Gitea's door, a GitLab token, and a forge that nobody configured.
    let hub = format!("sha256={}", good.mac());
    for (path, event, name, value) in [
        ("/hooks/work", "x-github-event", "x-hub-signature-256", hub.as_str()),
        ("/hooks/work", "x-gitlab-event", "x-gitlab-token", SECRET),
        ("/hooks/nobody", "x-gitea-event", "x-gitea-signature", &good.mac()),
    ] {
        let request = house.client.post(house.url(path)).header("content-type", "application/json").header(event, "pull_request").header(name, value);
        answers.push(answer(request.body(good.body.clone()).send().await.expect("an answer")).await);
    }
    for said in &answers {
        assert_eq!((said.0, &said.1), (401, &answers[0].1), "{answers:?}");
    }
    assert!(house.counted("forged").await > before, "and each is counted by its reason");
    assert_eq!(house.send(&good).await.0, 202, "nothing of them spoils the genuine one");
    house.running.stop().await;
}

fn own() -> serde_json::Value {
    let mut payload = samples::gitea_pull_request(7, TIP);
    payload["repository"]["full_name"] = "platform/own".into();
    payload
}

#[tokio::test]
async fn a_repository_with_a_secret_of_its_own_is_held_to_it() {
    let house = House::start().await;
    assert_eq!(house.send(&Delivery::of("pull_request", "d-1", &own()).signed_with(OWN_SECRET)).await.0, 202);
    assert_eq!(house.send(&Delivery::of("pull_request", "d-2", &own())).await.0, 401);
    house.running.stop().await;
}

#[tokio::test]
async fn a_delivery_that_came_before_is_known_and_kept_once() {
    let house = House::start().await;
    assert_eq!(house.send(&pull(7, TIP, "d-1")).await, (202, r#"{"taken":"kept"}"#.into()));
    for _ in 0..3 {
        assert_eq!(house.send(&pull(7, TIP, "d-1")).await, (200, r#"{"taken":"known"}"#.into()));
    }
    // One without an id is known by its content.
    let bare = |body: &'static str| {
        let request = house.client.post(house.url("/hooks/work")).header("content-type", "application/json").header("x-gitea-event", "pull_request");
        request.header("x-gitea-signature", mac(SECRET, body.as_bytes())).body(body)
    };
    let body = r#"{"number":8,"pull_request":{"number":8},"repository":{"full_name":"platform/dns"}}"#;
    assert_eq!(answer(bare(body).send().await.expect("an answer")).await.0, 202);
    assert_eq!(answer(bare(body).send().await.expect("an answer")).await, (200, r#"{"taken":"known"}"#.into()));
    house.running.stop().await;
}

#[tokio::test]
async fn what_is_genuine_and_cannot_be_read_is_said_and_what_nobody_knows_is_taken_and_counted() {
    let house = House::start().await;
    let whole = pull(7, TIP, "d").body;
    for (id, body) in [("d-1", &whole[..whole.len() / 2]), ("d-2", br#"{"number":"seven"}"#), ("d-3", b""), ("d-4", b"null")] {
        let (status, text) = house.send(&pull(7, TIP, id).saying(body)).await;
        assert_eq!(status, 400, "{id}: {text}");
        assert!(text.contains("advice"), "{text}");
    }
    let (nothing, others) = (house.counted("nothing").await, house.counted("not_ours").await);
    assert_eq!(house.send(&Delivery::of("wiki", "d-5", &serde_json::json!({ "action": "created" }))).await, (200, r#"{"taken":"nothing"}"#.into()));
    let elsewhere = serde_json::json!({ "number": 1, "pull_request": { "number": 1 }, "repository": { "full_name": "platform/other" } });
    assert_eq!(house.send(&Delivery::of("pull_request", "d-6", &elsewhere)).await, (200, r#"{"taken":"not_ours"}"#.into()));
    assert!(house.counted("nothing").await > nothing && house.counted("not_ours").await > others);
    house.running.stop().await;
}

#[tokio::test]
async fn a_form_is_read_and_other_content_is_refused() {
    let house = House::start().await;
    let payload = pull(7, TIP, "d-1").body;
    let form: String = payload.iter().fold("payload=".into(), |form, byte| form + &format!("%{byte:02X}"));
    let request =
        house.client.post(house.url("/hooks/work")).header("x-gitea-event", "pull_request").header("x-gitea-delivery", "d-1").header("x-gitea-signature", mac(SECRET, &payload));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    assert_eq!(answer(request.send().await.expect("an answer")).await.0, 202);
    for kind in ["text/plain", "multipart/form-data; boundary=x", "application/json5", ""] {
        let sent = house.client.post(house.url("/hooks/work")).header("content-type", kind).header("x-gitea-event", "push").body(payload.clone());
        assert_eq!(answer(sent.send().await.expect("an answer")).await.0, 415, "{kind}");
    }
    let charset = house.client.post(house.url("/hooks/work")).header("content-type", "Application/JSON; charset=utf-8").header("x-gitea-event", "pull_request");
    assert_eq!(answer(charset.header("x-gitea-signature", mac(SECRET, &payload)).body(payload).send().await.expect("an answer")).await.0, 202);
    assert_eq!(house.client.get(house.url("/hooks/work")).send().await.expect("an answer").status().as_u16(), 405);
    house.running.stop().await;
}

/// A raw request whose body is this long, or of unknown length.
fn head(house: &House, length: Option<u64>) -> String {
    let framing = length.map_or_else(|| "transfer-encoding: chunked".to_owned(), |length| format!("content-length: {length}"));
    format!("POST /hooks/work HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nx-gitea-event: push\r\n{framing}\r\n\r\n", house.running.addr)
}

/// The first line of an answer; none when the connection ends without one.
async fn status(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = vec![0; 64];
    match tokio::time::timeout(Duration::from_secs(120), stream.read(&mut bytes)).await.expect("the server answers or hangs up") {
        Ok(n) if n > 0 => String::from_utf8_lossy(&bytes[..n]).lines().next().map(str::to_owned),
        Ok(_) | Err(_) => None,
    }
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_before_they_are_read_and_never_held() {
    let house = House::start().await;
    let mut told = TcpStream::connect(house.running.addr).await.expect("it listens");
    told.write_all(head(&house, Some(100 << 20)).as_bytes()).await.expect("it is read");
    assert_eq!(status(&mut told).await.as_deref(), Some("HTTP/1.1 413 Payload Too Large"), "the length alone is enough");
    let mut untold = TcpStream::connect(house.running.addr).await.expect("it listens");
    untold.write_all(head(&house, None).as_bytes()).await.expect("it is read");
    let chunk = [format!("{:x}\r\n", 1 << 20).as_bytes(), &vec![b' '; 1 << 20], b"\r\n"].concat();
    let mut sent = 0;
    // It hangs up when it has had enough; what its socket still takes is the system's.
    while sent < 100 && untold.write_all(&chunk).await.is_ok() {
        sent += 1;
    }
    let said = status(&mut untold).await;
    assert!(sent < 60, "{sent} MiB were taken: {said:?}");
    assert!(said.as_deref().is_none_or(|line| line.contains("413")), "{said:?}");
    assert_eq!(house.send(&pull(7, TIP, "d-1")).await.0, 202, "the door stands open for others");
    house.running.stop().await;
}

#[tokio::test]
async fn a_slow_sender_is_told_so_and_holds_nobody_up() {
    let house = House::start().await;
    let mut slow = TcpStream::connect(house.running.addr).await.expect("it listens");
    slow.write_all(head(&house, Some(1000)).as_bytes()).await.expect("it is read");
    slow.write_all(b"{\"ref\":").await.expect("it is read");
    assert_eq!(house.send(&pull(7, TIP, "d-1")).await.0, 202);
    let said = status(&mut slow).await;
    assert_eq!(said.as_deref(), Some("HTTP/1.1 408 Request Timeout"));
    // Half a body, and gone.
    let mut gone = TcpStream::connect(house.running.addr).await.expect("it listens");
    gone.write_all(head(&house, Some(1000)).as_bytes()).await.expect("it is read");
    gone.write_all(b"{").await.expect("it is read");
    drop(gone);
    assert_eq!(house.send(&pull(7, TIP, "d-2")).await.0, 202);
    house.running.stop().await;
}

#[tokio::test]
async fn a_delivery_that_cannot_be_kept_is_refused_with_a_time_to_come_back_and_looked_at_all_the_same() {
    let kv = MemoryKv::new();
    let house = House::with(Some(kv.clone())).await;
    let (mr, _) = house.opened().await;
    let tip = house.push("feature/www", "3\n");
    let delivery = pull(mr.number, tip.as_str(), "d-1");
    kv.fail(Fault::Full);
    let refused = house.request(&delivery).body(delivery.body.clone()).send().await.expect("an answer");
    assert_eq!((refused.status().as_u16(), refused.headers().get("retry-after").and_then(|value| value.to_str().ok())), (503, Some("30")));
    house.until(&mr, |view| view.head.as_ref() == Some(&tip)).await;
    assert_eq!(house.send(&delivery).await, (202, r#"{"taken":"kept"}"#.into()), "delivered again it is no duplicate");
    // Written, and the answer lost: what comes again is known.
    kv.fail(Fault::IoAfterCommit);
    let delivery = pull(mr.number, tip.as_str(), "d-2");
    assert_eq!(house.send(&delivery).await.0, 503);
    assert_eq!(house.send(&delivery).await, (200, r#"{"taken":"known"}"#.into()));
    house.running.stop().await;
}

#[tokio::test]
async fn ten_thousand_at_once_are_each_kept_and_are_few_looks() {
    let house = House::start().await;
    let (mr, _) = house.opened().await;
    let tip = house.push("feature/www", "3\n");
    let body = samples::gitea_pull_request(mr.number, tip.as_str());
    let turns = house.running.service.watch(&mr).borrow().turns;
    let hands = 100;
    let sent = futures::future::join_all((0..hands).map(|hand| {
        let (house, body) = (&house, &body);
        async move {
            let mut kept = 0;
            for n in 0..10_000 / hands {
                kept += usize::from(house.send(&Delivery::of("pull_request", format!("{hand}-{n}"), body)).await.0 == 202);
            }
            kept
        }
    }))
    .await;
    assert_eq!(sent.into_iter().sum::<usize>(), 10_000);
    house.until(&mr, |view| view.head.as_ref() == Some(&tip)).await;
    let looked = house.running.service.watch(&mr).borrow().turns - turns;
    assert!(looked < 1000, "{looked} turns for one push");
    for (hand, n) in [(0, 0), (99, 99), (50, 7)] {
        assert_eq!(house.send(&Delivery::of("pull_request", format!("{hand}-{n}"), &body)).await.1, r#"{"taken":"known"}"#);
    }
    house.running.stop().await;
}
