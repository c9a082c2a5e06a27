//! What the benches share: whether they were asked for, timings with their spread, memory, made repositories, a driver that costs nothing.

mod importer;
mod null;
mod process;
mod series;

pub use importer::Importer;
pub use null::{NoSecrets, Null};
pub use process::{Memory, again, asked, child};
pub use series::{Series, ratio, rounds};
