//! The change as people meet it: what the forge shows us, phases, commands, and the face we show back.

pub mod board;
mod brings;
pub mod command;
mod comment;
mod depends;
pub mod escape;
mod face;
mod json;
mod phase;
mod sighting;
mod veil;
mod view;
pub mod words;

pub use board::{Board, BoardEvent, BoardImage};
pub use brings::Brings;
pub use command::Command;
pub use comment::{MARKER, MOST_CHARS, face, labels};
pub use depends::{Depended, Dependency, depends_on};
pub use face::{Deployment, DeploymentState, Face, Label, Status, StatusState};
pub use phase::Phase;
pub use sighting::{Check, Comment, CommentId, DRIFT, MrState, Review, Right, Sighting, TEAM, Team, Teams, means, team_of};
pub use veil::{Veil, kept_plain, veiled};
pub use view::{ApprovalView, Direction, Failure, FailureKind, Given, HealthView, ItemState, Left, Links, Queue, Since, StepState, StepView, Times, View};
pub use words::{Answer, Upshot, Waiting};
