//! A vendor's OpenAPI description, against which every request to a forge and every answer of it is held.
//!
//! A request may name only what is described: path, query, fields of the body. An answer may leave fields out, but holds none that is not described.

use crate::harness::package;
use jsonschema::Validator;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// Before the name of a schema that takes fields it does not describe.
const OPEN: &str = "open:";

/// The parts of a description that are used; its examples, half of it, are read past.
#[derive(Deserialize)]
struct Document {
    paths: BTreeMap<String, Map<String, Value>>,
    components: Components,
}

#[derive(Deserialize)]
struct Components {
    schemas: Map<String, Value>,
    #[serde(default)]
    parameters: Map<String, Value>,
    #[serde(default)]
    responses: Map<String, Value>,
}

pub struct Description {
    document: Document,
    /// Anything may be null in an answer: the second version of OpenAPI cannot say what.
    nulls: bool,
    /// Compiled when first needed, by operation and what it is for.
    schemas: Mutex<BTreeMap<String, Arc<Validator>>>,
}

/// One described operation that a request matched.
pub struct Operation {
    template: String,
    method: String,
}

impl Description {
    /// GitHub's own.
    pub fn of_github() -> &'static Self {
        static GITHUB: OnceLock<Description> = OnceLock::new();
        GITHUB.get_or_init(|| {
            let file = package("@octokit/openapi", "23.0.2").join("generated/api.github.com.json");
            let text = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            Self { document: serde_json::from_slice(&text).expect("the description is JSON"), nulls: false, schemas: Mutex::default() }
        })
    }

    /// One in the words of the second version.
    pub fn of_version_two(whole: Value) -> Self {
        Self { document: of_version_two(whole), nulls: true, schemas: Mutex::default() }
    }

    /// Whether a schema describes a field, or takes any; none where there is no such schema.
    pub fn describes(&self, schema: &str, field: &str) -> Option<bool> {
        let schema = self.document.components.schemas.get(schema)?;
        Some(schema["properties"].get(field).is_some() || schema["properties"].is_null() && schema["additionalProperties"].is_object())
    }

    /// Finds the operation and holds the request against it.
    pub fn request(&self, method: &str, path: &str, query: &BTreeMap<String, String>, body: &Value) -> Result<Operation, String> {
        let method = method.to_ascii_lowercase();
        let candidates = self.document.paths.iter().filter(|(template, operations)| operations.contains_key(&method) && fits(template, path));
        // `/user/repos` before `/user/{name}`, and whatever is written out before a part that takes in slashes.
        let template = candidates
            .map(|(template, _)| template)
            .min_by_key(|template| (std::cmp::Reverse(template.split('/').count()), template.matches('{').count()))
            .ok_or_else(|| format!("{method} {path} is not described"))?;
        let operation = Operation { template: template.clone(), method };
        self.query(&operation, query)?;
        self.body(&operation, body)?;
        Ok(operation)
    }

    fn described(&self, operation: &Operation) -> &Value {
        &self.document.paths[&operation.template][&operation.method]
    }

    fn query(&self, operation: &Operation, query: &BTreeMap<String, String>) -> Result<(), String> {
        let about = || format!("{} {}", operation.method, operation.template);
        let own = self.described(operation)["parameters"].as_array().cloned().unwrap_or_default();
        let shared = self.document.paths[&operation.template].get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
        let parameters: Vec<Value> = own.into_iter().chain(shared).map(|parameter| self.followed(&parameter)).filter(|parameter| parameter["in"] == "query").collect();
        for (name, text) in query {
            let Some(parameter) = parameters.iter().find(|parameter| parameter["name"] == name.as_str()) else {
                return Err(format!("{} has no query parameter `{name}`", about()));
            };
            let schema = &parameter["schema"];
            let value = match schema["type"].as_str() {
                Some("integer" | "boolean" | "number") => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
                Some("array") => text.split(',').map(Value::from).collect(),
                _ => json!(text),
            };
            self.check(&format!("{} ?{name}", about()), schema, &value, true)?;
        }
        match parameters.iter().find(|parameter| parameter["required"] == true && !query.contains_key(parameter["name"].as_str().unwrap_or_default())) {
            Some(missing) => Err(format!("{} lacks its query parameter {}", about(), missing["name"])),
            None => Ok(()),
        }
    }

    fn body(&self, operation: &Operation, body: &Value) -> Result<(), String> {
        let described = &self.described(operation)["requestBody"];
        let schema = &described["content"]["application/json"]["schema"];
        let about = format!("{} {} body", operation.method, operation.template);
        match (schema.is_null(), body.is_null()) {
            (true, true) => Ok(()),
            (true, false) => Err(format!("{about}: none is described, {body} was sent")),
            (false, true) if described["required"] == true => Err(format!("{about}: it is missing")),
            (false, true) => Ok(()),
            (false, false) => self.check(&about, schema, body, true),
        }
    }

    /// Holds what the fake answers against the description.
    pub fn answer(&self, operation: &Operation, status: u16, body: &Value) -> Result<(), String> {
        let about = format!("{} {} answer {status}", operation.method, operation.template);
        let all = &self.described(operation)["responses"];
        let response = &all[status.to_string()];
        if response.is_null() {
            // Tokens and limits are described once for all operations.
            return if matches!(status, 401 | 403 | 404 | 429) || status >= 500 { Ok(()) } else { Err(format!("{about}: not described")) };
        }
        let schema = &self.followed(response)["content"]["application/json"]["schema"];
        match (schema.is_null(), body.is_null()) {
            (_, true) => Ok(()),
            (true, false) => Err(format!("{about}: no body is described, {body} was answered")),
            (false, false) => self.check(&about, schema, body, false),
        }
    }

    fn followed(&self, value: &Value) -> Value {
        let Some(reference) = value["$ref"].as_str() else { return value.clone() };
        let name = reference.rsplit('/').next().unwrap_or_default();
        let found = if reference.contains("/parameters/") { self.document.components.parameters.get(name) } else { self.document.components.responses.get(name) };
        found.cloned().unwrap_or_else(|| panic!("the description lacks {reference}"))
    }

    /// Judges a value; `whole`: required fields must be there.
    fn check(&self, about: &str, schema: &Value, value: &Value, whole: bool) -> Result<(), String> {
        let validator = {
            let mut known = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(about.to_owned()).or_insert_with(|| Arc::new(self.compiled(schema, whole))).clone()
        };
        let faults: Vec<String> = validator.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
        if faults.is_empty() { Ok(()) } else { Err(format!("{about}: {}", faults.join("; "))) }
    }

    fn compiled(&self, schema: &Value, whole: bool) -> Validator {
        let mut wanted = BTreeSet::new();
        let dialect = Dialect { whole, nulls: self.nulls && !whole };
        let mut root = translated(schema, dialect, true, &mut wanted);
        let mut defined = Map::new();
        while let Some(name) = wanted.iter().find(|name| !defined.contains_key(*name)).cloned() {
            let (plain, closed) = name.strip_prefix(OPEN).map_or((&*name, true), |plain| (plain, false));
            let schema = self.document.components.schemas.get(plain).unwrap_or_else(|| panic!("the description lacks the schema {plain}"));
            let schema = translated(schema, dialect, closed, &mut wanted);
            defined.insert(name, schema);
        }
        root["$defs"] = Value::Object(defined);
        jsonschema::validator_for(&root).unwrap_or_else(|error| panic!("a described schema cannot be used: {error}"))
    }
}

/// Whether a path is one of a template: `{ref}` and `{path}` may hold slashes, other parts may not.
fn fits(template: &str, path: &str) -> bool {
    let (wanted, given): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    let greedy = wanted.last().is_some_and(|last| matches!(*last, "{ref}" | "{path}")) && given.len() > wanted.len();
    (given.len() == wanted.len() || greedy) && wanted.iter().zip(&given).all(|(wanted, given)| wanted.starts_with('{') && !given.is_empty() || wanted == given)
}

/// How a schema is read.
#[derive(Clone, Copy)]
struct Dialect {
    /// Required fields must be there.
    whole: bool,
    /// Anything may be null.
    nulls: bool,
}

/// OpenAPI 3.0's dialect as JSON Schema: `nullable` spelled out, fields that are not described refused, what only explains left out.
fn translated(schema: &Value, dialect: Dialect, closed: bool, wanted: &mut BTreeSet<String>) -> Value {
    let Some(fields) = schema.as_object() else { return schema.clone() };
    if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or_default();
        // What is a part of a whole does not know the fields of the other parts.
        let name = if closed { name.to_owned() } else { format!("{OPEN}{name}") };
        wanted.insert(name.clone());
        return json!({ "$ref": format!("#/$defs/{name}") });
    }
    let mut out = Map::new();
    for (key, value) in fields {
        let mut list = |closed| Value::Array(value.as_array().into_iter().flatten().map(|one| translated(one, dialect, closed, wanted)).collect());
        match key.as_str() {
            "properties" => {
                let all = value.as_object().into_iter().flatten().map(|(name, one)| (name.clone(), translated(one, dialect, true, wanted)));
                out.insert(key.clone(), Value::Object(all.collect()));
            }
            "items" | "additionalProperties" | "not" => drop(out.insert(key.clone(), translated(value, dialect, true, wanted))),
            "anyOf" => drop(out.insert("anyOf".into(), list(closed))),
            // With fields left out, several may fit.
            "oneOf" => drop(out.insert(if dialect.whole { "oneOf" } else { "anyOf" }.into(), list(closed))),
            "allOf" => drop(out.insert("allOf".into(), list(false))),
            "required" if !dialect.whole => {}
            "type" | "enum" | "required" | "pattern" | "minItems" | "maxItems" | "minLength" | "maxLength" | "minimum" | "maximum" => drop(out.insert(key.clone(), value.clone())),
            _ => {}
        }
    }
    if closed && out.contains_key("properties") && !out.contains_key("additionalProperties") && ["anyOf", "oneOf", "allOf"].iter().all(|key| !out.contains_key(*key)) {
        out.insert("additionalProperties".into(), false.into());
    }
    if dialect.nulls || fields.get("nullable") == Some(&Value::Bool(true)) {
        let Some(kind) = out.get("type").cloned() else { return json!({ "anyOf": [Value::Object(out), { "type": "null" }] }) };
        out.insert("type".into(), json!([kind, "null"]));
        if let Some(Value::Array(choices)) = out.get_mut("enum") {
            choices.push(Value::Null);
        }
    }
    Value::Object(out)
}

/// What of OpenAPI 2 is used, in the words of 3.
fn of_version_two(mut old: Value) -> Document {
    let mut take = |key: &str| match old[key].take() {
        Value::Object(all) => all,
        _ => Map::new(),
    };
    let content = |schema: Value| json!({ "application/json": { "schema": schema } });
    let answered = |mut response: Value| match response["schema"].take() {
        Value::Null => response,
        schema => json!({ "content": content(schema) }),
    };
    let operation = |mut operation: Value| {
        let responses = match operation["responses"].take() {
            Value::Object(all) => all.into_iter().map(|(status, response)| (status, answered(response))).collect(),
            _ => Map::new(),
        };
        let mut new = json!({ "responses": responses });
        let mut parameters = Vec::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] == "body" {
                new["requestBody"] = json!({ "required": parameter["required"], "content": content(parameter["schema"].clone()) });
            } else {
                parameters.push(json!({ "name": parameter["name"], "in": parameter["in"], "required": parameter["required"], "schema": parameter }));
            }
        }
        new["parameters"] = parameters.into();
        new
    };
    let each = |(path, operations): (String, Value)| {
        let operations = match operations {
            Value::Object(all) => all.into_iter().map(|(method, one)| (method, operation(one))).collect(),
            _ => Map::new(),
        };
        (path, operations)
    };
    let responses = take("responses").into_iter().map(|(name, response)| (name, answered(response))).collect();
    Document { paths: take("paths").into_iter().map(each).collect(), components: Components { schemas: take("definitions"), parameters: Map::new(), responses } }
}
