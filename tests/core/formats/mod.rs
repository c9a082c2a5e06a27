//! Formats: YAML, trueup.yaml, octoDNS, zone files.
