//! An authoritative name server on loopback that takes signed updates and transfers.
//!
//! The server is hickory-server; `zone` adds what it leaves out (prerequisites compared as whole RRsets, questions answered with
//! a signature), `server` binds it to a free port. Zones live in memory and end with it. A transfer is one message, as the
//! library sends it: a zone of more than 64 KiB cannot be transferred.

mod octodns;
mod server;
mod zone;

pub use server::{Key, LabError, Running, ZoneData, fresh_key, serve, start};
