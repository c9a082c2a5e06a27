//! Deliveries over `kill -9`: what was answered 2xx is there after the restart.

use super::door::mac;
use crate::harness::{Process, free_port};
use futures::StreamExt as _;
use reqwest::Client;
use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

const SECRET: &str = "the secret of the hub";

/// Deliveries of one life of the server.
const SENT: usize = 1500;

/// Acknowledgements after which the server is killed, one a life: early, in the middle, late.
const KILLS: [usize; 3] = [40, 600, 1400];

/// Starts a server that governs a repository of a GitHub that never answers.
fn start(dir: &Path, port: u16) -> Process {
    let nowhere = free_port();
    for (name, text) in [("token", "t0ken"), ("hook", SECRET)] {
        std::fs::write(dir.join(name), text).expect("the folder is writable");
    }
    let text = format!(
        "listen: 127.0.0.1:{port}\ndata: data\nsecrets: .\nforges:\n  hub: {{ kind: github, url: \"http://127.0.0.1:{nowhere}\", token: {{ file: token }}, webhook_secret: {{ file: hook }}, bot: trueup }}\nrepositories:\n  - {{ name: dns, forge: hub, project: platform/dns }}\nlimits: {{ sweep: 1h }}\n"
    );
    std::fs::write(dir.join("server.yaml"), text).expect("the folder is writable");
    let server = Process::start("trueup", dir, env!("CARGO_BIN_EXE_trueup"), &["serve", "--config", "server.yaml"]);
    server.until_ready(|| std::net::TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_secs(5)).is_ok());
    server
}

/// A client that gives up an answer which does not come: over a kill some never do, and that is no acknowledgement.
fn sender() -> Client {
    Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().expect("a client")
}

/// Delivers once; the status and what became of it, and none when the server is gone.
async fn deliver(client: &Client, port: u16, id: &str) -> Option<(u16, String)> {
    let body = format!(
        r#"{{"action":"synchronize","number":7,"pull_request":{{"number":7,"updated_at":"2026-01-02T03:04:05Z","head":{{"ref":"feature/www","sha":"da1560886d4f094c3e6c9ef40349f7d38b5d27d7"}}}},"repository":{{"name":"dns","full_name":"platform/dns"}},"sender":{{"login":"ann-{id}"}}}}"#
    );
    let request = client.post(format!("http://127.0.0.1:{port}/hooks/hub")).header("content-type", "application/json").header("x-github-event", "pull_request");
    let request = request.header("x-github-delivery", id).header("x-hub-signature-256", format!("sha256={}", mac(SECRET, body.as_bytes()))).body(body);
    let answer = request.send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_a_kill_and_what_was_not_is_taken_again() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let port = free_port();
    let mut server = start(dir.path(), port);
    for (life, kill_at) in KILLS.into_iter().enumerate() {
        let client = sender();
        let acknowledged = AtomicUsize::new(0);
        let (server_now, client_now, count) = (&server, &client, &acknowledged);
        let sent: Vec<(String, bool)> = futures::stream::iter(0..SENT)
            .map(|n| async move {
                let id = format!("{life}-{n}");
                let kept = deliver(client_now, port, &id).await.is_some_and(|(status, _)| status == 202);
                if kept && count.fetch_add(1, Ordering::SeqCst) + 1 == kill_at {
                    server_now.signal("KILL");
                }
                (id, kept)
            })
            .buffer_unordered(50)
            .collect()
            .await;
        let kept = sent.iter().filter(|(_, kept)| *kept).count();
        assert!(kept >= kill_at && kept < SENT, "it was killed in the middle: {kept} of {SENT}");
        drop(server);
        server = start(dir.path(), port);
        let client = sender();
        for (id, kept) in &sent {
            let answer = deliver(&client, port, id).await;
            let fine = match (&answer, kept) {
                (Some((200, text)), true) => text == r#"{"taken":"known"}"#,
                // It may have been on disk when the answer was lost.
                (Some((200 | 202, _)), false) => true,
                _ => false,
            };
            assert!(fine, "{id} was {}: {answer:?}", if *kept { "acknowledged" } else { "not acknowledged" });
        }
    }
}
