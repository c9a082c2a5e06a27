//! Formats: YAML, trueup.yaml, octoDNS, zone files.

mod cel;
mod leaves;
mod yaml;
mod yaml_typed;
