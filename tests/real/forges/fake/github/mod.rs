//! The fake forge in GitHub's words: REST v3, and the one question that only its GraphQL answers.

mod answer;
mod apps;
mod deploy;
mod git;
mod graphql;
mod json;
mod pulls;
mod runs;
mod setup;

pub use answer::answer;
pub use apps::{of_installation, of_itself};
pub use graphql::graphql;
