//! Drift and overrides, as values.

mod overrides;
