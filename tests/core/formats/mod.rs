//! Formats: YAML, trueup.yaml, octoDNS, zone files.

mod yaml;
mod yaml_typed;
