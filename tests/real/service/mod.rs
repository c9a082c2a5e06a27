//! The whole service against a real name server.

mod adopt;
mod boardroom;
pub mod branches;
mod canary;
mod centers;
mod config;
#[cfg(feature = "faults")]
mod crash;
mod disk;
mod doctor;
mod drift;
mod drift_mr;
mod health;
mod held;
mod http;
mod import;
mod input;
mod looks;
mod moved;
pub mod moves;
mod others;
mod overrides;
mod references;
mod rest;
mod rolling;
mod rules;
mod sealed;
mod secrets;
mod stories;
mod stubborn;
mod systems;
mod tasks;
mod together;
mod trouble;
mod waits;
mod whole;
pub mod world;
