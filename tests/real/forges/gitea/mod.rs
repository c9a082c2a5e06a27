//! The Gitea driver over a real Gitea: the table of all forges, what is Gitea's own, and stories through the whole server.

mod branches;
mod doctor;
mod house;
mod last_moment;
mod midway;
mod setup;
mod stories;
mod table;
mod town;
