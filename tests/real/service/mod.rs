//! The whole service against a real name server.

#[cfg(feature = "faults")]
mod crash;
mod doctor;
mod http;
mod rules;
mod stories;
mod trouble;
mod world;
