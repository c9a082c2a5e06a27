//! Bad input and bad luck on a real Gitea: long comments, hostile names, thousands of files, a repository that is gone.

use super::town::{Made, Town};
use serde_json::{Value, json};

/// What forges take in one comment.
const COMMENT: usize = 65_536;

#[test]
fn a_plan_that_is_longer_than_a_comment_is_cut_with_a_link_and_a_long_comment_is_read_whole() {
    let town = Town::start();
    let records: String = (0..1500).map(|n| format!("host-with-a-rather-long-name-{n}:\n  ttl: 300\n  type: A\n  value: 192.0.2.{}\n", n % 250)).collect();
    town.add_records("many", &records);
    let number = town.open("many", "many");
    town.until_asked(number);
    let plan = town.sticky(number);
    assert!(plan.chars().count() < COMMENT, "{}", plan.chars().count());
    assert!(plan.contains(&format!("({}", town.page())), "it says where the rest is: {plan}");
    // As long as a person can make it, with the word at its very end.
    let long = format!("{}\n/trueup help", "x".repeat(65_537 - 13));
    assert_eq!(long.chars().count(), 65_537);
    town.comment(number, "ana", &long);
    town.until("an answer", |town| town.answers(number) == 1);
    // Whoever says a thousand things is heard so far, and answered once.
    town.comment(number, "ana", &"/trueup help\n".repeat(5000));
    town.until("the second answer", |town| town.answers(number) == 2);
    assert!(town.answered(number).iter().all(|body| body.len() < COMMENT) && town.answered(number)[1].contains("first 20 commands"), "{:?}", town.answered(number));
    town.approve(number, "ben");
    town.until_phase(number, "merged");
    assert_eq!(town.live().iter().filter(|line| line.starts_with("host-with")).count(), 1500);
}

#[test]
fn hostile_names_are_shown_as_names_and_call_nobody() {
    let town = Town::start();
    let (branch, file) = ("fix/@root-#1-`x`-<b>&", "notes/@root <img src=x onerror=alert(1)> ``` [x](http:evil) #1.md");
    town.push(branch, "192.0.2.131");
    let title = "@root ``` <script>alert(1)</script> [x](http://evil.example) **bold** #1 --> $(id)";
    town.add(branch, file, "words\n");
    let number = town.open(branch, title);
    town.until_asked(number);
    let plan = town.sticky(number);
    // As people see it: rendered by Gitea itself.
    let shown = town.project.server.ask("ana", "POST", "/markdown", Some(json!({ "Text": plan, "Mode": "comment", "Context": town.project.path, "Wiki": false })));
    let Value::String(html) = shown else { panic!("it is a page: {shown}") };
    for active in ["<script", "<img", "<b>", "onerror=\"", "class=\"mention\"", "href=\"http:evil", "evil.example\"", "/issues/1\"", "<strong>bold"] {
        assert!(!html.contains(active), "`{active}` is active in:\n{html}");
    }
    assert!(html.contains("@root"), "the names are there, as names:\n{html}");
    town.approve(number, "ben");
    town.until_phase(number, "merged");
    assert!(town.main_holds("192.0.2.131"));
}

#[test]
fn a_pull_request_of_three_thousand_files_is_planned_run_and_merged() {
    let keys = tempfile::tempdir().expect("a temporary folder");
    let town = Town::made(Made {
        grants: "      - target: files\n        units: [\"app/*\"]\n",
        targets: format!("  files:\n    kind: config/directory\n    path: {}\n", keys.path().display()),
        sources: "  - path: keys\n    format: keytree\n    targets: [files]\n    prefix: app/\n",
        files: &[("keys/first", "1")],
        ..Made::default()
    });
    std::fs::create_dir_all(keys.path().join("app")).expect("writable");
    std::fs::write(keys.path().join("app/first"), "1").expect("writable");
    let files: Vec<(String, String)> = (0..3000).map(|n| (format!("keys/key-{n}"), format!("value {n}"))).collect();
    town.add_files("many", &files);
    let number = town.open("many", "many");
    town.until_asked(number);
    assert!(town.sticky(number).chars().count() < COMMENT);
    town.approve(number, "ben");
    town.until_phase(number, "merged");
    assert_eq!(std::fs::read_dir(keys.path().join("app")).expect("it is there").count(), 3001);
    assert_eq!(std::fs::read_to_string(keys.path().join("app/key-2999")).expect("it was written"), "value 2999");
}

#[test]
fn a_repository_that_is_deleted_in_the_middle_of_a_run_is_restored_from_by_the_command_line() {
    let town = Town::start_held();
    let before = town.live();
    let (number, _) = town.propose("move-www", "192.0.2.133");
    town.until_asked(number);
    town.approve(number, "ben");
    town.until("the address", |town| town.live().iter().any(|line| line.ends_with("A 192.0.2.133")));
    town.project.ask("hand", "DELETE", "", None);
    town.until("word of it", |town| town.log().contains("404") || town.log().contains("has no branch"));
    assert_eq!(town.phase(number), "verifying", "what is gone from the forge is not taken for closed");
    town.trueup("ben", &["mr", "say", &number.to_string(), "--repo", "dns", "restore"]);
    town.until_phase(number, "restored");
    assert_eq!(town.live(), before, "everything is as it was");
}
