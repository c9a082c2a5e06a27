//! Whether an address takes a connection.

use super::{
    networks::Networks,
    reach::{Lookup, reach_or_target, split},
};
use crate::core::model::Saw;
use std::net::SocketAddr;
use tokio::net::TcpStream;

pub(super) async fn ask(networks: &Networks, lookup: &dyn Lookup, address: &str) -> Saw {
    match connect(networks, lookup, address, 0).await {
        Ok((_, at)) => Saw::Good(format!("{at} took a connection").into()),
        Err(saw) => saw,
    }
}

/// The first of a host's addresses that takes a connection.
pub(super) async fn connect(networks: &Networks, lookup: &dyn Lookup, address: &str, usual: u16) -> Result<(TcpStream, SocketAddr), Saw> {
    let Some((host, port)) = split(address, usual) else { return Err(Saw::Nothing(format!("{address} is no `host:port`").into())) };
    let found = reach_or_target(networks, lookup, &host, port).await.map_err(|why| Saw::Nothing(why.into()))?;
    let mut why = String::new();
    for at in found {
        match TcpStream::connect(at).await {
            Ok(stream) => return Ok((stream, at)),
            Err(error) => why = format!("{at} takes no connection: {error}"),
        }
    }
    Err(Saw::Bad(why.into()))
}
