//! A running server: everything wired, listening, swept, and stopped gracefully.

use super::{config, desk::Desk, intake, service::Service, wiring};
use anyhow::Context as _;
use std::{net::SocketAddr, sync::Arc};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// A server that listens.
pub struct Running {
    pub addr: SocketAddr,
    pub service: Service,
    desk: Desk,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts a server; on return it listens and everything that was under way goes on.
pub async fn start(mut server: config::Server) -> anyhow::Result<Running> {
    let listener = TcpListener::bind(&*server.listen).await.with_context(|| format!("cannot listen on {}", server.listen))?;
    let addr = listener.local_addr()?;
    server.url.get_or_insert_with(|| format!("http://{addr}").into());
    let limits = server.limits.clone();
    let (world, people) = wiring::world(server).await?;
    let world = Arc::new(world);
    let desk = Desk::new(world.clone());
    let service = Service::new(world.clone(), desk.clone());
    let (stop, stopped) = watch::channel(false);
    let router = crate::web::router(service.clone(), people, &limits);
    let mut ending = stopped.clone();
    let web = tokio::spawn(async move {
        let graceful = async move {
            let _ = ending.wait_for(|stop| *stop).await;
        };
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(graceful).await {
            tracing::error!("the web server ended: {error}");
        }
    });
    let woken = intake::resume(&world, &desk).await.map_err(anyhow::Error::msg)?;
    tracing::info!(%addr, woken, "listening");
    let sweep = tokio::spawn(intake::sweep(service.clone(), limits.sweep, stopped));
    Ok(Running { addr, service, desk, stop, tasks: vec![web, sweep] })
}

impl Running {
    /// Stops taking requests, lets every change finish its turn, and returns when the journal holds everything.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        self.desk.stop().await;
        for task in self.tasks {
            // A page that follows live updates would hold the door open for ever.
            if tokio::time::timeout(GRACE, task).await.is_err() {
                tracing::warn!("a connection was still open after {}s", GRACE.as_secs());
            }
        }
    }
}

/// How long open connections may take to end.
const GRACE: std::time::Duration = std::time::Duration::from_secs(3);
