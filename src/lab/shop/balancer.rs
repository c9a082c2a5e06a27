//! A balancer that follows a key: it reads the file again and again, and sends each request to the next of the hosts it names.
//!
//! It takes what the key says at once. A key that names hosts which nobody knows yet is answered with 502, as real balancers do
//! that were told so: whoever changes key and records must do it in the right order.

use crate::lab::{
    ask,
    http::{self, Serving},
};
use axum::http::StatusCode;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// How often the key is read: often enough that nobody waits for it.
const EVERY: Duration = Duration::from_millis(25);

/// A running balancer; it ends when dropped.
pub struct Balancer {
    serving: Serving,
    following: Following,
}

/// The hosts to send requests to, or why there are none.
type Pool = Result<Arc<[SocketAddr]>, Arc<str>>;

/// The task that reads the key; it ends when dropped.
struct Following {
    pool: watch::Receiver<Pool>,
    task: JoinHandle<()>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Balancer {
    /// Answers on `listener`, and follows the file `key`: one `host:port` a line, whose addresses `dns` knows.
    pub fn start(listener: TcpListener, key: PathBuf, dns: SocketAddr) -> io::Result<Self> {
        let (pool, seen) = watch::channel::<Pool>(Err("the key was not read yet".into()));
        let task = tokio::spawn(follow(key, dns, pool));
        let (next, from) = (Arc::new(AtomicUsize::new(0)), seen.clone());
        let serving = Serving::start(listener, move || {
            let (pool, first) = (from.borrow().clone(), next.fetch_add(1, Ordering::Relaxed));
            async move { answer(pool, first).await }
        })?;
        Ok(Self { serving, following: Following { pool: seen, task } })
    }

    pub fn addr(&self) -> SocketAddr {
        self.serving.addr
    }

    /// Waits until it has hosts to send requests to.
    pub async fn ready(&self) {
        // The sender lives as long as the task, and the task as long as this.
        let _ = self.following.pool.clone().wait_for(Result::is_ok).await;
    }

    /// Ends it; on return what it had begun is answered and its port is closed.
    pub async fn stop(self) {
        self.serving.stop().await;
    }
}

async fn follow(key: PathBuf, dns: SocketAddr, pool: watch::Sender<Pool>) {
    let mut known: Option<String> = None;
    let mut every = tokio::time::interval(EVERY);
    loop {
        every.tick().await;
        let text = match tokio::fs::read_to_string(&key).await {
            Ok(text) => text,
            Err(why) => {
                known = None;
                drop(pool.send_replace(Err(format!("no pool: {why}").into())));
                continue;
            }
        };
        if known.as_ref() == Some(&text) {
            continue;
        }
        match hosts(&text, dns).await {
            Ok(hosts) => {
                drop(pool.send_replace(Ok(hosts.into())));
                known = Some(text);
            }
            // Asked again at the next turn: the record may still come.
            Err(why) => drop(pool.send_replace(Err(why.into()))),
        }
    }
}

/// The addresses of the hosts of a key.
async fn hosts(text: &str, dns: SocketAddr) -> Result<Vec<SocketAddr>, String> {
    let mut found = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (host, port) = line.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?))).ok_or_else(|| format!("`{line}` is no host:port"))?;
        let addresses = ask(dns, host, "A").await.map_err(|why| format!("{host}: {why}"))?;
        let address: IpAddr = addresses.first().and_then(|address| address.parse().ok()).ok_or_else(|| format!("{host} has no address"))?;
        found.push(SocketAddr::new(address, port));
    }
    if found.is_empty() { Err("the key names no host".into()) } else { Ok(found) }
}

/// Sends a request to one host after another until one answers.
async fn answer(pool: Pool, first: usize) -> (StatusCode, String) {
    let hosts = match pool {
        Ok(hosts) => hosts,
        Err(why) => return (StatusCode::BAD_GATEWAY, why.to_string()),
    };
    let mut last = String::new();
    for turn in 0..hosts.len() {
        let host = hosts[(first.wrapping_add(turn)) % hosts.len()];
        match http::get(host, "shop").await {
            Ok(reply) => return (StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_GATEWAY), reply.body),
            Err(why) => last = format!("{host}: {why}"),
        }
    }
    (StatusCode::BAD_GATEWAY, last)
}
