//! The one YAML loader: bytes to values with places, within budgets, and from there to typed configuration.
//!
//! Scalars are read by the YAML 1.2 core schema (`yes` is text, `010` is ten). Every plain scalar keeps its source text,
//! so that a format whose own readers follow YAML 1.1 (octoDNS) can decide by itself.

mod budget;
mod de;
mod lines;
mod load;
mod node;
mod scalar;

pub use budget::Budget;
pub use de::{from_bytes, from_node};
pub use lines::with_excerpt;
pub use load::{load, load_all};
pub use node::{Node, NodeKind};
