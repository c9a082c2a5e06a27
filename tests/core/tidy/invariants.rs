//! docs/architecture.md names for every invariant the tests that keep it, and each of them exists.

use super::source::{read, sources};
use std::collections::{BTreeMap, BTreeSet};

/// The invariants of the design.
const INVARIANTS: usize = 14;

/// What a row of the table of invariants says.
struct Kept {
    tests: Vec<String>,
    /// Parts that a later issue brings, in words that name it.
    later: bool,
}

/// The rows `| I1 … | what | tests |` of docs/architecture.md.
fn table() -> BTreeMap<usize, Kept> {
    let mut found = BTreeMap::new();
    for line in read("docs/architecture.md").lines() {
        let cells: Vec<&str> = line.trim_matches([' ', '|']).split(" | ").map(str::trim).collect();
        let Some(number) = cells.first().and_then(|cell| cell.strip_prefix('I')).and_then(|cell| cell.split_whitespace().next()).and_then(|cell| cell.parse().ok()) else {
            continue;
        };
        let Some(tests) = cells.get(2).filter(|_| cells.len() == 3) else { panic!("the row of I{number} has other than three cells: {line}") };
        let names = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let kept = Kept { tests: names, later: tests.contains("issue") };
        assert!(found.insert(number, kept).is_none(), "I{number} has two rows");
    }
    found
}

#[test]
fn every_invariant_names_its_tests_and_they_exist() {
    let table = table();
    let numbers: Vec<usize> = table.keys().copied().collect();
    assert_eq!(numbers, (1..=INVARIANTS).collect::<Vec<_>>(), "docs/architecture.md must have one row for each invariant");
    let tests = tests();
    let mut faults = Vec::new();
    for (number, kept) in &table {
        if kept.tests.is_empty() && !kept.later {
            faults.push(format!("I{number} names no test"));
        }
        faults.extend(kept.tests.iter().filter(|name| !tests.contains(*name)).map(|name| format!("I{number}: there is no test `{name}`")));
    }
    assert!(faults.is_empty(), "docs/architecture.md:\n  {}", faults.join("\n  "));
}

#[test]
fn every_trouble_names_its_tests_and_they_exist() {
    let tests = tests();
    let mut rows = 0;
    let mut faults = Vec::new();
    for line in read("docs/trouble.md").lines().filter(|line| line.starts_with('|') && !line.starts_with("|---")) {
        let cells: Vec<&str> = line.trim_matches([' ', '|']).split(" | ").collect();
        let [about, _, named] = cells[..] else { panic!("a row has other than three cells: {line}") };
        let names: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        rows += 1;
        if names.is_empty() && named != "tests" {
            faults.push(format!("`{about}` names no test"));
        }
        faults.extend(names.into_iter().filter(|name| !tests.contains(*name)).map(|name| format!("{about}: there is no test `{name}`")));
    }
    assert!(rows > 25, "the page has lost its rows: {rows}");
    assert!(faults.is_empty(), "docs/trouble.md:\n  {}", faults.join("\n  "));
}

/// The names of all tests there are.
fn tests() -> BTreeSet<String> {
    ["tests", "src"].into_iter().flat_map(sources).flat_map(|source| functions(&source.text)).collect()
}

/// The names of functions: tests, and what macros make tests of: the ladder's rungs, the rules of the forges' table.
fn functions(text: &str) -> Vec<String> {
    let heads = text.lines().map(str::trim).map(|line| line.strip_prefix("pub ").unwrap_or(line));
    let heads = heads.filter_map(|line| line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn ")));
    heads.filter_map(|rest| rest.split(['(', '<']).next().map(str::to_owned)).collect()
}

#[test]
fn every_module_has_its_line_in_the_map() {
    let page = read("docs/architecture.md");
    for source in sources("src").iter().filter(|source| source.path.matches('/').count() == 2 && source.path.ends_with("/mod.rs")) {
        let folder = format!("`src/{}/`", source.area());
        assert!(page.contains(&folder), "docs/architecture.md does not mention {folder}");
    }
}
