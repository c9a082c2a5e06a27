//! The local forge: pushes by path and over HTTP, merge requests, the face, and pinned merges.

mod face;
mod house;
mod http;
mod merge;
mod push;
mod requests;
