//! Webhooks: genuine or not, what they say, and what becomes of them at a running server.

mod door;
mod kills;
mod payloads;
mod reception;
mod samples;
mod signatures;
