//! Gitea and Forgejo, over the API that both keep (`/api/v1`).
//!
//! A forge's account is known here by the name that the server's configuration has for it. What the API does not tell at once (who pushed, who set a label,
//! which comments are ours) is read from a merge request's timeline, from where it was read last.

mod exam;
mod forge;
mod merge;
mod propose;
mod reader;
mod setup;
mod talk;
mod teams;
mod wire;
mod writer;

pub use forge::Gitea;
