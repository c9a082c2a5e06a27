//! `trueup preview`: a merge request's plan for a job of CI, asked of the server or, with `--offline`, made from the checkout alone.

mod ask;
mod job;
mod notices;
mod run;
mod token;

pub use run::{PreviewArgs, run};
