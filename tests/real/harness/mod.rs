//! Starts real servers on loopback and stops them, whatever becomes of the test.

mod bind;
mod dns;
mod knot;
mod process;
mod proxy;

pub use dns::{DnsServer, KEY_ALGORITHM, KEY_NAME, KEY_SECRET, WRONG_SECRET};
pub use process::{Process, free_port, wait_for};
pub use proxy::{Loss, Proxy};
