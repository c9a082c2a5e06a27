//! Plans and previews as text, Markdown, JSON, Mermaid and pictures, and refusals as a compiler would show them.

mod json;
mod kinds;
pub mod markdown;
mod mermaid;
mod picture;
mod preview;
mod refusal;
mod sheet;
mod text;

pub use json::{VERSION, json, place, value_json};
pub use kinds::Kinds;
pub use markdown::{Room, markdown};
pub use mermaid::{MOST_STEPS, does, mermaid, step_words};
pub use picture::{Arrow, Picture, StepBox, levels, picture};
pub use preview::{Found, Outcome, PREVIEW_MARKER, Preview, UNSEEN_MARKER, Unseen, changes_nothing};
pub use refusal::refusal;
pub use sheet::{Line, Sheet, Summary};
pub use text::{Style, aside, reasons as step_reasons, text, way_back};
