//! Arrows between modules point one way, and only the wiring names concrete adapters.

use super::{
    exceptions::Rule,
    source::{Source, sources},
};
use std::collections::BTreeSet;

/// What each module may use, itself aside.
const ARROWS: [(&str, &[&str]); 16] = [
    ("core", &[]),
    ("kinds", &["core"]),
    ("formats", &["kinds", "core"]),
    ("ports", &["formats", "kinds", "core"]),
    ("cluster", &["ports"]),
    ("etcd", &["cluster", "ports"]),
    ("drivers", &["etcd", "cluster", "ports", "formats", "kinds", "core"]),
    ("forges", &["ports", "formats", "kinds", "core"]),
    ("stores", &["etcd", "cluster", "ports", "formats", "kinds", "core"]),
    ("secrets", &["ports", "formats", "kinds", "core"]),
    ("git", &["ports", "formats", "kinds", "core"]),
    ("lab", &["ports", "formats", "kinds", "core"]),
    ("app", &["drivers", "forges", "stores", "secrets", "git", "etcd", "cluster", "ports", "formats", "kinds", "core"]),
    ("web", &["app", "drivers", "forges", "stores", "secrets", "git", "etcd", "cluster", "ports", "formats", "kinds", "core"]),
    ("cli", &["web", "app", "lab", "drivers", "forges", "stores", "secrets", "git", "etcd", "cluster", "ports", "formats", "kinds", "core"]),
    // The program itself starts the command line.
    ("main.rs", &["cli"]),
];

/// Folders that may use more than their module.
const FURTHER: [(&str, &[&str]); 2] = [
    // The local forge keeps merge requests in the server's own store, and its repositories are git's.
    ("src/forges/local/", &["stores", "git"]),
    // Of the other forges it is mirrors of ours that git reads.
    ("src/forges/", &["git"]),
];

/// The top-level modules a file names: after `crate::`, groups included, and after `trueup::` in the program.
fn named(source: &Source) -> BTreeSet<String> {
    let code: String = source.code().into_iter().map(|(_, line)| line + "\n").collect();
    let mut found = BTreeSet::new();
    for root in ["crate::", "trueup::"] {
        for (at, _) in code.match_indices(root) {
            let rest = &code[at + root.len()..];
            match rest.strip_prefix('{') {
                Some(group) => found.extend(group_heads(group)),
                None => found.extend(head(rest)),
            }
        }
    }
    found
}

fn head(text: &str) -> Option<String> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// The first names of a group's members: `{core::{a, b}, ports::C}` has `core` and `ports`.
fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut member = String::new();
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.extend(head(std::mem::take(&mut member).trim())),
            _ => {}
        }
        if depth == 0 && c != ',' {
            member.push(c);
        }
    }
    heads.extend(head(member.trim()));
    heads
}

#[test]
fn arrows_between_modules_point_one_way() {
    let rule = Rule::new("arrows between modules point one way");
    let modules: BTreeSet<&str> = ARROWS.iter().map(|(module, _)| *module).collect();
    for source in sources("src") {
        let area = source.area();
        if area == "lib.rs" {
            continue;
        }
        let Some((_, may)) = ARROWS.iter().find(|(module, _)| *module == area) else {
            rule.broken(&source.path, format!("the module {area} has no place in the map: add it to ARROWS and docs/architecture.md"));
            continue;
        };
        let further = FURTHER.iter().filter(|(folder, _)| source.path.starts_with(folder)).flat_map(|(_, more)| *more);
        let may: Vec<&str> = may.iter().chain(further).copied().collect();
        for other in named(&source) {
            if other != area && modules.contains(other.as_str()) && !may.contains(&other.as_str()) {
                rule.broken(&source.path, format!("{area} must not use {other}"));
            }
        }
    }
    rule.hold();
}

/// Concrete adapters, by how code names them.
const ADAPTERS: [&str; 18] = [
    "drivers::dns",
    "drivers::config",
    "drivers::probes",
    "rfc2136::",
    "forges::local",
    "forges::gitea",
    "Gitea::",
    "forges::github",
    "GitHub::",
    "forges::gitlab",
    "GitLab::",
    "LocalForge",
    "LocalSecrets",
    "RedbKv",
    "SledKv",
    "EtcdKv",
    "MemoryKv",
    "GitRepo",
];

#[test]
fn only_the_wiring_names_concrete_adapters() {
    let rule = Rule::new("only the wiring names concrete adapters");
    for source in sources("src") {
        if !["app", "web", "cli"].contains(&source.area()) || source.path == "src/app/wiring.rs" || source.path.starts_with("src/app/wiring/") {
            continue;
        }
        let code: String = source.product().into_iter().map(|(_, line)| line + "\n").collect();
        for adapter in ADAPTERS.into_iter().filter(|adapter| code.contains(adapter)) {
            rule.broken(&source.path, format!("names {adapter}"));
        }
    }
    rule.hold();
}

#[test]
fn groups_and_paths_are_both_seen() {
    let text = "//! X.\nuse crate::{\n    core::{model::{A, B}, plan},\n    ports::C, // crate::web\n};\nfn f() { crate::git::g(\"crate::lab\") }\n";
    let source = Source { path: "src/app/x.rs".into(), text: text.into() };
    assert_eq!(named(&source).into_iter().collect::<Vec<_>>(), ["core", "git", "ports"]);
}
