//! The part of GitHub's GraphQL that has no REST: which conversations on the code are open, and which comments were edited.

use super::{
    super::{door::Answer, state::State},
    json,
};
use serde_json::{Value, json};

/// Which comments were edited; of nodes that are none here, null.
fn edited(state: &State, ids: &Value) -> Answer {
    let comments = || state.projects.values().flat_map(|project| project.requests.values()).flat_map(|request| &request.comments);
    let node = |id: &Value| {
        let comment = comments().find(|comment| id.as_str() == Some(&node_id(comment.id)))?;
        let at = (comment.edited != comment.at).then(|| json::time(comment.edited));
        Some(json!({ "id": id, "lastEditedAt": at }))
    };
    Answer::ok(json!({ "data": { "nodes": ids.as_array().into_iter().flatten().map(|id| node(id).unwrap_or(Value::Null)).collect::<Vec<_>>() } }))
}

/// A comment's name in GraphQL.
pub fn node_id(comment: u64) -> String {
    format!("IC_{comment}")
}

/// Answers the two queries that are spoken here.
pub fn graphql(state: &State, body: &Value, who: &str) -> Answer {
    let query = body["query"].as_str().unwrap_or_default();
    let variables = &body["variables"];
    if query == "query($ids: [ID!]!) { nodes(ids: $ids) { ... on IssueComment { id lastEditedAt } } }" {
        return edited(state, &variables["ids"]);
    }
    let path = format!("{}/{}", variables["owner"].as_str().unwrap_or_default(), variables["name"].as_str().unwrap_or_default());
    if !query.contains("reviewThreads(first: 100, after: $after)") || !query.contains("isResolved") || !query.contains("pageInfo") {
        return Answer::ok(json!({ "errors": [{ "type": "undefinedField", "message": "the fake forge does not speak this query" }] }));
    }
    let number = variables["number"].as_u64().unwrap_or_default();
    let request = state.projects.get(&path).filter(|_| state.role(&path, who) >= super::super::state::Role::Read).and_then(|project| project.requests.get(&number));
    let Some(request) = request else {
        return Answer::ok(json!({ "data": { "repository": null }, "errors": [{ "type": "NOT_FOUND", "message": "Could not resolve to a Repository" }] }));
    };
    let from: usize = variables["after"].as_str().map_or(0, |after| after.parse().unwrap());
    let nodes: Vec<Value> = request.threads.iter().skip(from).take(100).map(|thread| json!({ "isResolved": thread.resolved })).collect();
    let more = request.threads.len() > from + 100;
    let page = json!({ "hasNextPage": more, "endCursor": (from + 100).to_string() });
    Answer::ok(json!({ "data": { "repository": { "pullRequest": { "reviewThreads": { "nodes": nodes, "pageInfo": page } } } } }))
}
