//! From a host's name to addresses that may be connected to: resolved once, judged, and connected to as judged.

use super::networks::Networks;
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
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = match bare.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => lookup.lookup(bare, port).await.map_err(|error| format!("the name {bare} does not resolve: {error}"))?,
    };
    if networks.is_target(bare, port) && !found.is_empty() {
        return Ok(found);
    }
    networks.sieve(found).map_err(|refused| match refused {
        Some(address) if address.to_string() == bare => outside(bare),
        Some(address) => format!("{}, at {address}", outside(bare)),
        None => format!("the name {bare} has no address"),
    })
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
