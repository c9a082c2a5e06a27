//! The demo's shop: tiny HTTP services behind balancers that follow a key, and a client that finds them by a DNS record.
//!
//! trueup governs none of these programs. It changes the record and the keys they follow, and they follow them as such programs do:
//! without mercy for a wrong order, so that the client's count says whether the order was right.

mod balancer;
mod client;
mod release;
mod world;

pub use balancer::Balancer;
pub use client::{Client, Counter, Tally, Wanted};
pub use release::Release;
pub use world::Shop;
