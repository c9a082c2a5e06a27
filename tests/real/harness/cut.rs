//! A TCP proxy that can be cut: while it is, nothing passes in either direction and nobody is told.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// A proxy; it ends with the test process.
pub struct CutProxy {
    pub addr: SocketAddr,
    cut: Arc<AtomicBool>,
}

impl CutProxy {
    pub fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let cut = Arc::new(AtomicBool::new(false));
        let is_cut = cut.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(upstream) else { continue };
                let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else { continue };
                let (one, two) = (is_cut.clone(), is_cut.clone());
                thread::spawn(move || carry(client, server, &one));
                thread::spawn(move || carry(server_too, client_too, &two));
            }
        });
        Self { addr, cut }
    }

    /// Cuts the network, or mends it.
    pub fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }
}

/// Carries bytes one way; what comes while it is cut is lost, and so is the connection.
fn carry(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool) {
    let mut bytes = [0; 16 << 10];
    let mut lost = false;
    let _ = from.set_read_timeout(Some(Duration::from_millis(100)));
    loop {
        match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(_) if lost || cut.load(Ordering::SeqCst) => lost = true,
            Ok(n) if to.write_all(&bytes[..n]).is_ok() => {}
            Ok(_) => break,
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                // A connection that lost bytes is of no use once the network is mended.
                if lost && !cut.load(Ordering::SeqCst) {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    let _ = from.shutdown(std::net::Shutdown::Both);
    let _ = to.shutdown(std::net::Shutdown::Both);
}
