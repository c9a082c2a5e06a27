//! One instance of one release of the shop: it answers every request with its release's name.

use crate::lab::http::Serving;
use axum::http::StatusCode;
use std::{io, net::SocketAddr};
use tokio::net::TcpListener;

/// A running instance; it ends when dropped.
pub struct Release {
    serving: Serving,
}

impl Release {
    /// Starts one on a free port of loopback; every answer is `says`.
    pub async fn start(says: &str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let says = says.to_owned();
        let serving = Serving::start(listener, move || {
            let says = says.clone();
            async move { (StatusCode::OK, says) }
        })?;
        Ok(Self { serving })
    }

    pub fn addr(&self) -> SocketAddr {
        self.serving.addr
    }

    /// Ends it; on return its port is closed.
    pub async fn stop(self) {
        self.serving.stop().await;
    }
}
