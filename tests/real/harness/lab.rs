//! The lab's name server in a thread of its own, so that tests may block while it answers.

use super::dns::{KEY_NAME, KEY_SECRET};
use std::{net::SocketAddr, sync::mpsc, thread};
use trueup::lab::dns::{Key, ZoneData, serve};

/// A running lab server; it stops when dropped.
#[derive(Debug)]
pub struct Lab {
    pub addr: SocketAddr,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Lab {
    pub fn start(zones: Vec<ZoneData>) -> Self {
        let (ready, started) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime can be made");
            runtime.block_on(async {
                let key = Key { name: KEY_NAME.into(), secret: KEY_SECRET.into() };
                let running = serve(&zones, &key).await.expect("the lab starts");
                ready.send(running.addr).expect("the test waits for it");
                // Ends when the sender is dropped.
                let _ = stopped.await;
            });
        });
        Self { addr: started.recv().expect("the lab starts"), _stop: stop }
    }
}
