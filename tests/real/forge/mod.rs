//! The local forge.
