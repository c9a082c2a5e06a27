//! Webhooks: genuine or not, what they say, and what becomes of them at a running server.

mod payloads;
mod samples;
mod signatures;
