//! BIND zone files (RFC 1035, 5): `example.com.zone` or `db.example.com`, with `$ORIGIN`, `$TTL` and `$INCLUDE` inside the source.
//!
//! Lines are read here, record data by `kinds::dns`. hickory-proto has a zone parser too, but it stops at the first fault, knows no places,
//! makes two octets of `\200`, and takes neither `TYPE123` nor a second name after `$INCLUDE`.

mod entries;
mod format;
mod read;
mod splice;
mod write;

pub use format::ZoneFile;
