//! Probes on real sites, name servers, commands and a real Prometheus, and attacks on what they may reach.

mod ask;
mod attacks;
mod commands;
mod http;
mod others;
mod prometheus;
