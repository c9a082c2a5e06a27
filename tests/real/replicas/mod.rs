//! Several replicas of the server over one etcd: kills, stops, cuts, and what may never happen meanwhile.

mod halts;
mod house;
mod kills;
#[cfg(feature = "faults")]
mod merging;
mod store;
mod stories;
mod sweeps;
#[cfg(feature = "faults")]
mod takeovers;
