//! Drivers for name servers.
