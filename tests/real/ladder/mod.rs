//! The driver conformance ladder.
