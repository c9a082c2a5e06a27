//! The whole shop on loopback: two releases, two front ends, the name server they are found by, and the client.

use super::{Balancer, Client, Counter, Release, Tally, Wanted};
use crate::lab::{
    dns::{self, Key},
    sample::{self, Ports},
};
use anyhow::Context as _;
use std::{net::SocketAddr, path::Path, time::Duration};
use tokio::net::TcpListener;

/// Fifty requests a second: enough that a gap of a blink is seen, little enough for a small machine.
const EVERY: Duration = Duration::from_millis(20);

/// The shop, as it is before the merge request: release 1 behind the first front end; the new ones run and nobody is sent to them.
pub struct Shop {
    pub dns: SocketAddr,
    /// The key that may change the zone.
    pub key: Key,
    pub ports: Ports,
    /// Release 1 and its front end, until they are switched off.
    old: Option<(Vec<Release>, Balancer)>,
    _new: (Vec<Release>, Balancer),
    client: Client,
    _dns: dns::Running,
}

impl Shop {
    /// Starts all of it over a folder of keys, which is made and filled as the sample says; on return the client has begun.
    pub async fn start(keys: &Path) -> anyhow::Result<Self> {
        let (old, new) = (pair(sample::RELEASE_1).await?, pair(sample::RELEASE_2).await?);
        let (first, second) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
        let both = |releases: &[Release]| [releases[0].addr().port(), releases[1].addr().port()];
        let ports = Ports { fronts: [first.local_addr()?.port(), second.local_addr()?.port()], old: both(&old), new: both(&new) };
        let key = dns::fresh_key()?;
        let running = dns::start(&[(sample::ZONE, &sample::zone(&ports))], &key).await.context("the demo's name server does not start")?;
        for (name, value) in sample::keys(&ports) {
            let path = keys.join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(keys))?;
            std::fs::write(path, value)?;
        }
        let pool = keys.join(sample::POOL);
        let (old_front, new_front) = (Balancer::start(first, pool.clone(), running.addr)?, Balancer::start(second, pool, running.addr)?);
        old_front.ready().await;
        new_front.ready().await;
        let good = vec![sample::RELEASE_1.to_owned(), sample::RELEASE_2.to_owned()];
        let client = Client::start(Wanted { dns: running.addr, service: sample::SERVICE.to_owned(), good, every: EVERY });
        Ok(Self { dns: running.addr, key, ports, old: Some((old, old_front)), _new: (new, new_front), client, _dns: running })
    }

    /// The client's count so far.
    pub fn tally(&self) -> Tally {
        self.client.tally()
    }

    pub fn counter(&self) -> Counter {
        self.client.counter()
    }

    /// Switches release 1 and its front end off for good; on return their ports are closed.
    pub async fn switch_old_off(&mut self) {
        if let Some((releases, front)) = self.old.take() {
            front.stop().await;
            for release in releases {
                release.stop().await;
            }
        }
    }

    /// Ends the client; on return every request that was sent has been counted.
    pub async fn stop(self) -> Tally {
        self.client.stop().await
    }
}

async fn pair(says: &str) -> anyhow::Result<Vec<Release>> {
    Ok(vec![Release::start(says).await?, Release::start(says).await?])
}
