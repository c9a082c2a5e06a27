//! Formats: YAML, trueup.yaml, octoDNS and its health checks, zone files.

mod cel;
mod codeowners;
pub mod files;
mod healthchecks;
mod keytree;
mod octodns;
mod octodns_write;
mod references;
mod templates;
mod trueup_yaml;
mod yaml;
mod yaml_typed;
mod zonefile;
