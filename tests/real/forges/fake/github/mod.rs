//! The fake forge in GitHub's words: REST v3, and the one question that only its GraphQL answers.

mod answer;
mod deploy;
mod git;
mod graphql;
mod json;
mod pulls;
mod setup;

pub use answer::answer;
pub use graphql::graphql;
