//! What policy requires of merge requests, and the tasks they name.

use trueup::core::{
    gate::{Task, Unmet, pattern, tasks, unmet},
    model::{LinkRule, Policy, Require},
    review::{Brings, Sighting},
};

fn seen(branch: &str, title: &str, messages: &[&str]) -> Sighting {
    let messages: Vec<_> = messages.iter().map(|text| (*text).into()).collect();
    let brings = Brings { commits: messages.len() as u32, messages, unsaid: 0, files: 3 };
    Sighting { title: title.into(), source_branch: branch.into(), brings: Some(brings), ..crate::fixture::sighting() }
}

fn links(pattern: &str) -> Policy {
    Policy { links: vec![LinkRule { pattern: pattern.into(), url: "https://tasks.example.com/{task}?from=mr".into() }], ..Policy::default() }
}

fn names(tasks: Vec<Task>) -> Vec<String> {
    tasks.into_iter().map(|task| task.name.to_string()).collect()
}

#[test]
fn branch_title_and_messages_name_tasks_each_once_in_this_order() {
    let policy = links("[A-Z]{2,}-[0-9]+");
    let seen = seen("feature/WEB-001", "DNS-7: www moves, see WEB-001", &["www moves\n\nRefs: OPS-3", "DNS-7"]);
    assert_eq!(names(tasks(&policy, &seen)), ["WEB-001", "DNS-7", "OPS-3"]);
    assert_eq!(&*tasks(&policy, &seen)[0].url, "https://tasks.example.com/WEB-001?from=mr");
    assert!(tasks(&Policy::default(), &seen).is_empty(), "without a pattern nothing is a task");
}

#[test]
fn a_group_of_the_pattern_is_the_name_and_what_it_holds_is_only_data() {
    let policy = links("task[:#] *(\\S+)");
    let seen = seen("main", "task: ](https://evil.example) @all", &[]);
    assert_eq!(names(tasks(&policy, &seen)), ["](https://evil.example)"]);
    assert_eq!(&*tasks(&policy, &seen)[0].url, "https://tasks.example.com/%5D%28https%3A%2F%2Fevil.example%29?from=mr");
    let many: Vec<String> = (0..100).map(|n| format!("task#{n}")).collect();
    assert_eq!(tasks(&policy, &self::seen("b", &many.join(" "), &[])).len(), 20, "a title of a hundred is no page of links");
}

#[test]
fn every_rule_that_is_not_kept_is_named_and_one_that_is_kept_is_not() {
    let require =
        Require { task: true, branch: Some("^feature/".into()), title: Some("^[a-z]+: ".into()), commits: Some("^[a-z]+: ".into()), max_files: Some(2), max_commits: Some(1) };
    let policy = Policy { require, ..links("[A-Z]+-[0-9]+") };
    let unkept = unmet(&policy, &seen("www", "Move", &["dns: www", "oops"]));
    assert_eq!(
        unkept,
        [
            Unmet::Branch { branch: "www".into(), pattern: "^feature/".into() },
            Unmet::Title { pattern: "^[a-z]+: ".into() },
            Unmet::Commit { line: "oops".into(), pattern: "^[a-z]+: ".into() },
            Unmet::Files { files: 3, most: 2 },
            Unmet::Commits { commits: 2, most: 1 },
            Unmet::Task,
        ]
    );
    let mut kept = seen("feature/WEB-1", "dns: www moves", &["dns: www moves\n\nbody"]);
    kept.brings = kept.brings.map(|brings| Brings { files: 2, ..brings });
    assert_eq!(unmet(&policy, &kept), []);
}

#[test]
fn what_git_has_not_said_yet_keeps_no_rule_that_asks_for_it() {
    let asks_git = Policy { require: Require { max_files: Some(10), ..Require::default() }, ..Policy::default() };
    let mut unread = seen("b", "t", &[]);
    unread.brings = None;
    assert_eq!(unmet(&asks_git, &unread), [Unmet::Unread]);
    assert_eq!(unmet(&Policy::default(), &unread), []);
    assert_eq!(unmet(&Policy { require: Require { branch: Some("^b".into()), ..Require::default() }, ..Policy::default() }, &unread), []);
}

#[test]
fn what_the_server_opened_by_itself_is_held_to_none_of_it_until_somebody_pushes_to_it() {
    let policy = Policy { require: Require { task: true, max_files: Some(1), ..Require::default() }, ..links("[A-Z]+-[0-9]+") };
    let own = Sighting { proposed: Some("drift".into()), own_head: true, ..seen("trueup/drift", "Drift", &["drift"]) };
    assert_eq!(unmet(&policy, &own), []);
    let theirs = Sighting { own_head: false, ..own };
    assert_eq!(unmet(&policy, &theirs), [Unmet::Files { files: 3, most: 1 }, Unmet::Task], "its branch is no way past the rules");
    let named = Sighting { own_head: true, proposed: None, ..theirs };
    assert_eq!(unmet(&policy, &named).len(), 2, "only what the server proposed is its own");
}

#[test]
fn a_commit_whose_message_was_not_read_keeps_no_pattern() {
    let asks = Policy { require: Require { commits: Some("^[a-z]+: ".into()), ..Require::default() }, ..Policy::default() };
    let mut many = seen("b", "t", &["dns: a", "dns: b"]);
    many.brings = many.brings.map(|brings| Brings { commits: 5, unsaid: 3, ..brings });
    assert_eq!(unmet(&asks, &many), [Unmet::Unsaid { read: 2, commits: 5 }]);
    assert_eq!(unmet(&Policy::default(), &many), [], "nobody asked");
    many.brings = many.brings.map(|brings| Brings { messages: vec!["oops".into()], ..brings });
    assert!(matches!(&*unmet(&asks, &many), [Unmet::Commit { line, .. }] if &**line == "oops"), "what does not fit is named first");
}

#[test]
fn a_pattern_of_any_size_or_shape_costs_little() {
    assert!(pattern("(a+)+$").is_ok_and(|pattern| !pattern.is_match(&("a".repeat(50_000) + "b"))), "in linear time");
    assert!(pattern(&"x".repeat(501)).is_err());
    assert!(pattern("((((x{99}){99}){99}){99})").is_err_and(|why| why.contains("too much")));
    assert!(pattern("[").is_err());
    // One that policy cannot have, for it is refused there, keeps nothing.
    let broken = Policy { require: Require { branch: Some("[".into()), ..Require::default() }, ..Policy::default() };
    assert_eq!(unmet(&broken, &seen("b", "t", &[])).len(), 1);
}
