//! The DNS kind: RRsets in zones, their canonical form, references, exclusions and protections.
