//! JSON Schema beside values: what `NAME.schema.json` says of the file `NAME`, with the place of every value that does not fit.

use super::format::Leaf;
use crate::{
    core::model::{Place, Refusal, RefusalKind},
    formats::{
        Files,
        yaml::{self, Node, NodeKind},
    },
};
use jsonschema::{PatternOptions, Retrieve, Uri};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// How schemas are called.
pub(super) const SUFFIX: &str = ".schema.json";

/// One schema may be made of so many files.
const FILES: usize = 64;

/// So many faults of one file are told.
const TOLD: usize = 50;

/// Under which schemas know each other; nothing is ever fetched from there.
const HERE: &str = "file:///";

/// The schema of a file, by its path with or without the extension that says its grammar.
pub(super) fn beside(bare: &str) -> String {
    format!("{bare}{SUFFIX}")
}

/// What of a file its schema does not allow.
pub(super) fn faults(files: &dyn Files, path: &str, root: &Node) -> Vec<Refusal> {
    let validator = match validator(files, path) {
        Ok(validator) => validator,
        Err(fault) => return vec![fault],
    };
    let value = json(root);
    // A value may be a secret that somebody wrote down: only the schema's words are told.
    let told = |error: jsonschema::ValidationError<'_>| {
        let pointer = error.instance_path().as_str().to_owned();
        let way: Vec<String> = pointer.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~")).collect();
        let at = root.nearest_to(&way.iter().map(String::as_str).collect::<Vec<_>>());
        let who = if way.is_empty() { "the file".to_owned() } else { format!("`{}`", way.join(".")) };
        let what = format!("{who} does not fit its schema: {}", error.masked());
        let rule = error.schema_path().as_str().to_owned();
        Refusal::new(RefusalKind::Schema, what).at(at.place.clone()).advice(format!("mend the value, or what {} says at `{rule}`", files.in_repository(path)))
    };
    validator.iter_errors(&value).take(TOLD).map(told).collect()
}

fn validator(files: &dyn Files, path: &str) -> Result<jsonschema::Validator, Refusal> {
    let name = files.in_repository(path);
    let parts = Parts::gather(files, path)?;
    let Some(schema) = parts.0.get(path).cloned() else { return Err(Refusal::new(RefusalKind::Path, "there is no such schema").at(Place::file(name))) };
    // Patterns of a linear engine: what a merge request brings must not be able to stall planning.
    let options = jsonschema::options().with_pattern_options(PatternOptions::regex()).with_base_uri(format!("{HERE}{path}")).with_retriever(parts);
    options.build(&schema).map_err(|error| {
        let at = match error.instance_path().as_str() {
            "" => String::new(),
            at => format!(" at `{at}`"),
        };
        let what = format!("the schema makes no sense{at}: {}", error.masked());
        Refusal::new(RefusalKind::Schema, what).at(Place::file(name)).advice("check its keywords; patterns have no look-around, and `$ref` leads to files of the same source")
    })
}

/// A schema and the schemas it refers to, by path.
struct Parts(BTreeMap<String, Json>);

impl Parts {
    fn gather(files: &dyn Files, path: &str) -> Result<Self, Refusal> {
        let mut parts = BTreeMap::new();
        let mut open = vec![path.to_owned()];
        while let Some(path) = open.pop() {
            if parts.contains_key(&path) {
                continue;
            }
            if parts.len() == FILES {
                return Err(Refusal::new(RefusalKind::Budget, format!("the schema is made of more than {FILES} files"))
                    .at(Place::file(files.in_repository(&path)))
                    .advice("put some of them together"));
            }
            let (name, bytes) = (files.in_repository(&path), files.bytes(&path)?);
            let schema: Json = serde_json::from_slice(&bytes).map_err(|error| {
                let place = Place::new(name, u32::try_from(error.line()).unwrap_or(u32::MAX), u32::try_from(error.column()).unwrap_or(u32::MAX));
                let what = format!("broken JSON: {}", error.to_string().split(" at line ").next().unwrap_or_default());
                yaml::with_excerpt(Refusal::new(RefusalKind::Syntax, what).at(place).advice("check commas, quotes and brackets here and just above"), &bytes)
            })?;
            references(&schema, &mut |reference| open.extend(file(&path, reference)));
            parts.insert(path, schema);
        }
        Ok(Self(parts))
    }
}

impl Retrieve for Parts {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Json, Box<dyn std::error::Error + Send + Sync>> {
        let path = uri.as_str().strip_prefix(HERE).and_then(|path| self.0.get(path));
        path.cloned().ok_or_else(|| format!("`{uri}` is not fetched: a schema's parts lie in its own source").into())
    }
}

/// Every `$ref` of a schema.
fn references(schema: &Json, found: &mut dyn FnMut(&str)) {
    match schema {
        Json::Object(map) => {
            if let Some(Json::String(reference)) = map.get("$ref") {
                found(reference);
            }
            map.values().for_each(|below| references(below, found));
        }
        Json::Array(items) => items.iter().for_each(|below| references(below, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// The file that a reference leads to, relative to the one it stands in; none for places in the same file and for other hosts.
fn file(from: &str, reference: &str) -> Option<String> {
    let path = reference.split('#').next().filter(|path| !path.is_empty() && !path.contains(':') && !path.starts_with('/'))?;
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The pairs of a properties file as a map of texts.
pub(super) fn pairs(file: &str, leaves: &[Leaf]) -> Node {
    let text = |text: &str, place: &Place| Node::scalar(NodeKind::Str(text.to_owned()), "", place.clone());
    let pair = |leaf: &Leaf| (text(&leaf.below, &leaf.place), text(&String::from_utf8_lossy(&leaf.bytes), &leaf.place));
    Node::new(NodeKind::Map(leaves.iter().map(pair).collect()), Place::new(file, 1, 1))
}

/// A file that is one value: the JSON it is, or else its text without the line break at the end.
pub(super) fn whole(file: &str, bytes: &[u8]) -> Node {
    let place = Place::new(file, 1, 1);
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    match serde_json::from_str::<Json>(text) {
        Ok(Json::Number(number)) => Node::scalar(NodeKind::Num(number.to_string()), "", place),
        Ok(Json::Bool(is)) => Node::scalar(NodeKind::Bool(is), text, place),
        Ok(Json::Null | Json::String(_) | Json::Array(_) | Json::Object(_)) | Err(_) => Node::scalar(NodeKind::Str(text.to_owned()), "", place),
    }
}

fn json(node: &Node) -> Json {
    match &node.kind {
        NodeKind::Null => Json::Null,
        NodeKind::Bool(is) => Json::Bool(*is),
        NodeKind::Int(number) => Json::from(*number),
        // What is no JSON number (`.inf`) is compared as text, which no numeric rule lets pass.
        NodeKind::Num(text) => text.parse::<serde_json::Number>().map_or_else(|_| Json::String(text.clone()), Json::Number),
        NodeKind::Str(text) => Json::String(text.clone()),
        NodeKind::List(items) => Json::Array(items.iter().map(json).collect()),
        NodeKind::Map(pairs) => Json::Object(pairs.iter().map(|(key, value)| (key.text().unwrap_or_default().to_owned(), json(value))).collect::<Map<_, _>>()),
    }
}
