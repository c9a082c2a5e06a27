//! The engine: scenarios as text files, every prefix recovers.

mod plans;
mod prefixes;
mod scenarios;
mod trace;
mod veil;
mod verbs;
mod world;
