//! A TCP proxy before a name server that loses one UPDATE, or the reply to one.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    thread,
};

/// What the proxy does with the next UPDATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It never reaches the server.
    Request,
    /// It reaches the server, and its answer is lost.
    Reply,
}

/// A proxy; it ends with the test process.
#[derive(Debug)]
pub struct Proxy {
    pub addr: SocketAddr,
    next: Arc<AtomicU8>,
    updates: Arc<AtomicU64>,
    gate: Arc<Gate>,
}

/// Holds UPDATEs back while it is shut.
#[derive(Debug, Default)]
struct Gate {
    /// Whether it is shut, and how many wait before it.
    state: Mutex<(bool, usize)>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut state = self.state.lock().expect("nobody panics with it");
        state.1 += 1;
        state = self.opened.wait_while(state, |(shut, _)| *shut).expect("nobody panics with it");
        state.1 -= 1;
    }

    fn set(&self, shut: bool) {
        self.state.lock().expect("nobody panics with it").0 = shut;
        self.opened.notify_all();
    }
}

impl Proxy {
    pub fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let (next, updates) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicU64::new(0)));
        let gate = Arc::new(Gate::default());
        let (at, count, door) = (next.clone(), updates.clone(), gate.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (at, count, door) = (at.clone(), count.clone(), door.clone());
                thread::spawn(move || serve(client, upstream, &at, &count, &door));
            }
        });
        Self { addr, next, updates, gate }
    }

    /// Loses something of the next UPDATE.
    pub fn lose(&self, loss: Loss) {
        self.next.store(loss as u8 + 1, Ordering::SeqCst);
    }

    /// Holds back every UPDATE from now on; questions pass.
    pub fn hold(&self) {
        self.gate.set(true);
    }

    /// Lets go what is held, and what comes.
    pub fn release(&self) {
        self.gate.set(false);
    }

    /// Whether an UPDATE is being held back.
    pub fn holds(&self) -> bool {
        self.gate.state.lock().expect("nobody panics with it").1 > 0
    }

    /// How many UPDATE messages have reached the server.
    pub fn updates(&self) -> u64 {
        self.updates.load(Ordering::SeqCst)
    }
}

fn serve(mut client: TcpStream, upstream: SocketAddr, next: &AtomicU8, updates: &AtomicU64, gate: &Gate) {
    let Ok(mut server) = TcpStream::connect(upstream) else { return };
    let (Ok(mut answers), Ok(mut back)) = (server.try_clone(), client.try_clone()) else { return };
    thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut back);
        let _ = back.shutdown(std::net::Shutdown::Both);
    });
    while let Some(frame) = read_frame(&mut client) {
        let is_update = frame.get(4).is_some_and(|flags| (flags >> 3) & 0xf == 5);
        let loss = if is_update { next.swap(0, Ordering::SeqCst) } else { 0 };
        if loss == Loss::Request as u8 + 1 {
            break;
        }
        if is_update {
            gate.pass();
            updates.fetch_add(1, Ordering::SeqCst);
        }
        if loss == Loss::Reply as u8 + 1 {
            // On a connection of its own, so that the answer cannot slip through, and waited for, so that the effect is there.
            let Ok(mut apart) = TcpStream::connect(upstream) else { break };
            let _ = apart.write_all(&frame);
            let _ = read_frame(&mut apart);
            break;
        }
        if server.write_all(&frame).is_err() {
            break;
        }
    }
    let _ = client.shutdown(std::net::Shutdown::Both);
    let _ = server.shutdown(std::net::Shutdown::Both);
}

/// One message with its length before it.
fn read_frame(from: &mut TcpStream) -> Option<Vec<u8>> {
    let mut len = [0; 2];
    from.read_exact(&mut len).ok()?;
    let mut frame = vec![0; 2 + usize::from(u16::from_be_bytes(len))];
    frame[..2].copy_from_slice(&len);
    from.read_exact(&mut frame[2..]).ok()?;
    Some(frame)
}
