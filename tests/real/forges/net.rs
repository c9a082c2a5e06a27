//! The connection that all network forges share, to a server that misbehaves.

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use trueup::{
    core::model::Time,
    forges::net::{Client, Entrance, Weight},
    ports::{ForgeErrorKind, SecretText, TestClock},
};

const TOKEN: &str = "hunter2-token-of-the-tests";

/// A server that answers as the test says, and remembers what it was asked.
struct Odd {
    url: String,
    hits: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Odd {
    /// `answer` is told how many questions came before.
    async fn start(answer: impl Fn(usize, &Request) -> Response + Clone + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (hits, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (count, heads) = (hits.clone(), asked.clone());
        let router = Router::new().fallback(move |request: Request| {
            let n = count.fetch_add(1, Ordering::SeqCst);
            heads.lock().expect("whole").push(request.headers().clone());
            let said = answer(n, &request);
            async move { said }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, hits, asked }
    }

    fn client(&self, clock: &Arc<TestClock>) -> Client {
        let entrance = Entrance {
            name: "work".into(),
            api: format!("{}/api/v1", self.url),
            token: Some(("authorization", "token ", SecretText::new(TOKEN))),
            headers: Vec::new(),
            ca: None,
            answer: Duration::from_secs(60),
        };
        Client::new(entrance, clock.clone()).expect("it is whole")
    }

    fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

fn clock() -> Arc<TestClock> {
    Arc::new(TestClock::at(Time(1_000_000)))
}

fn said(status: u16, body: &'static str) -> Response {
    (StatusCode::from_u16(status).expect("a status"), body).into_response()
}

#[tokio::test]
async fn every_refusal_has_its_kind_the_forges_words_and_no_token() {
    let odd = Odd::start(|_, request| {
        let status = request.uri().path().rsplit('/').next().and_then(|last| last.parse().ok()).expect("the path ends with one");
        said(status, "{\"message\":\"`@everybody` <b>no</b>\\nreally\"}")
    })
    .await;
    let client = odd.client(&clock());
    let mut told = String::new();
    for status in [400, 401, 403, 404, 405, 409, 422, 301, 500] {
        let error = client.get(&format!("/x/{status}?secret=1")).await.expect_err("it is refused");
        assert!(!error.to_string().contains("hunter2") && error.status == Some(status), "{error}");
        told.push_str(&format!("{:?}: {error}\n", error.kind));
    }
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_limit_is_kept_and_nothing_is_asked_before_it_is_over() {
    let odd = Odd::start(|n, _| match n {
        0 => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "30")]).into_response(),
        1 => (StatusCode::OK, [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1100")], "{}").into_response(),
        2 => (StatusCode::FORBIDDEN, [(header::RETRY_AFTER, "5")]).into_response(),
        _ => said(200, "{}"),
    })
    .await;
    let clock = clock();
    let client = odd.client(&clock);
    let limited = async || client.get("/x").await.expect_err("it waits").kind == ForgeErrorKind::Limited;
    assert!(limited().await && limited().await && odd.hits() == 1, "a word of the forge holds for all");
    assert_eq!(client.send(Weight::Merge, reqwest::Method::POST, "/x", None).await.expect_err("it waits").kind, ForgeErrorKind::Limited);
    assert_eq!(odd.hits(), 1);
    clock.set(Time(1_031_000));
    client.get("/x").await.expect("the wait is over");
    assert!(limited().await && odd.hits() == 2, "none is left until the reset");
    clock.set(Time(1_101_000));
    assert!(limited().await && odd.hits() == 3, "a 403 that says how long is a limit, not a refusal");
    clock.set(Time(1_107_000));
    client.get("/x").await.expect("the wait is over");
}

/// A forge whose list of two stays tagged as it was; asked three times for pages of that many: how often, and how often under its tag.
async fn asked_thrice(per_page: usize) -> (usize, usize) {
    let odd = Odd::start(|_, request| match request.headers().get(header::IF_NONE_MATCH) {
        Some(tag) if tag == "\"one\"" => StatusCode::NOT_MODIFIED.into_response(),
        _ => (StatusCode::OK, [(header::ETAG, "\"one\"")], "[1,2]").into_response(),
    })
    .await;
    let client = odd.client(&clock());
    for _ in 0..3 {
        assert_eq!(client.read_one::<Vec<u8>>(&format!("/list?per_page={per_page}")).await.expect("it is read"), [1, 2]);
    }
    let conditional = odd.asked.lock().expect("whole").iter().filter(|head| head.contains_key(header::IF_NONE_MATCH)).count();
    (odd.hits(), conditional)
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    assert_eq!(asked_thrice(3).await, (3, 2));
}

#[tokio::test]
async fn a_full_page_is_sent_again_since_its_tag_says_nothing_of_a_next_one() {
    assert_eq!(asked_thrice(2).await, (3, 0));
}

#[tokio::test]
async fn pages_are_followed_to_their_end_and_never_to_another_address() {
    let odd = Odd::start(|n, request| {
        let host = request.headers()[header::HOST].to_str().expect("text").to_owned();
        let link = match n {
            0 => format!("<http://{host}/api/v1/list?page=2>; rel=\"next\""),
            2 => "<http://127.0.0.1:1/api/v1/list?page=2>; rel=\"next\"".to_owned(),
            3 => format!("<http://{host}/api/v1evil>; rel=\"next\""),
            4.. => format!("<http://{host}/api/v1/list?page=9>; rel=\"next\""),
            _ => String::new(),
        };
        (StatusCode::OK, [(header::LINK, link)], "[7]").into_response()
    })
    .await;
    let client = odd.client(&clock());
    assert_eq!(client.pages::<u8>("/list", 10).await.expect("both pages"), (vec![7, 7], true));
    for _ in 0..2 {
        let error = client.pages::<u8>("/list", 10).await.expect_err("it leads away");
        assert!(error.to_string().contains("another address"), "{error}");
    }
    assert_eq!(client.pages::<u8>("/list", 3).await.expect("three pages"), (vec![7, 7, 7], false), "a list without end is cut, and said to be");
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let other = Odd::start(|_, _| said(200, "{}")).await;
    let to = format!("{}/api/v1/x", other.url);
    let odd = Odd::start(move |_, _| (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, to.clone())]).into_response()).await;
    let error = odd.client(&clock()).get("/x").await.expect_err("it moved");
    assert!(error.to_string().contains("put the new address into the configuration"), "{error}");
    assert_eq!(other.hits(), 0, "the token went nowhere");
}

#[tokio::test]
async fn a_gateway_that_fails_is_asked_again_and_a_write_is_not() {
    let odd = Odd::start(|n, _| if n < 2 { said(502, "<html>bad gateway</html>") } else { said(200, "{}") }).await;
    let client = odd.client(&clock());
    client.get("/x").await.expect("the third time it answers");
    assert_eq!(odd.hits(), 3);
    let odd = Odd::start(|_, _| said(502, "<html>bad gateway</html>")).await;
    let error = odd.client(&clock()).send(Weight::Comment, reqwest::Method::POST, "/x", None).await.expect_err("it fails");
    assert_eq!((error.kind, odd.hits()), (ForgeErrorKind::Unavailable, 1), "nobody knows whether it was done");
    assert!(!error.to_string().contains("html"), "{error}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let odd = Odd::start(|_, _| {
        let endless = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 1 << 20]));
        Body::from_stream(endless).into_response()
    })
    .await;
    let error = odd.client(&clock()).get("/x").await.expect_err("it is too much");
    assert!(error.to_string().contains("more than 16777216 bytes"), "{error}");
}

#[tokio::test]
async fn what_is_no_json_is_said_to_be_unreadable() {
    let odd = Odd::start(|_, _| said(200, "<html>log in</html>")).await;
    let error = odd.client(&clock()).read_one::<Vec<u8>>("/x").await.expect_err("no list");
    assert!(error.to_string().starts_with("what forge work answered to GET /x cannot be read"), "{error}");
}
