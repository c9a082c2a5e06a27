//! Plans as text, Markdown, JSON and Mermaid.

mod kinds;

pub use kinds::Kinds;
