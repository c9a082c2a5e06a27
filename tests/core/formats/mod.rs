//! Formats: YAML, trueup.yaml, octoDNS, zone files.

mod cel;
pub mod files;
mod keytree;
mod octodns;
mod octodns_write;
mod references;
mod templates;
mod trueup_yaml;
mod yaml;
mod yaml_typed;
mod zonefile;
