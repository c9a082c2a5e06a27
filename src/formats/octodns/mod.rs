//! octoDNS YAML: one file a zone (`example.com.yaml`), or a folder a zone (`example.com./www.yaml`), read as octoDNS reads it.
//!
//! Followed is octoDNS 1.22 with its default checks: `value` and `values`, lists of types under one name, names without their last dot
//! taken as full names, TXT text without quotes and with `\;`, one hour of TTL where none is said, keys as YAML 1.1 makes them.
//! `octodns: {ignored, included, excluded, lenient}` hold, `healthcheck` where the source opts in; geo and dynamic
//! records are refused.

mod checks;
mod fields;
mod format;
mod read;
mod scalar;
mod splice;
mod txt;
mod write;
mod yaml_text;

pub use format::OctoDns;
