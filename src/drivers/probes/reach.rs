//! From a host's name to addresses that may be connected to: resolved once, judged, and connected to as judged.

use super::networks::{Networks, bare, is_one_place, is_same};
use crate::ports::Fut;
use std::{
    io,
    net::{IpAddr, SocketAddr},
};

/// Resolves names; a second answer that differs is never asked for, because what was judged is what is connected to.
pub trait Lookup: Send + Sync {
    /// Every address of the host.
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> Fut<'a, io::Result<Vec<SocketAddr>>>;
}

/// The machine's own resolver.
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> Fut<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// The addresses of a host that may be connected to, or why there are none.
pub(super) async fn reach(networks: &Networks, lookup: &dyn Lookup, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let found = resolved(lookup, host, port).await?;
    networks.sieve(found).map_err(|refused| match refused {
        Some(address) if address.to_string() == bare(host) => outside(host),
        Some(address) => format!("{}, at {address}", outside(host)),
        None => format!("the name {host} has no address"),
    })
}

/// The same, or the addresses of a configured target at its own port: a connection says nothing of what stands there, and a DNS answer what it says to everybody.
pub(super) async fn reach_or_target(networks: &Networks, lookup: &dyn Lookup, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    if networks.is_target(host, port) {
        return match resolved(lookup, host, port).await?.as_slice() {
            [] => Err(format!("the name {host} has no address")),
            found => Ok(found.to_vec()),
        };
    }
    reach(networks, lookup, host, port).await
}

/// Whether an API of the server's own systems stands at these addresses of a host; a failure where that cannot be told.
pub(super) async fn is_guarded(networks: &Networks, lookup: &dyn Lookup, host: &str, port: u16, at: &[SocketAddr]) -> Result<bool, String> {
    for known in networks.guarded(port) {
        if is_same(known, host) {
            return Ok(true);
        }
        // A name may lead to the same place as another name or a bare address.
        let theirs = resolved(lookup, known, port).await.map_err(|why| format!("nobody can tell whether {host} is one of the server's own systems: {why}"))?;
        if theirs.iter().any(|one| at.iter().any(|other| is_one_place(one.ip(), other.ip()))) {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn resolved(lookup: &dyn Lookup, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let host = bare(host);
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(vec![SocketAddr::new(address, port)]),
        Err(_) => lookup.lookup(host, port).await.map_err(|error| format!("the name {host} does not resolve: {error}")),
    }
}

fn outside(host: &str) -> String {
    format!("{host} is outside the networks that probes may reach; the server's operators can add it to `networks`")
}

/// `host:port`, with a port for texts that leave it out.
pub(super) fn split(address: &str, usual: u16) -> Option<(String, u16)> {
    if let Ok(address) = address.parse::<SocketAddr>() {
        return Some((address.ip().to_string(), address.port()));
    }
    if let Ok(address) = address.parse::<IpAddr>() {
        return Some((address.to_string(), usual));
    }
    match address.rsplit_once(':') {
        Some((host, port)) => Some((host.to_owned(), port.parse().ok()?)),
        None => Some((address.to_owned(), usual)),
    }
}
