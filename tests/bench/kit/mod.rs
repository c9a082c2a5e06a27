//! What the benches share.
//!
//! Whether they were asked for, timings with their spread, memory, made repositories, a driver that costs nothing, plans, a whole change
//! through the service.

mod house;
mod importer;
mod null;
mod planner;
mod process;
mod raw;
mod series;

pub use house::{House, ROOT, Whole};
pub use importer::Importer;
pub use null::{NoSecrets, Null};
pub use planner::Planner;
pub use process::{Memory, again, asked, child};
pub use raw::grouped_writes;
pub use series::{Series, ratio, rounds};
