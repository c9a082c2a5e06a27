//! An HTTP proxy before an etcd or a Consul that loses one writing transaction, or the reply to one.

use super::proxy::Loss;
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    thread,
};

/// A proxy; it ends with the test process.
pub struct HttpProxy {
    pub addr: SocketAddr,
    next: Arc<AtomicU8>,
    writes: Arc<AtomicU64>,
}

impl HttpProxy {
    pub fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let (next, writes) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicU64::new(0)));
        let (at, count) = (next.clone(), writes.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (at, count) = (at.clone(), count.clone());
                thread::spawn(move || serve(client, upstream, &at, &count));
            }
        });
        Self { addr, next, writes }
    }

    /// Loses something of the next writing transaction.
    pub fn lose(&self, loss: Loss) {
        self.next.store(loss as u8 + 1, Ordering::SeqCst);
    }

    /// How many writing transactions have reached the server.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }
}

/// Serves one request on one connection; the client opens another for the next.
fn serve(mut client: TcpStream, upstream: SocketAddr, next: &AtomicU8, writes: &AtomicU64) -> Option<()> {
    let (head, body) = request(&mut client)?;
    let text = String::from_utf8_lossy(&body);
    let etcd = head.starts_with("POST /v3/kv/txn") && (text.contains("request_put") || text.contains("request_delete_range"));
    let consul = head.starts_with("PUT /v1/kv/") || head.starts_with("PUT /v1/txn") && (text.contains("\"cas\"") || text.contains("\"delete-cas\""));
    let is_write = etcd || consul;
    let loss = if is_write { next.swap(0, Ordering::SeqCst) } else { 0 };
    if loss == Loss::Request as u8 + 1 {
        return None;
    }
    writes.fetch_add(u64::from(is_write), Ordering::SeqCst);
    let mut server = TcpStream::connect(upstream).ok()?;
    let kept: String = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:")).map(|line| format!("{line}\r\n")).collect();
    server.write_all(format!("{kept}Connection: close\r\n\r\n").as_bytes()).ok()?;
    // A server that refuses a body by its length may not read all of it; its answer counts.
    let _ = server.write_all(&body);
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    if loss == Loss::Reply as u8 + 1 {
        return None;
    }
    client.write_all(&answer).ok()
}

/// The head without its empty line, and the body.
fn request(from: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        from.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    Some((head.trim_end().to_owned(), body))
}
