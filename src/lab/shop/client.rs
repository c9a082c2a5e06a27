//! A client that sends requests all along, finds the shop by its SRV record as clients do, and counts honestly.

use crate::lab::{http, lookup};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::MissedTickBehavior,
};

/// Requests on the way at once; a slow machine gets fewer requests, not a pile of them.
const MOST: usize = 32;

/// Failures that are told in words; all are counted.
const MOST_TOLD: usize = 5;

/// What became of the requests that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Good answers by what they said.
    pub answers: BTreeMap<String, u64>,
    /// No connection, no address, a cut answer, a status other than 200, or a body that is not one of the good ones.
    pub failed: u64,
    /// The first failures, each in a line.
    pub told: Vec<String>,
}

impl Tally {
    /// All requests that ended.
    pub fn all(&self) -> u64 {
        self.good() + self.failed
    }

    pub fn good(&self) -> u64 {
        self.answers.values().sum()
    }

    fn count(&mut self, ended: Result<String, String>) {
        match ended {
            Ok(said) => *self.answers.entry(said).or_default() += 1,
            Err(why) => {
                self.failed += 1;
                if self.told.len() < MOST_TOLD {
                    self.told.push(why);
                }
            }
        }
    }
}

/// Reads a client's count, also when the client has ended.
#[derive(Clone)]
pub struct Counter(Arc<Mutex<Tally>>);

impl Counter {
    pub fn read(&self) -> Tally {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, ended: Result<String, String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count(ended);
    }
}

/// A running client; dropping it ends it without waiting for what is on the way.
pub struct Client {
    counter: Counter,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whom it asks, for what.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The name server.
    pub dns: SocketAddr,
    /// The name of the SRV record: `_shop._tcp.shop.test.`.
    pub service: String,
    /// The answers that are good.
    pub good: Vec<String>,
    /// The time between two requests.
    pub every: Duration,
}

impl Client {
    /// Starts it; the first request is sent at once.
    pub fn start(wanted: Wanted) -> Self {
        let counter = Counter(Arc::default());
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(send(wanted, counter.clone(), stopped));
        Self { counter, stop, task }
    }

    /// The count so far.
    pub fn tally(&self) -> Tally {
        self.counter.read()
    }

    pub fn counter(&self) -> Counter {
        self.counter.clone()
    }

    /// Ends it; on return every request that was sent has been counted.
    pub async fn stop(mut self) -> Tally {
        let _ = self.stop.send(true);
        // Its task neither panics nor is cancelled before this.
        let _ = (&mut self.task).await;
        self.tally()
    }
}

async fn send(wanted: Wanted, counter: Counter, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(wanted.every);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut shop, mut on_the_way): (Option<Shop>, JoinSet<()>) = (None, JoinSet::new());
    let good: Arc<[String]> = wanted.good.iter().map(|good| good.as_str().to_owned()).collect();
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stopped.wait_for(|stopped| *stopped) => break,
        }
        while on_the_way.try_join_next().is_some() {}
        if on_the_way.len() >= MOST {
            on_the_way.join_next().await;
        }
        // An answer is kept for as long as its TTL says, and not a moment longer.
        if shop.as_ref().is_none_or(|shop| shop.until <= Instant::now()) {
            shop = match find(&wanted).await {
                Ok(found) => Some(found),
                Err(why) => {
                    counter.count(Err(format!("{}: {why}", wanted.service)));
                    None
                }
            };
        }
        let Some(Shop { addr, .. }) = shop else { continue };
        let (counter, good) = (counter.clone(), good.clone());
        on_the_way.spawn(async move { counter.count(request(addr, &good).await) });
    }
    while on_the_way.join_next().await.is_some() {}
}

/// Where the shop is, as far as DNS said, and for how long.
struct Shop {
    addr: SocketAddr,
    until: Instant,
}

async fn find(wanted: &Wanted) -> anyhow::Result<Shop> {
    let asked = Instant::now();
    let service = lookup(wanted.dns, &wanted.service, "SRV").await?;
    let record = service.values.first().ok_or_else(|| anyhow::anyhow!("there is no SRV record"))?;
    let mut parts = record.split_whitespace().skip(2);
    let (Some(port), Some(host)) = (parts.next().and_then(|port| port.parse().ok()), parts.next()) else { anyhow::bail!("`{record}` is no SRV record") };
    let address = lookup(wanted.dns, host, "A").await?;
    let ip: IpAddr = address.values.first().ok_or_else(|| anyhow::anyhow!("{host} has no address"))?.parse()?;
    Ok(Shop { addr: SocketAddr::new(ip, port), until: asked + service.ttl.min(address.ttl) })
}

async fn request(addr: SocketAddr, good: &[String]) -> Result<String, String> {
    let reply = http::get(addr, "shop").await.map_err(|why| format!("{addr}: {why}"))?;
    if reply.status != 200 {
        return Err(format!("{addr}: {} {}", reply.status, reply.body.trim()));
    }
    if !good.contains(&reply.body) {
        return Err(format!("{addr}: an answer of no release: {}", reply.body.trim()));
    }
    Ok(reply.body)
}
