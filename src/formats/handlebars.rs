//! Strings in template leaves, by strict handlebars without partials or helpers.

use crate::core::{
    model::{Refusal, RefusalKind},
    plan::Leaves,
};
use handlebars::{Handlebars, no_escape};
use std::collections::BTreeMap;

/// A leaf is a name or a short text, never a document.
const CHARACTERS: usize = 4096;

/// What a leaf may grow to: values are names, so ten times the text is plenty.
const RENDERED: usize = 65_536;

/// Fills leaves written in handlebars: `{{target}}`. A name that nobody gives is a fault, and nothing computes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strict;

impl Leaves for Strict {
    fn fill(&self, leaf: &str, values: &BTreeMap<&str, String>) -> Result<String, Refusal> {
        if !leaf.contains("{{") {
            return Ok(leaf.to_owned());
        }
        let refused = |kind, what: String, advice: String| Refusal::new(kind, format!("the text `{}` {what}", short(leaf))).advice(advice);
        if leaf.chars().count() > CHARACTERS {
            return Err(refused(RefusalKind::Budget, format!("has more than {CHARACTERS} characters"), "shorten it".into()));
        }
        let names =
            names(leaf).map_err(|inner| refused(RefusalKind::Schema, format!("asks for `{}`, which is more than a name", short(inner)), "use plain names: `{{name}}`".into()))?;
        if let Some(name) = names.into_iter().find(|name| !values.contains_key(name)) {
            let known: Vec<&str> = values.keys().copied().collect();
            return Err(refused(RefusalKind::Unknown, format!("names `{name}`, which is not given"), format!("known here: {}", known.join(", "))));
        }
        let mut engine = Handlebars::new();
        engine.set_strict_mode(true);
        engine.register_escape_fn(no_escape);
        let filled = engine.render_template(leaf, values).map_err(|_| refused(RefusalKind::Syntax, "is no leaf".into(), "write `{{name}}`".into()))?;
        if filled.len() > RENDERED {
            return Err(refused(RefusalKind::Budget, format!("becomes longer than {RENDERED} bytes"), "name fewer values in it".into()));
        }
        Ok(filled)
    }
}

/// The names a leaf asks for; the first expression that is no plain name (a block, partial, helper, path, comment, escape) otherwise.
fn names(leaf: &str) -> Result<Vec<&str>, &str> {
    let mut names = Vec::new();
    let mut rest = leaf;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inner, more)) = after.split_once("}}") else { return Err(after) };
        let name = inner.trim();
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !is_name || before.ends_with('\\') {
            return Err(inner);
        }
        names.push(name);
        rest = more;
    }
    Ok(names)
}

fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
