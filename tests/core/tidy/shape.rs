//! The shape of files: length, opening sentence, what a mod.rs holds.

use super::{exceptions::Rule, source::sources};

/// What a reader holds in mind at once.
const LINES: usize = 500;

#[test]
fn no_file_is_longer_than_five_hundred_lines() {
    let rule = Rule::new("no file is longer than 500 lines");
    for source in ["src", "tests"].into_iter().flat_map(sources) {
        let lines = source.text.lines().count();
        if lines > LINES {
            rule.broken(&source.path, format!("{lines} lines"));
        }
    }
    rule.hold();
}

#[test]
fn every_file_opens_with_one_sentence() {
    let rule = Rule::new("every file opens with one sentence");
    for source in ["src", "tests"].into_iter().flat_map(sources) {
        let mut lines = source.text.lines();
        let first = lines.next().unwrap_or_default();
        let sentence = first.strip_prefix("//! ").is_some_and(|text| text.ends_with(['.', '?']) && text.len() > 10);
        let ends_there = lines.next().is_none_or(|line| line == "//!" || !line.starts_with("//!"));
        if !sentence || !ends_there {
            rule.broken(&source.path, "the first line is `//! ` and one whole sentence; more may follow below an empty `//!`");
        }
    }
    rule.hold();
}

#[test]
fn a_mod_rs_holds_docs_and_re_exports() {
    let rule = Rule::new("mod.rs holds docs and re-exports");
    let items = ["fn ", "async fn ", "struct ", "enum ", "impl ", "impl<", "trait ", "type ", "const ", "static ", "macro_rules!"];
    for source in sources("src").into_iter().filter(|source| source.path.ends_with("/mod.rs")) {
        for (number, line) in source.code() {
            // What is indented belongs to an item found already, or to a list of re-exports.
            let bare = line.strip_prefix("pub ").or_else(|| line.split_once(") ").filter(|(head, _)| head.starts_with("pub(")).map(|(_, rest)| rest)).unwrap_or(&line);
            if items.iter().any(|item| bare.starts_with(item)) {
                rule.broken(&source.path, format!("line {number}: {}", line.trim()));
            }
        }
    }
    rule.hold();
}
