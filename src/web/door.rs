//! The listening socket: how many connections are open, how slow they may be, and how they end.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};

/// Open connections at once; more wait to be accepted. Half of the files a process may commonly open: git and the store need the rest.
const CONNECTIONS: usize = 512;

/// How long a client may take to say what it wants, and to say the next thing. Without it, whoever sends half a header holds a place for ever.
const HEADER: Duration = Duration::from_secs(10);

/// How long to wait when the system takes no more connections.
const PAUSE: Duration = Duration::from_millis(500);

/// Answers until told to stop; on return every request that was under way has its answer.
pub async fn answer(listener: TcpListener, routes: Router, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        // Ended connections leave the set, which else grows with every one there ever was.
        while open.try_join_next().is_some() {}
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = told(&mut stop) => break,
            next = next => next,
        };
        match (place, accepted) {
            (Ok(place), Ok((stream, _))) => {
                open.spawn(connection(stream, routes.clone(), stop.clone(), place));
            }
            (_, Err(error)) => {
                tracing::warn!("a connection could not be taken: {error}");
                tokio::time::sleep(PAUSE).await;
            }
            // The semaphore is never closed.
            (Err(_), Ok(_)) => break,
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, routes: Router, mut stop: watch::Receiver<bool>, _place: OwnedSemaphorePermit) {
    // Answers and live updates are small; without this the kernel waits for more of them.
    let _ = stream.set_nodelay(true);
    let served = http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(HEADER).serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let mut served = pin!(served);
    let done = tokio::select! {
        done = served.as_mut() => done,
        () = told(&mut stop) => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = done {
        tracing::debug!("a connection ended: {error}");
    }
}

/// Returns when the server stops.
async fn told(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone stops it as well.
    let _ = stop.wait_for(|stop| *stop).await;
}
