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

impl Face {
    /// Whether it tells only how far the change is by now, beside what `last` told already: it waits for nothing else, and nothing stands otherwise.
    ///
    /// Words under a status that is pending are progress: a run of hours has thousands of them, and a forge takes 1,000 statuses of a name on a commit.
    pub fn goes_on(&self, last: &Face) -> bool {
        let alike = |(new, old): (&Status, &Status)| (&new.context, new.state) == (&old.context, old.state) && (new.state == StatusState::Pending || new.text == old.text);
        let statuses = self.statuses.len() == last.statuses.len() && self.statuses.iter().zip(&last.statuses).all(alike);
        statuses && (&self.head, &self.labels, self.plan) == (&last.head, &last.labels, last.plan)
    }
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
