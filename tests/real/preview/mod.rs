//! `trueup preview` as a job of CI meets it.

mod examples;
mod issuer;
mod job;
mod offline;
mod served;
mod sign_in;
