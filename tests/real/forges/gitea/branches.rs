//! Several governed branches of one Gitea repository, and repositories that are found.

use super::town::Town;
use serde_json::json;

#[test]
fn a_pull_request_that_is_sent_to_another_branch_is_planned_there_or_left_alone() {
    let mut town = Town::start();
    town.branch_off("release/202611");
    town.branch_off("elsewhere");
    town.reconfigure("    grants:\n      - target: inside", "    branches:\n      - pattern: release/*\n    grants:\n      - target: inside");
    let (number, _) = town.propose("move", "192.0.2.9");
    town.until_asked(number);
    let send = |base: &str| town.project.ask("ana", "PATCH", &format!("/pulls/{number}"), Some(json!({ "base": base })));
    let phase = |town: &Town, repo: &str| town.show_of(repo, number)["phase"].as_str().unwrap_or_default().to_owned();
    send("release/202611");
    // The release is granted nothing, so there is nothing to do in it.
    town.until("the other branch's plan", |town| phase(town, "dns") == "closed" && phase(town, "dns@release") == "empty");
    send("elsewhere");
    town.until("the end of both", |town| phase(town, "dns@release") == "closed");
    town.until("a word about it", |town| told(town, number) == 1);
    send("main");
    town.until("the plan again", |town| phase(town, "dns") == "awaiting_approval" && phase(town, "dns@release") == "closed");
    assert_eq!(told(&town, number), 1, "said once");
    assert!(town.live().iter().any(|record| record.ends_with("192.0.2.1")), "{:?}", town.live());
}

/// How often it was said that a branch governs nothing.
fn told(town: &Town, number: u64) -> usize {
    let all = town.project.ask("root", "GET", &format!("/issues/{number}/comments"), None);
    all.as_array().into_iter().flatten().filter(|comment| comment["body"].as_str().is_some_and(|body| body.contains("governs nothing here"))).count()
}

#[test]
fn what_a_group_holds_is_served_and_what_comes_and_goes_later_too() {
    let mut town = Town::start();
    let gitea = town.project.server;
    let group = town.project.path.split('/').next().expect("it is in one").to_owned();
    let make = |name: &str| {
        gitea.ask("hand", "POST", &format!("/orgs/{group}/repos"), Some(json!({ "name": name, "private": false, "auto_init": true, "default_branch": "main" })));
        gitea.ask("hand", "PUT", &format!("/repos/{group}/{name}/collaborators/trueup"), Some(json!({ "permission": "admin" })));
    };
    make("app-one");
    make("other");
    let entry = format!(
        "    token: {{ file: gitea.token }}\n    discover_every: 1s\n    discover:\n      - group: {group}\n        allow: [\"app-*\"]\n        deny: [app-old]\n        grants: [{{ target: inside, units: [\"{{repo}}.test.\"] }}]\n        approvers: [ana]\n"
    );
    town.reconfigure("    token: { file: gitea.token }\n", &entry);
    let named = |names: &[&str]| names.iter().map(|name| if *name == "dns" { (*name).to_owned() } else { format!("{group}/{name}") }).collect::<Vec<_>>();
    town.until("the first", |town| town.repositories("ana") == named(&["dns", "app-one"]));
    make("app-two");
    make("app-old");
    // The server starts anew by itself, and answers as before.
    town.until("the second", |town| town.repositories("ana") == named(&["dns", "app-one", "app-two"]));
    gitea.ask("hand", "DELETE", &format!("/repos/{group}/app-one"), None);
    town.until("the end of the first", |town| town.repositories("ana") == named(&["dns", "app-two"]));
    let (number, _) = town.propose("move", "192.0.2.9");
    town.until_asked(number);
    assert!(town.log().contains("there no more"), "{}", town.log());
}

#[test]
fn a_governed_branch_that_is_renamed_is_told_and_goes_on_when_it_is_back() {
    let town = Town::start();
    let (number, _) = town.propose("move", "192.0.2.9");
    town.until_asked(number);
    town.project.ask("hand", "PATCH", "/branches/main", Some(json!({ "name": "trunk" })));
    town.until("a word in the log", |town| town.log().contains("knows no branch `main`"));
    town.project.ask("hand", "PATCH", "/branches/trunk", Some(json!({ "name": "main" })));
    town.project.ask("ana", "PATCH", &format!("/pulls/{number}"), Some(json!({ "base": "main" })));
    town.until_asked(number);
    assert!(town.live().iter().any(|record| record.ends_with("192.0.2.1")), "nothing was written: {:?}", town.live());
}
