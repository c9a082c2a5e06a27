//! The outward face of a change: desired state for the forge, like any other.

use crate::core::model::{CommitId, Digest, Str};
use serde::{Deserialize, Serialize};

/// What the forge shall show: one sticky comment, statuses on the head, labels, and where the change is being rolled out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Face {
    pub head: CommitId,
    /// Markdown, at most 60,000 characters.
    pub comment: String,
    /// The plan that the comment shows.
    #[serde(default)]
    pub plan: Option<Digest>,
    pub statuses: Vec<Status>,
    pub labels: Vec<Label>,
    /// None before a run began.
    #[serde(default)]
    pub deployments: Vec<Deployment>,
}

/// The head's way to one environment, which is a target; forges that keep deployments show it among theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    pub environment: Str,
    pub state: DeploymentState,
    /// One line.
    pub text: String,
    /// The change's own page, where there is one.
    pub url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    InProgress,
    /// Live, proven and merged.
    Success,
    Failure,
    /// Nothing of it is live any more.
    Inactive,
}

/// One commit status of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// `trueup/plan`, `trueup/approval`, `trueup/rollout` or `trueup/converged`.
    pub context: Str,
    pub state: StatusState,
    /// One line.
    pub text: String,
}

impl Status {
    /// How our own begin, whoever sets them: nobody else's check is named so.
    pub const OURS: &str = "trueup/";
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusState {
    Pending,
    Success,
    Failure,
}

/// A label such as `trueup: rolling`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Label(pub Str);

impl Label {
    /// How our own begin; others are people's.
    pub const OURS: &str = "trueup: ";
}
