//! The fake forge in GitLab's words: REST v4, with what its documentation describes and nothing else.

mod answer;
mod deploy;
mod described;
mod json;
mod requests;
mod setup;

pub use answer::answer;
pub use described::described;
