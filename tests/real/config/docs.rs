//! docs/configuration.md is made from the schemas and the examples; it fails when stale, and `TRUEUP_REWRITE=1` writes it.

use serde_json::Value;
use trueup::{
    cli::schema::{File, schema},
    formats::yaml::{Budget, Node, NodeKind, load},
};

const TRUEUP: &str = include_str!("../../../examples/local/trueup.yaml");
const SERVER: &str = include_str!("../../../examples/local/server.yaml");
const REPLICAS: &str = include_str!("../../../examples/replicas/server.yaml");
const FORGES: &str = include_str!("../../../examples/forges/server.yaml");

/// One key as a reader sees it.
struct Row {
    /// `sources[].path`, `targets.NAME.kind`.
    key: String,
    kind: String,
    default: String,
    about: String,
}

fn rows(file: File) -> Vec<Row> {
    let schema = serde_json::to_value(schema(file)).unwrap();
    let mut rows = Vec::new();
    walk(&schema, &schema, "", &mut rows);
    rows
}

fn walk(root: &Value, object: &Value, path: &str, rows: &mut Vec<Row>) {
    let Some(properties) = object["properties"].as_object() else { return };
    let required: Vec<&str> = object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, property) in properties {
        let key = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let last = key.rsplit('.').next().unwrap_or_default();
        let default = match &property["default"] {
            _ if required.contains(&last) => "required".to_owned(),
            Value::Null => "none".to_owned(),
            Value::Object(_) => "see below".to_owned(),
            Value::Array(items) if items.is_empty() => "none".to_owned(),
            other => format!("`{}`", other.as_str().map_or_else(|| other.to_string(), str::to_owned)),
        };
        let about = property["description"].as_str().unwrap_or_else(|| panic!("the key {key} has no description: write its doc comment")).to_owned();
        rows.push(Row { key: key.clone(), kind: kind(root, property), default, about });
        let (below, path) = inner(root, property, key);
        walk(root, below, &path, rows);
    }
}

/// Follows a reference, and takes what an optional value is when it is there.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        return resolve(root, &root["$defs"][name]);
    }
    match schema["anyOf"].as_array() {
        Some(either) => either.iter().find(|schema| schema["type"] != "null").map_or(schema, |schema| resolve(root, schema)),
        None => schema,
    }
}

/// The object whose keys stand below a key, and how their path begins.
fn inner<'a>(root: &'a Value, schema: &'a Value, path: String) -> (&'a Value, String) {
    let schema = resolve(root, schema);
    if schema["items"].is_object() {
        return inner(root, &schema["items"], format!("{path}[]"));
    }
    if schema["additionalProperties"].is_object() {
        return inner(root, &schema["additionalProperties"], format!("{path}.NAME"));
    }
    (schema, path)
}

fn kind(root: &Value, schema: &Value) -> String {
    if schema["$ref"] == "#/$defs/Duration" {
        return "duration".into();
    }
    let schema = resolve(root, schema);
    if let Some(choices) = schema["oneOf"].as_array() {
        let one = |choice: &Value| match choice["const"].as_str() {
            Some(word) => vec![format!("`{word}`")],
            None => match choice["properties"].as_object() {
                Some(properties) => properties.keys().map(|key| format!("`{{{key}: …}}`")).collect(),
                None => choice["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect(),
            },
        };
        return choices.iter().flat_map(one).collect::<Vec<_>>().join(" or ");
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
    }
    let name = schema["type"].as_str().or_else(|| schema["type"].as_array().and_then(|types| types.iter().filter_map(Value::as_str).find(|name| *name != "null")));
    match name {
        Some("array") => format!("list of {}", plural(&kind(root, &schema["items"]))),
        Some("object") if schema["additionalProperties"].is_object() => format!("map of {}", plural(&kind(root, &schema["additionalProperties"]))),
        Some("object") => "map".into(),
        Some("integer") => "whole number".into(),
        Some("boolean") => "`true` or `false`".into(),
        Some("string") if schema["pattern"].is_string() => "duration".into(),
        Some("string") => "text".into(),
        other => panic!("no words for {other:?} in {schema}"),
    }
}

fn plural(kind: &str) -> String {
    match kind {
        "map" => "maps".into(),
        "text" => "texts".into(),
        other => other.replacen("list of", "lists of", 1),
    }
}

fn table(file: File) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let line = |row: Row| format!("| `{}` | {} | {} | {} |\n", row.key, cell(&row.kind), cell(&row.default), cell(&row.about));
    format!("| key | type | default | what it says |\n|---|---|---|---|\n{}", rows(file).into_iter().map(line).collect::<String>())
}

fn page() -> String {
    format!(
        "# Configuration

Two files: `trueup.yaml` stands at the root of a governed repository and says what it governs and by which policy; `server.yaml` stands on the server and says
who may sign in, which live systems there are, and which repository may touch which of them. `trueup schema` and `trueup schema server` print their JSON Schema,
`trueup validate` checks a checkout without a server. Unknown keys are errors with file, line, column and a suggestion.

`NAME` stands for a name of yours, `[]` for each item of a list. A duration is a whole number and a unit: `250ms`, `10s`, `5m`, `2h`, `1d`.

This page is made from the types that read the files: edit their doc comments, then run `TRUEUP_REWRITE=1 cargo test --features full --test real config::docs`.

## trueup.yaml

`sources:`, `release:` and `moved:` are read from the tree that merging would give; `policy:` is read from the branch that is merged into, so that no
merge request changes the rules it is judged by. Conditions (`when:`) are CEL over `plan`: the numbers `creates`, `updates`, `deletes`, `adopts`, `releases`, `moves`,
`drifts`, `writes`, and the lists `targets`, `kinds`, `units`, `resources`, `files`.

What a merge request stops asking for is deleted. It is released instead (it stays live and is governed no more, and a plan that releases waits for an
approval like one that writes) when `release:` names it, when its source or all of `trueup.yaml` is dropped, and when an octoDNS file still names it with
`octodns: {{ignored: true}}`, or with `included:` or `excluded:` not for this target. A later merge request that asks for exactly what is live adopts it.

A branch whose `trueup.yaml` or templates cannot be read (a hand in the repository, a newer server) is governed by the last that could be, and an admin
approves until a merge request has mended them.

`health:` says what else must hold before a change merges; [Health](health.md) tells what each probe does.

{}
### Example

```yaml
{TRUEUP}```

## server.yaml

Secrets stand in the environment or in files, never in `server.yaml`. Relative paths start at the folder of the file. `trueup doctor --config server.yaml`
examines what the file names as a run would use it, and writes nothing: secrets, data folder, git, protected branches, grants, whether approvals can be met,
and of each target whether it answers, takes the key, serves, transfers and would update the zones, and whether every name server answers for them;
of config centers their members, the sign-in, whether what is granted may be read and written, limits, quota and alarms; of health probes whether
what policy names is there, may be reached, and what each sees now; of sign-ins of CI whether the issuer's keys can be read.

{}
### Example

```yaml
{SERVER}```

Several replicas over one etcd (docs/decisions/replicas.md):

```yaml
{REPLICAS}```

Repositories on forges in the network, some of them found by asking, some with several governed branches ([Branches and tenants](branches.md)):

```yaml
{FORGES}```
",
        table(File::Trueup),
        table(File::Server),
    )
}

#[test]
fn the_page_says_what_the_types_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let page = page();
    if std::env::var_os("TRUEUP_REWRITE").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let stands = std::fs::read_to_string(path).unwrap_or_default();
    assert!(stands == page, "docs/configuration.md is stale: run TRUEUP_REWRITE=1 cargo test --features full --test real config::docs");
}

/// A rule is one type in both places, and its name is refused in this one.
const ELSEWHERE: &str = "sources[].health[].name";

#[test]
fn every_key_stands_in_the_example() {
    for (file, texts) in [(File::Trueup, &[TRUEUP][..]), (File::Server, &[SERVER, REPLICAS, FORGES])] {
        let examples: Vec<Node> = texts.iter().map(|text| load("example", text.as_bytes(), &Budget::default()).unwrap()).collect();
        for row in rows(file).into_iter().filter(|row| row.key != ELSEWHERE) {
            let path: Vec<&str> = row.key.split('.').flat_map(|part| part.split("[]").take(1).chain(part.ends_with("[]").then_some("[]"))).collect();
            assert!(examples.iter().any(|example| stands(example, &path)), "{file:?}: no example of {}", row.key);
        }
    }
}

fn stands(node: &Node, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    match &node.kind {
        NodeKind::List(items) if *first == "[]" => items.iter().any(|item| stands(item, rest)),
        NodeKind::Map(pairs) if *first == "NAME" => pairs.iter().any(|(_, value)| stands(value, rest)),
        NodeKind::Map(_) => node.get(first).is_some_and(|value| stands(value, rest)),
        NodeKind::List(_) | NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) | NodeKind::Str(_) => false,
    }
}
