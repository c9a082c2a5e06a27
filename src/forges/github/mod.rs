//! GitHub and GitHub Enterprise: pull requests as merge requests, over REST and the one question that only GraphQL answers.
//!
//! What is read is read back from GitHub whenever it matters; webhooks are hints. What is written is found again before it is written
//! twice: the sticky comment and answers by hidden marks in comments of our own account, statuses by their context, a merge by its head.

mod api;
mod app;
mod app_exam;
mod checks;
mod deploy;
mod door;
mod exam;
mod forge;
mod look;
mod merge;
mod people;
mod propose;
mod reader;
mod runs;
mod setup;
mod sweep;
mod threads;
mod transport;
mod wire;
mod writer;

pub use forge::GitHub;
