//! An HTTP proxy before an etcd or a Consul that loses one writing transaction, or the reply to one.

use super::proxy::Loss;
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    thread,
};

/// A proxy; it ends with the test process.
pub struct HttpProxy {
    pub addr: SocketAddr,
    upstream: SocketAddr,
    next: Arc<AtomicU8>,
    writes: Arc<AtomicU64>,
    kept: Kept,
}

/// A request that is on its way for as long as the test says.
type Kept = Arc<Mutex<Option<(String, Vec<u8>)>>>;

/// Beside `Loss`: the request is kept, to be delivered when nobody waits for it any more.
const KEEP: u8 = u8::MAX;

impl HttpProxy {
    pub fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let (next, writes, kept) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicU64::new(0)), Kept::default());
        let (at, count, keep) = (next.clone(), writes.clone(), kept.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (at, count, keep) = (at.clone(), count.clone(), keep.clone());
                thread::spawn(move || serve(client, upstream, &at, &count, &keep));
            }
        });
        Self { addr, upstream, next, writes, kept }
    }

    /// Loses something of the next writing transaction.
    pub fn lose(&self, loss: Loss) {
        self.next.store(loss as u8 + 1, Ordering::SeqCst);
    }

    /// Keeps the next writing transaction on its way, and closes its connection.
    pub fn keep(&self) {
        self.next.store(KEEP, Ordering::SeqCst);
    }

    /// Delivers the one that was kept; what the server answers to nobody.
    pub fn deliver(&self) -> String {
        let (head, body) = self.kept.lock().expect("no thread panics with it").take().expect("one was kept");
        String::from_utf8_lossy(&pass(self.upstream, &head, &body).expect("the server answers")).into_owned()
    }

    /// How many writing transactions have reached the server.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }
}

/// Serves one request on one connection; the client opens another for the next.
fn serve(mut client: TcpStream, upstream: SocketAddr, next: &AtomicU8, writes: &AtomicU64, kept: &Mutex<Option<(String, Vec<u8>)>>) -> Option<()> {
    let (head, body) = request(&mut client)?;
    let text = String::from_utf8_lossy(&body);
    let etcd = head.starts_with("POST /v3/kv/txn") && (text.contains("request_put") || text.contains("request_delete_range"));
    let consul = head.starts_with("PUT /v1/kv/") || head.starts_with("PUT /v1/txn") && (text.contains("\"cas\"") || text.contains("\"delete-cas\""));
    let is_write = etcd || consul;
    let loss = if is_write { next.swap(0, Ordering::SeqCst) } else { 0 };
    if loss == Loss::Request as u8 + 1 {
        return None;
    }
    if loss == KEEP {
        *kept.lock().expect("no thread panics with it") = Some((head, body));
        return None;
    }
    writes.fetch_add(u64::from(is_write), Ordering::SeqCst);
    let answer = pass(upstream, &head, &body)?;
    if loss == Loss::Reply as u8 + 1 {
        return None;
    }
    client.write_all(&answer).ok()
}

/// Hands a request on; the whole answer.
fn pass(upstream: SocketAddr, head: &str, body: &[u8]) -> Option<Vec<u8>> {
    let mut server = TcpStream::connect(upstream).ok()?;
    let kept: String = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:")).map(|line| format!("{line}\r\n")).collect();
    server.write_all(format!("{kept}Connection: close\r\n\r\n").as_bytes()).ok()?;
    // A server that refuses a body by its length may not read all of it; its answer counts.
    let _ = server.write_all(body);
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    Some(answer)
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
