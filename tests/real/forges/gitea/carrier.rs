//! Who carries webhooks from Gitea to our door: keeps a copy of each, and loses them when told to.

use axum::{
    body::{Bytes, to_bytes},
    extract::Request,
    http::{HeaderMap, StatusCode},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Runtime;

/// One delivery as Gitea made and signed it.
#[derive(Clone)]
pub struct Letter {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Letter {
    pub fn event(&self) -> &str {
        self.headers.get("x-gitea-event").and_then(|event| event.to_str().ok()).unwrap_or_default()
    }
}

pub struct Carrier {
    /// Where Gitea is told to send.
    pub url: String,
    bag: Arc<Mutex<Bag>>,
    http: reqwest::Client,
    to: String,
    threads: Runtime,
}

#[derive(Default)]
struct Bag {
    letters: Vec<Letter>,
    loses: bool,
}

impl Carrier {
    pub fn start(to: &str) -> Self {
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads can be started");
        let listener = threads.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("loopback has free ports");
        let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let bag: Arc<Mutex<Bag>> = Arc::default();
        let (kept, sender, door) = (bag.clone(), http.clone(), to.to_owned());
        let router = axum::Router::new().fallback(move |request: Request| {
            let (bag, http, to) = (kept.clone(), sender.clone(), door.clone());
            async move {
                let (head, body) = request.into_parts();
                let letter = Letter { headers: head.headers, body: to_bytes(body, 8 << 20).await.expect("a delivery has an end") };
                let loses = {
                    let mut bag = bag.lock().unwrap_or_else(PoisonError::into_inner);
                    bag.letters.push(letter.clone());
                    bag.loses
                };
                // Gitea believes that it arrived.
                let status = if loses { 200 } else { deliver(&http, &to, &letter).await };
                StatusCode::from_u16(status).expect("a status")
            }
        });
        threads.spawn(async move { axum::serve(listener, router).await });
        Self { url, bag, http, to: to.to_owned(), threads }
    }

    fn bag(&self) -> MutexGuard<'_, Bag> {
        self.bag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on everything is lost, or nothing.
    pub fn loses(&self, loses: bool) {
        self.bag().loses = loses;
    }

    pub fn letters(&self) -> Vec<Letter> {
        self.bag().letters.clone()
    }

    /// Brings a letter to our door, once more or changed; what the door answers.
    pub fn brings(&self, letter: &Letter) -> u16 {
        self.threads.block_on(deliver(&self.http, &self.to, letter))
    }
}

async fn deliver(http: &reqwest::Client, to: &str, letter: &Letter) -> u16 {
    let mut headers = letter.headers.clone();
    for name in ["host", "content-length", "transfer-encoding", "connection", "accept-encoding"] {
        headers.remove(name);
    }
    // A door that is shut is told to Gitea as a gateway would.
    http.post(to).headers(headers).body(letter.body.clone()).send().await.map_or(502, |answer| answer.status().as_u16())
}
