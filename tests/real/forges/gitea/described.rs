//! Gitea's published description: what our driver asks and reads stands in it, and what does not fails a test.

use super::{house::House, porter::description};
use crate::harness::send;
use serde_json::json;
use std::collections::BTreeMap;

#[test]
fn every_field_that_is_read_is_one_that_gitea_describes() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/forges/gitea/wire.rs")).expect("it is there");
    let (mut said, mut schema, mut renamed, mut fields) = (None, None, None, 0);
    for line in text.lines() {
        let quoted = |after: &str| line.split_once(after).and_then(|(_, rest)| rest.split_once(if after == "`" { '`' } else { '"' })).map(|(name, _)| name.to_owned());
        if line.starts_with("/// ") {
            said = said.or(quoted("`"));
        } else if line.starts_with("pub struct ") {
            schema = Some(said.take().unwrap_or_else(|| panic!("{line}: which schema of Gitea's it reads stands before it, as `PullRequest`")));
        } else if line.contains("rename = \"") {
            renamed = quoted("rename = \"");
        } else if let Some((name, _)) = line.strip_prefix("    pub ").filter(|field| !field.starts_with("fn ")).and_then(|field| field.split_once(':')) {
            let schema = schema.as_deref().expect("a field stands in a struct");
            let name = renamed.take().unwrap_or_else(|| name.to_owned());
            let described = description().describes(schema, &name).unwrap_or_else(|| panic!("Gitea describes no `{schema}`"));
            assert!(described, "`{schema}` has no field `{name}`");
            fields += 1;
        }
    }
    assert!(fields > 40, "only {fields} fields were found: the file is written otherwise by now");
}

#[test]
fn what_gitea_does_not_describe_is_refused_and_noticed() {
    let house = House::new();
    let api = format!("{}/api/v1/repos/{}", house.porter.url, house.yard.project.path);
    let token = format!("token {}", house.yard.project.server.token("trueup"));
    for (method, path, body, wrong) in [
        ("GET", "/pulls/1/threads/2", None, "is not described"),
        ("GET", "/pulls?status=open", None, "no query parameter `status`"),
        ("GET", "/pulls?state=merged", None, "?state"),
        ("GET", "/pulls?page=two", None, "?page"),
        ("POST", "/issues/1/comments", Some(json!({ "text": "hello" })), "'text'"),
        ("POST", "/issues/1/comments", Some(json!({})), "\"body\" is a required property"),
        ("POST", "/pulls/1/merge", Some(json!({ "do": "merge", "sha": "1" })), "'sha'"),
        ("POST", "/statuses/0000", Some(json!({ "state": 1 })), "state"),
    ] {
        let (status, said) = send(method, &format!("{api}{path}"), Some(&token), body.as_ref()).expect("it answers");
        assert_eq!(status, 400, "{method} {path}: {said}");
        let noticed = house.porter.wrong();
        assert!(noticed.len() == 1 && noticed[0].contains(wrong), "{method} {path}: {noticed:?}");
    }
}

#[test]
fn an_answer_with_a_field_that_is_not_described_is_noticed_and_null_is_not() {
    let of_gitea = description();
    let asked = of_gitea.request("GET", "/repos/team/dns/pulls/1", &BTreeMap::new(), &json!(null)).expect("it is described");
    assert_eq!(of_gitea.answer(&asked, 200, &json!({ "number": 1, "merged_by": null, "head": { "label": "x", "repo": null } })), Ok(()));
    for wrong in [json!({ "number": 1, "merge_state": "clean" }), json!({ "number": "one" }), json!({ "head": { "branch": "x" } })] {
        assert!(of_gitea.answer(&asked, 200, &wrong).is_err(), "{wrong}");
    }
}
