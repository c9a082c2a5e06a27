//! What `demo` runs beside trueup; used by `cli/demo.rs` and tests alone.
