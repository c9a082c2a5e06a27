//! The embedded templates and the bridge from JSON to their values.

use crate::core::{
    model::Time,
    review::escape::{html, plain, sentence_html},
};
use minijinja::{AutoEscape, Environment, Value};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, sync::LazyLock};

const TEMPLATES: [(&str, &str); 11] = [
    ("base.html", include_str!("templates/base.html")),
    ("changes.html", include_str!("templates/changes.html")),
    ("change.html", include_str!("templates/change.html")),
    ("order.html", include_str!("templates/order.html")),
    ("side.html", include_str!("templates/side.html")),
    ("rest.html", include_str!("templates/rest.html")),
    ("parts.html", include_str!("templates/parts.html")),
    ("live.html", include_str!("templates/live.html")),
    ("drift.html", include_str!("templates/drift.html")),
    ("login.html", include_str!("templates/login.html")),
    ("fault.html", include_str!("templates/fault.html")),
];

pub const STYLE: &str = include_str!("templates/style.css");
pub const SCRIPT: &str = include_str!("templates/live.js");

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source).expect("the embedded templates parse: the tests render each of them");
    }
    environment
});

/// A template filled with an object; a fault of ours becomes a page that says so.
pub fn render(name: &str, model: Json) -> String {
    let result = ENVIRONMENT.get_template(name).and_then(|template| template.render(value(model)));
    result.unwrap_or_else(|error| format!("<!doctype html><title>trueup</title><p>This page could not be made: {}", html(&error.to_string())))
}

/// Marks HTML that is escaped already.
pub fn safe(html: String) -> Json {
    json!({ SAFE: html })
}

/// Text of several lines that is visible as it is.
pub fn lines(text: &str) -> Json {
    safe(text.lines().map(|line| html(&plain(line))).collect::<Vec<_>>().join("\n"))
}

/// An instant for people: `2026-11-21 16:07:36`, in UTC as its title says.
pub fn when(time: Time) -> String {
    time.to_string().chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// A sentence of ours: escaped, with its code spans as code.
pub fn sentence(text: &str) -> Json {
    safe(sentence_html(text))
}

/// An answer of ours: its lines as they are, with code spans as code and nothing else of Markdown.
pub fn paragraphs(text: &str) -> Json {
    safe(text.lines().map(|line| sentence_html(&plain(line))).collect::<Vec<_>>().join("\n"))
}

const SAFE: &str = "$safe";

fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(b) => Value::from(b),
        Json::Number(n) => n.as_i64().map_or_else(|| Value::from(n.to_string()), Value::from),
        // Escaped here, by the one function that the core tests; whatever else reaches a template is escaped there.
        Json::String(text) => Value::from_safe_string(html(&plain(&text))),
        Json::Array(items) => items.into_iter().map(value).collect(),
        Json::Object(mut map) => match map.remove(SAFE) {
            Some(Json::String(html)) if map.is_empty() => Value::from_safe_string(html),
            _ => Value::from(map.into_iter().map(|(key, json)| (key, value(json))).collect::<BTreeMap<String, Value>>()),
        },
    }
}
