//! The change as people meet it: what the forge shows us, phases, commands, and the face we show back.

mod command;
mod face;
mod phase;
mod sighting;

pub use command::Command;
pub use face::{Face, Label, Status, StatusState};
pub use phase::Phase;
pub use sighting::{Check, Comment, CommentId, MrState, Review, Right, Sighting};
