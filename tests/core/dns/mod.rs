//! The DNS kind.
