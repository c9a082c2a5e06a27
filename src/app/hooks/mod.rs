//! Webhooks inside the house: taken at the door, kept before they are answered, and turned into looks.

mod attend;
mod notes;
mod reception;

pub use attend::attend;
pub use notes::pushers;
pub use reception::{Door, Judged, NotTaken, Part, Project, Reception, Taken};
