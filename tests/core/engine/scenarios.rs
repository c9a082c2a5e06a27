//! Walks the scenario files: each line that is not indented is a verb, what follows it indented is what happened.
//!
//! `TRUEUP_REWRITE=1` writes what happens into the files. Commit such a change only when you understand what caused it.

use super::{verbs, world::World};
use std::{fs, path::Path};

#[test]
fn scenarios_happen_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/core/engine/scenarios");
    let mut files: Vec<_> = fs::read_dir(&folder).expect("the folder of scenarios").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(files.len() >= 20, "scenarios are missing: {}", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let written = fs::read_to_string(&file).expect("a scenario");
        let happened = walk(&name, &written);
        if std::env::var_os("TRUEUP_REWRITE").is_some() {
            fs::write(&file, happened).expect("the scenario is written back");
        } else if written != happened {
            wrong.push(format!("{name}:\n{}", similar::TextDiff::from_lines(&written, &happened).unified_diff().context_radius(4)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn walk(name: &str, text: &str) -> String {
    let mut world = World::new();
    let mut out = String::new();
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("    ") {
            continue;
        }
        out.push_str(line);
        out.push('\n');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        eprintln!("{name}:{}: {line}", number + 1);
        for told in verbs::run(&mut world, line) {
            out.push_str("    ");
            out.push_str(&told);
            out.push('\n');
        }
    }
    out
}
