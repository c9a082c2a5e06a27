//! The API described for programs, made from the table that also routes it, so that the two cannot differ.

use super::answer::FaultBody;
use super::api::Route;
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// The OpenAPI 3.1 document.
pub fn document(routes: &[Route]) -> Value {
    // OpenAPI 3.1 schemas are JSON Schema 2020-12; shared ones live where its readers look for them.
    let mut schemas = SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = "/components/schemas".into()).into_generator();
    let fault = schemas.subschema_for::<FaultBody>();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let operation = operation(route, &mut schemas, &fault.clone().to_value());
        let path = paths.entry(format!("/api/v1{}", route.path)).or_insert_with(|| json!({}));
        path[route.method] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "trueup",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Merge requests that merge when they are true. Every error is JSON with `error` and `advice`. A repository's name is one path segment: `team/dns` is written `team%2Fdns`.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{ "token": [] }],
    })
}

fn operation(route: &Route, schemas: &mut SchemaGenerator, fault: &Value) -> Value {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> =
        in_path.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": if name == "number" { "integer" } else { "string" } } })).collect();
    parameters.extend(route.query.iter().map(|(name, values)| {
        let schema = if values.is_empty() { json!({ "type": "string" }) } else { json!({ "type": "string", "enum": values }) };
        json!({ "name": name, "in": "query", "schema": schema })
    }));
    let mut operation = json!({
        "summary": route.summary,
        "operationId": route.id,
        "parameters": parameters,
        "responses": {
            route.status.as_u16().to_string(): { "description": route.answers, "content": { route.media: {} } },
            "default": { "description": "what is wrong and what to do", "content": { "application/json": { "schema": fault } } },
        },
    });
    if let Some(body) = route.body {
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": body(schemas) } } });
    }
    operation
}
