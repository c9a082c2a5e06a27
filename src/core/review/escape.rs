//! Data on its way into Markdown, HTML and Mermaid: names and values can never ping people, or become markup, links or diagrams.

/// Characters that Markdown, HTML, a forge's shorthands (`@user`, `#1`, `!2`, `:smile:`, `~label`) or Mermaid give a meaning.
const ACTIVE: &str = "\\`*_{}[]()<>#+-.!|~@:$%^&=\"'/";

/// Data inside a sentence: every active character becomes an entity, so it reads the same and does nothing.
pub fn name(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '-' | '.' | '/' | '(' | ')' | '\'' | '"' | '=' | '%' => out.push(c),
            c if ACTIVE.contains(c) => out.push_str(&format!("&#{};", u32::from(c))),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Data as a code span.
pub fn code(text: &str) -> String {
    format!("<code>{}</code>", name(text))
}
