//! Plans as text, Markdown, JSON and Mermaid.
