//! Starts real servers on loopback and stops them, whatever becomes of the test.

mod bind;
mod client;
mod disk;
mod dns;
mod knot;
mod lab;
mod ports;
mod process;
mod proxy;

pub use client::Client;
pub use disk::SmallDisk;
pub use dns::{DnsServer, KEY_ALGORITHM, KEY_NAME, KEY_SECRET, WRONG_SECRET};
pub use lab::Lab;
pub use ports::free_port;
pub use process::{Process, wait_for};
pub use proxy::{Loss, Proxy};
