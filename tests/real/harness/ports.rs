//! Ports for servers that take a number and not a socket.

use std::{
    fs::{self, File},
    net::{TcpListener, UdpSocket},
    sync::Mutex,
};

/// Below what systems give out by themselves, so that no connection of another test comes by one between its choice and its use.
const FIRST: u16 = 15_000;
const COUNT: u16 = 15_000;

/// The locks of the ports given out; they last as long as this process.
static LEASED: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port that is free for TCP and UDP and that no other call gets, in this process or another, as long as this process lives.
///
/// To ask the system for one is not enough: it may name the same port twice, and BIND shares a port with whoever has it (`SO_REUSEPORT`) without a word,
/// so that half of the questions reach the wrong listener.
pub fn free_port() -> u16 {
    let dir = std::env::temp_dir().join("trueup-test-ports");
    fs::create_dir_all(&dir).expect("the temporary folder is writable");
    let mut leased = LEASED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    for step in 0..COUNT {
        let port = FIRST + (start + step) % COUNT;
        let lock = File::create(dir.join(port.to_string())).expect("the temporary folder is writable");
        if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() && UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            leased.push(lock);
            return port;
        }
    }
    panic!("no port from {FIRST} on is free");
}
