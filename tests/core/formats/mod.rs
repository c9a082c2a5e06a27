//! Formats: YAML, trueup.yaml, octoDNS, zone files.

mod cel;
mod leaves;
mod templates;
mod trueup_yaml;
mod yaml;
mod yaml_typed;
