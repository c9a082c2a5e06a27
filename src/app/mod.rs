//! The shell: where effects become real, and the wiring of everything.

mod board;
pub mod config;
mod dangling;
mod desk;
pub mod doctor;
pub mod drift;
mod faults;
mod follow;
mod governing;
mod intake;
mod local_desk;
mod looks;
mod neighbours;
mod news;
mod orders;
mod overrides;
pub mod people;
mod perform;
pub mod planning;
mod replicas;
pub mod safe;
pub mod service;
mod survey;
mod targets;
pub mod validate;
pub mod wiring;
mod worker;
mod world;

pub use board::BoardRoom;
pub use desk::Desk;
pub use news::News;
pub use overrides::OverrideBook;
pub use targets::{Target, Targets, observe_all};
pub use worker::Glance;
pub use world::{Forge, Repository, Trouble, World};
