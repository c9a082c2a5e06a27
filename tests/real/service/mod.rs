//! The whole service against a real name server.

#[cfg(feature = "faults")]
mod crash;
mod http;
mod stories;
mod trouble;
mod world;
