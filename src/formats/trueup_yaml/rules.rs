//! Faults of what policy requires of merge requests: patterns that are none, addresses that lead nowhere.

use crate::{
    core::{
        gate::pattern,
        model::{Policy, Refusal, RefusalKind, Require},
    },
    formats::yaml::Node,
};

/// Every fault of `policy.links` and `policy.require`, each with its place.
pub(super) fn rules(node: &Node, policy: &Policy) -> Vec<Refusal> {
    let mut found = Vec::new();
    let mut fault = |path: &[&str], what: String, advice: &str| found.push(Refusal::new(RefusalKind::Value, what).at(node.nearest_to(path).place.clone()).advice(advice));
    let regular = "write a regular expression, quoted: `'[A-Z]{2,}-[0-9]+'`";
    for (i, link) in policy.links.iter().enumerate() {
        let at = i.to_string();
        if let Err(why) = pattern(&link.pattern) {
            fault(&["policy", "links", &at, "pattern"], format!("`{}` {why}", link.pattern), regular);
        } else if pattern(&link.pattern).is_ok_and(|pattern| pattern.is_match("")) {
            fault(&["policy", "links", &at, "pattern"], format!("`{}` finds nothing in everything", link.pattern), "write a pattern that finds at least one character");
        }
        let web = ["https://", "http://"].iter().any(|scheme| link.url.starts_with(scheme));
        if !web || !link.url.contains("{task}") || link.url.chars().any(|c| c.is_whitespace() || c.is_control() || "<>\"`\\".contains(c)) {
            fault(&["policy", "links", &at, "url"], format!("`{}` is no address of a task", link.url.escape_debug()), "write one like `https://tasks.example.com/{task}`");
        }
    }
    let Require { task, branch, title, commits, max_files, max_commits } = &policy.require;
    for (key, text) in [("branch", branch), ("title", title), ("commits", commits)] {
        if let Some(Err(why)) = text.as_ref().map(|text| pattern(text)) {
            fault(&["policy", "require", key], format!("`{}` {why}", text.as_deref().unwrap_or_default()), regular);
        }
    }
    for (key, most) in [("max_files", max_files), ("max_commits", max_commits)] {
        if *most == Some(0) {
            fault(&["policy", "require", key], format!("with `{key}` of nothing no merge request can be kept"), "write 1 or more, or leave it out");
        }
    }
    if *task && policy.links.is_empty() {
        fault(&["policy", "require", "task"], "a task is required, and nothing says how tasks are named".into(), "add `links:` with a pattern");
    }
    found
}
