//! Plans as text, Markdown, JSON and Mermaid, and refusals as a compiler would show them.

mod json;
mod kinds;
pub mod markdown;
mod mermaid;
mod refusal;
mod sheet;
mod text;

pub use json::{VERSION, json, place, value_json};
pub use kinds::Kinds;
pub use markdown::{Room, markdown};
pub use mermaid::{MOST_STEPS, mermaid, step_words};
pub use refusal::refusal;
pub use sheet::{Line, Sheet, Summary};
pub use text::{Style, aside, reasons as step_reasons, text, way_back};
