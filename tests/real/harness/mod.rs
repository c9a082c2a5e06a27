//! Starts real servers on loopback and stops them.
